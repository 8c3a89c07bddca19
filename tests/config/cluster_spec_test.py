"""Tests of who is in a cluster."""

import json
import types

import pytest

from fivo.config import cluster_spec
from fivo.config import config as config_lib
from fivo.system import errors

_HOSTS = dict(ps_hosts="p:1", worker_hosts="w:1,w:2")
_CLUSTER = {"chief": ["c:1"], "ps": ["p:1"], "worker": ["w:1", "w:2"]}


@pytest.fixture
def parse(monkeypatch):
  """A function of a value of TF_CONFIG and options that gives the spec."""
  def run(variable=None, **kwargs):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if variable is not None:
      monkeypatch.setenv("TF_CONFIG", variable if isinstance(variable, str) else
                         json.dumps(variable))
    return config_lib.resolve(types.SimpleNamespace(**kwargs)).cluster
  return run


def _variable(job, index, cluster=_CLUSTER):
  return {"cluster": cluster, "task": {"type": job, "index": index}}


@pytest.mark.parametrize("job, task, expected, name, address, needed", [
    ("ps", 0, ("ps", 0), "ps 0", "p:1", {"chief": "w:1"}),
    ("chief", 0, ("worker", 0), "chief", "w:1", {"ps 0": "p:1"}),
    ("worker", 0, ("worker", 0), "chief", "w:1", {"ps 0": "p:1"}),
    ("worker", 1, ("worker", 1), "worker 1", "w:2",
     {"ps 0": "p:1", "chief": "w:1"}),
])
def test_flags(parse, job, task, expected, name, address, needed):
  """They win over the variable."""
  spec = parse(_variable("ps", 0), job_name=job, task=task, **_HOSTS)
  assert spec == (("p:1",), ("w:1", "w:2")) + expected
  assert cluster_spec.name(*expected) == name
  assert (spec.address, spec.needed) == (address, needed)


def test_addresses(parse):
  spec = parse(job_name="chief", ps_hosts="p:1 , q:1",
               worker_hosts="[::1]:2222")
  assert spec.ps_hosts == ("p:1", "q:1")
  assert cluster_spec.split_address(spec.worker_hosts[0]) == ("::1", 2222)


@pytest.mark.parametrize("kwargs, line", [
    (_HOSTS, "--ps_hosts=p:1: needs --job_name too; "),
    (dict(_HOSTS, job_name="chief", task=1),
     "--task=1: must be at most 0 for --job_name=chief"),
    (dict(_HOSTS, job_name="ps", worker_hosts="w:65536"),
     "--worker_hosts=w:65536: the port of w:65536 must be from 1 to 65535"),
    # Both ended the process in C++.
    (dict(_HOSTS, job_name="ps", worker_hosts="w:\uff11"),
     "--worker_hosts=w:\uff11: 'w:\uff11' must be host:port"),
    (dict(_HOSTS, job_name="ps", worker_hosts="\udcff:1"),
     "--worker_hosts=\udcff:1: '\udcff:1' must be host:port"),
    (dict(_HOSTS, job_name="ps", worker_hosts="w:1,p:1"),
     "--ps_hosts and --worker_hosts: has p:1 twice"),
    (dict(_HOSTS, job_name="ps", mode="eval"),
     "--job_name=ps: only --mode=train runs in a cluster; "),
    (dict(_HOSTS, job_name="ps", master="grpc://x:1"),
     "--master=grpc://x:1: is for servers that you run yourself; "),
    (dict(master="grpc://a"), "--master=grpc://a: 'a' must be host:port"),
])
def test_refused_flags(parse, kwargs, line):
  with pytest.raises(errors.UserError) as caught:
    parse(**kwargs)
  assert str(caught.value).startswith(line)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("variable, workers, place", [
    (_variable("chief", 0), ("c:1", "w:1", "w:2"), ("worker", 0)),
    (_variable("worker", "1"), ("c:1", "w:1", "w:2"), ("worker", 2)),
    (_variable("ps", 0), ("c:1", "w:1", "w:2"), ("ps", 0)),
    (_variable("worker", 0, {"ps": ["p:1"], "worker": ["w:1"]}), ("w:1",),
     ("worker", 0)),
    (_variable("master", 0, {"ps": ["p:1"], "master": ["w:1"]}), ("w:1",),
     ("worker", 0)),
])
def test_variable(parse, variable, workers, place):
  assert parse(variable) == (("p:1",), workers) + place


@pytest.mark.parametrize("kwargs, variable", [
    ({}, None),
    ({}, "{}"),
    ({}, ""),
    ({}, _variable("master", 0, {})),
    ({}, _variable("worker", "0", {})),
    ({}, _variable("chief", 0, {"chief": ["c:1"]})),
    ({"master": "grpc://x:1", "task": 1, "ps_tasks": 1}, _variable("chief", 0)),
    ({"mode": "eval"}, _variable("chief", 0)),
])
def test_alone(parse, kwargs, variable):
  assert parse(variable, **kwargs) is None


@pytest.mark.parametrize("value, complaint", [
    ("{", 'must be a JSON object with "cluster" and "task"'),
    pytest.param("[" * 100000, "must be a JSON object", id="deep"),
    ('{"task": {"index": 1e999}}', "must be a JSON object"),
    ({"sparseCluster": {"worker": {"1": "w:1"}, "ps": ["p:1"]},
      "task": {"type": "worker", "index": 0}},
     '"sparseCluster" does not say who is in the cluster'),
    (_variable("ps", 0, {}), 'has a "task" in a cluster, but'),
    (_variable("worker", "1", {}), 'has a "task" in a cluster, but'),
    ({"cluster": {"boss": ["b:1"]}}, 'the job "boss" must be chief, ps or'),
    ({"cluster": {"ps": [7]}}, "'7' must be host:port"),
    (_variable(None, 0), "the task's type null must be one of chief, ps"),
    (_variable("worker", 2), "the task's index 2 must be from 0 to 1"),
    (_variable("evaluator", 0), "an evaluator is not part of the cluster: "),
    (_variable("worker", 0, {"worker": ["w:1", "w:2"]}),
     'needs the job "ps" too'),
    (_variable("ps", 0, {"ps": ["p:1"]}), 'needs the job "worker" too'),
])
def test_refused_variable(parse, value, complaint):
  with pytest.raises(errors.UserError) as caught:
    parse(value)
  assert str(caught.value).startswith("TF_CONFIG=")
  assert complaint in str(caught.value)
  assert "\n" not in str(caught.value)
