"""Tests of a process that trains with others."""

import socket
import types

import pytest

from fivo.cluster import local as local_cluster
from fivo.cluster import server
from fivo.system import errors
from fivo.training import runs


@pytest.fixture
def begin(monkeypatch, tmp_path):
  """Begins a run in a cluster; gives `Config`, `Process` and ConfigProto."""
  made = []

  def make(*unused_args, **kwargs):
    made.append(kwargs["config"])
    return types.SimpleNamespace(target="grpc://here")

  def run(task, seed=None, worker=None):
    with local_cluster.reserved_addresses(3) as (ps, chief, free):
      config, _, member = runs.begin(types.SimpleNamespace(
          logdir=str(tmp_path), ps_hosts=ps, job_name="worker", task=task,
          worker_hosts="%s,%s" % (chief, worker or free), random_seed=seed))
    return config, member, made[-1]

  monkeypatch.setattr(server, "_servers", {})
  monkeypatch.setattr(server, "_Server", make)
  monkeypatch.setenv("no_proxy", "")
  monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
  return run


@pytest.mark.parametrize("task, seed, expected", [
    (0, -3, -3), (1, 1, 1000004), (1, None, None), (1, 2 ** 63 - 1, 1000002)])
def test_each_worker_has_a_seed(begin, task, seed, expected):
  config, member, options = begin(task, seed)
  assert (config.random_seed, member.task) == (expected, task)
  assert (member.target, member.is_chief) == ("grpc://here", task == 0)
  # Else TensorFlow's categorical gives several sequences the same draws.
  assert options.intra_op_parallelism_threads == 1


def test_an_address_that_is_taken(begin):
  with socket.socket() as other:
    other.bind(("", 0))
    other.listen(1)
    taken = "localhost:%d" % other.getsockname()[1]
    with pytest.raises(errors.UserError) as e:
      begin(1, worker=taken)
  assert str(e.value).startswith(
      "--worker_hosts: worker 1 cannot listen on %s: " % taken)
