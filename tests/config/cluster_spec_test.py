"""Tests of who is in a cluster."""

import json
import types

import pytest

from fivo.config import cluster_spec
from fivo.config import config as config_lib
from fivo.system import errors

_HOSTS = dict(ps_hosts="p:1", worker_hosts="w:1,w:2")


@pytest.fixture(autouse=True)
def unset(monkeypatch):
  monkeypatch.delenv("TF_CONFIG", raising=False)


def _parse(variable=None, **kwargs):
  """The spec of options and of a value of TF_CONFIG."""
  config = config_lib.from_object(types.SimpleNamespace(**kwargs))
  with pytest.MonkeyPatch.context() as patch:
    if variable is not None:
      patch.setenv("TF_CONFIG", variable if isinstance(variable, str) else
                   json.dumps(variable))
    return cluster_spec.parse(config)


def _variable(cluster, job, index):
  return {"cluster": cluster, "task": {"type": job, "index": index}}


class TestFlags(object):

  @pytest.mark.parametrize("job, task, expected, name, address, needed", [
      ("ps", 0, ("ps", 0), "ps 0", "p:1", {"chief": "w:1"}),
      ("chief", 0, ("worker", 0), "chief", "w:1", {"ps 0": "p:1"}),
      ("worker", 0, ("worker", 0), "chief", "w:1", {"ps 0": "p:1"}),
      ("worker", 1, ("worker", 1), "worker 1", "w:2",
       {"ps 0": "p:1", "chief": "w:1"}),
  ])
  def test_place(self, job, task, expected, name, address, needed):
    spec = _parse(job_name=job, task=task, **_HOSTS)
    assert spec == (("p:1",), ("w:1", "w:2")) + expected
    assert cluster_spec.name(*expected) == name
    assert (spec.address, spec.needed) == (address, needed)

  def test_alone(self):
    assert _parse() is None

  def test_addresses(self):
    spec = _parse(job_name="chief", ps_hosts="p:1 , q:1",
                  worker_hosts="[::1]:2222")
    assert spec.ps_hosts == ("p:1", "q:1")
    assert cluster_spec.split_address(spec.worker_hosts[0]) == ("::1", 2222)

  @pytest.mark.parametrize("kwargs, line", [
      (dict(_HOSTS), "--ps_hosts=p:1: needs --job_name too; "),
      (dict(job_name="worker", ps_hosts="p:1"),
       "--job_name=worker: needs --worker_hosts too; "),
      (dict(_HOSTS, job_name="worker", task=2),
       "--task=2: must be at most 1 for --job_name=worker and "
       "--worker_hosts=w:1,w:2"),
      (dict(_HOSTS, job_name="ps", task=1),
       "--task=1: must be at most 0 for --job_name=ps and --ps_hosts=p:1"),
      (dict(_HOSTS, job_name="chief", task=1),
       "--task=1: must be at most 0 for --job_name=chief"),
      (dict(_HOSTS, job_name="ps", ps_hosts="p"),
       "--ps_hosts=p: 'p' must be host:port"),
      (dict(_HOSTS, job_name="ps", worker_hosts="w:65536"),
       "--worker_hosts=w:65536: the port of w:65536 must be from 1 to 65535"),
      # Both ended the process in C++.
      (dict(_HOSTS, job_name="ps", worker_hosts="w:\uff11"),
       "--worker_hosts=w:\uff11: 'w:\uff11' must be host:port"),
      (dict(_HOSTS, job_name="ps", worker_hosts="\udcff:1"),
       "--worker_hosts=\udcff:1: '\udcff:1' must be host:port"),
      (dict(_HOSTS, job_name="ps", worker_hosts="w:0"),
       "--worker_hosts=w:0: the port of w:0 must be from 1 to 65535"),
      (dict(_HOSTS, job_name="ps", worker_hosts="w:1,w:1"),
       "--worker_hosts=w:1,w:1: has w:1 twice"),
      (dict(_HOSTS, job_name="ps", worker_hosts="w:1,p:1"),
       "--ps_hosts and --worker_hosts: has p:1 twice"),
      (dict(_HOSTS, job_name="ps", mode="eval"),
       "--job_name=ps: only --mode=train runs in a cluster; "),
      (dict(_HOSTS, job_name="ps", master="grpc://x:1"),
       "--master=grpc://x:1: is for servers that you run yourself; "),
      (dict(_HOSTS, job_name="ps", ps_tasks=1),
       "--ps_tasks=1: is for servers that you run yourself; "),
      (dict(_HOSTS, job_name="evaluator"),
       "--job_name=evaluator: must be one of ps, chief, worker"),
      (dict(task=1), "--task=1: needs --master, "),
      (dict(ps_tasks=1), "--ps_tasks=1: needs --master, "),
      (dict(master="localhost:2222"),
       "--master=localhost:2222: must be grpc://host:port"),
      (dict(master="grpc://a"), "--master=grpc://a: 'a' must be host:port"),
      (dict(master="grpc://a:99999"), "--master=grpc://a:99999: the port of "
       "a:99999 must be from 1 to 65535"),
  ])
  def test_refused(self, kwargs, line):
    with pytest.raises(errors.UserError) as caught:
      config_lib.resolve(types.SimpleNamespace(**kwargs))
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


class TestVariable(object):
  _CLUSTER = {"chief": ["c:1"], "ps": ["p:1"], "worker": ["w:1", "w:2"]}

  @pytest.mark.parametrize("job, index, expected", [
      ("chief", 0, ("worker", 0)),
      ("worker", 0, ("worker", 1)),
      ("worker", "1", ("worker", 2)),
      ("ps", 0, ("ps", 0)),
  ])
  def test_place(self, job, index, expected):
    spec = _parse(_variable(self._CLUSTER, job, index))
    assert spec == (("p:1",), ("c:1", "w:1", "w:2")) + expected

  @pytest.mark.parametrize("job", ["worker", "master"])
  def test_is_chief(self, job):
    spec = _parse(_variable({"ps": ["p:1"], job: ["w:1"]}, job, 0))
    assert spec == (("p:1",), ("w:1",), "worker", 0)

  @pytest.mark.parametrize("kwargs, variable", [
      ({}, "{}"),
      ({}, ""),
      ({}, _variable({}, "master", 0)),
      ({}, _variable({}, "worker", "0")),
      ({}, _variable({"chief": ["c:1"]}, "chief", 0)),
      ({"master": "grpc://x:1"}, _variable(_CLUSTER, "chief", 0)),
      ({"mode": "eval"}, _variable(_CLUSTER, "chief", 0)),
  ])
  def test_alone(self, kwargs, variable):
    assert _parse(variable, **kwargs) is None

  def test_flags_win(self):
    spec = _parse(
        _variable(self._CLUSTER, "chief", 0), job_name="ps", **_HOSTS)
    assert spec.worker_hosts == ("w:1", "w:2")

  @pytest.mark.parametrize("value, complaint", [
      ("{", 'must be a JSON object with "cluster" and "task"'),
      ("[]", 'must be a JSON object with "cluster" and "task"'),
      pytest.param(
          "[" * 100000, 'must be a JSON object with "cluster" and "task"',
          id="deep"),
      ('{"cluster": [[1, ["p:1"]], ["ps", ["q:1"]]]}',
       'must be a JSON object with "cluster" and "task"'),
      ({"sparseCluster": {"worker": {"1": "w:1"}, "ps": ["p:1"]},
        "task": {"type": "worker", "index": 0}},
       '"sparseCluster" does not say who is in the cluster'),
      ({"task": {"type": "ps", "index": 0}}, 'has a "task" in a cluster, but'),
      ({"task": {"type": "worker", "index": 1}}, 'has a "task" in a cluster'),
      ({"task": {"type": "worker", "index": "1"}}, 'has a "task" in a cluster'),
      ({"cluster": _CLUSTER, "task": {"type": "worker", "index": "x"}},
       'must be a JSON object with "cluster" and "task": invalid'),
      ('{"task": {"index": 1e999}}', 'must be a JSON object'),
      ({"cluster": {"boss": ["b:1"]}}, 'the job "boss" must be chief, ps or'),
      ({"cluster": {"ps": "p:1"}}, "'p' must be host:port"),
      ({"cluster": {"ps": [7]}}, "'7' must be host:port"),
      ({"cluster": {"ps": ["p:1"], "chief": ["p:1"]}}, "has p:1 twice"),
      ({"cluster": _CLUSTER}, "the task's type null must be one of chief, ps"),
      ({"cluster": _CLUSTER, "task": {"type": ["ps"]}},
       "the task's type [\"ps\"] must be one of chief, ps"),
      ({"cluster": {"ps": [], "chief": ["c:1"]}, "task": {"type": "ps"}},
       "the task's type \"ps\" must be one of chief"),
      ({"cluster": _CLUSTER, "task": {"type": "worker", "index": 2}},
       "the task's index 2 must be from 0 to 1"),
      ({"cluster": _CLUSTER, "task": {"type": "evaluator"}},
       "an evaluator is no part of the cluster: "),
      ({"cluster": {"worker": ["w:1", "w:2"]}, "task": {"type": "worker"}},
       'needs the job "ps" too'),
      ({"cluster": {"ps": ["p:1"]}, "task": {"type": "ps"}},
       'needs the job "worker" too'),
  ])
  def test_refused(self, value, complaint):
    with pytest.raises(errors.UserError) as caught:
      _parse(value)
    assert str(caught.value).startswith("TF_CONFIG")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_master():
  config_lib.resolve(
      types.SimpleNamespace(master="grpc://a:1", task=1, ps_tasks=1))
