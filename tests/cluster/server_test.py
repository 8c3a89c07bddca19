"""Tests of the server of a process of a cluster."""

import socket
import types

import pytest

from fivo.cluster import local as local_cluster
from fivo.cluster import server
from fivo.config import config as config_lib
from fivo.system import errors


@pytest.fixture
def join(monkeypatch):
  """Joins a cluster with new addresses; gives its `Config` and the server's."""
  made = []

  def make(*unused_args, **kwargs):
    made.append(kwargs["config"])
    return types.SimpleNamespace(target="grpc://here")

  def run(task, seed=None, worker=None):
    with local_cluster.reserved_addresses(3) as (ps, chief, free):
      config = server.join(config_lib.resolve(types.SimpleNamespace(
          ps_hosts=ps, worker_hosts="%s,%s" % (chief, worker or free),
          job_name="worker", task=task, random_seed=seed)))
    return config, made[-1]

  monkeypatch.setattr(server, "_servers", {})
  monkeypatch.setattr(server, "_Server", make)
  monkeypatch.setenv("no_proxy", "")
  monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
  return run


@pytest.mark.parametrize("task, seed, expected", [
    (0, -3, -3), (1, 1, 1000004), (1, None, None), (1, 2 ** 63 - 1, 1000002)])
def test_each_worker_has_a_seed(join, task, seed, expected):
  config, options = join(task, seed)
  assert (config.random_seed, config.task) == (expected, task)
  assert (config.master, config.ps_tasks) == ("grpc://here", 1)
  # Else TensorFlow's categorical gives several sequences the same draws.
  assert options.intra_op_parallelism_threads == 1


def test_an_address_that_is_taken(join):
  with socket.socket() as other:
    other.bind(("", 0))
    other.listen(1)
    taken = "localhost:%d" % other.getsockname()[1]
    with pytest.raises(errors.UserError) as e:
      join(1, worker=taken)
  assert str(e.value).startswith(
      "--worker_hosts: worker 1 cannot listen on %s: " % taken)


@pytest.mark.parametrize("before, after", [
    ({}, {"no_proxy": "::1,a,b"}),
    ({"no_proxy": "x,b"}, {"no_proxy": "x,b,::1,a"}),
    ({"NO_PROXY": "x"}, {"NO_PROXY": "x", "no_proxy": "x,::1,a,b"}),
])
def test_bypasses_proxies(monkeypatch, before, after):
  environ = dict(before)
  monkeypatch.setattr(server.os, "environ", environ)
  for _ in range(2):
    server.bypass_proxies(["b:1", "a:2", "a:3", "[::1]:4"])
  assert environ == after
