"""Tests of a chief or a worker by itself, without a cluster."""

import types

import pytest
import tensorflow as tf

from fivo.cluster import member as cluster_member
from fivo.config import config as config_lib

_ERROR = tf.errors.AbortedError(None, None, "Session handle is not found")


@pytest.fixture
def member(monkeypatch):
  """A worker that does not wait."""
  monkeypatch.setattr(cluster_member.time, "sleep", lambda seconds: None)
  with tf.Graph().as_default():
    yield cluster_member.Member(config_lib.resolve(types.SimpleNamespace(
        job_name="worker", task=1, ps_hosts="p:1", worker_hosts="w:1,w:2")), [])


class TestRecover(object):

  def test_takes_any_number_of_deaths(self, member):
    for _ in range(100):
      member._watch.num_departures += 1
      # Each may cost more than one session.
      member.recover(_ERROR)
      member.recover(_ERROR)

  def test_gives_up_where_nobody_died(self, member):
    member._watch.num_departures += 1
    with pytest.raises(tf.errors.AbortedError):
      for _ in range(100):
        member.recover(_ERROR)
