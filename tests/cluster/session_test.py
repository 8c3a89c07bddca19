"""Tests of training in a cluster, of processes that are killed."""

import collections
import contextlib
import json
import os
import signal
import time

import pytest

from fivo.cluster import local as local_cluster
from fivo.logdir import checkpoints
from tests import lives

_SECONDS = 60.
# Nobody listens there: whoever heeded it would wait without end.
_PROXY = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "example.com"}


class _Cluster(object):
  """Processes that train, each a few steps until the gate opens."""

  def __init__(self, directory, addresses, num_ps, max_steps, **options):
    self._directory = directory
    self.hosts = {"ps": addresses[:num_ps], "worker": addresses[num_ps:]}
    self._options = dict(options, max_steps=max_steps, stagger_workers=False,
                         save_checkpoint_secs=600.)
    self._gate = directory / "gate"
    self.logdir = str(directory / "logdir")
    self.processes = {}
    self._lives = collections.Counter()
    for job, hosts in self.hosts.items():
      for task in range(len(hosts)):
        self.start(job, task)

  def start(self, job, task, **options):
    """Starts a process, for the first time or again."""
    self._lives[job, task] += 1
    place, environ = self._place(job, task)
    options = dict(self._options, **dict(place, **options))
    self.processes[job, task] = lives.start(
        options.pop("logdir", self.logdir), self._log(job, task),
        gate=self._gate, environ=dict(environ, **_PROXY), **options)

  def _place(self, job, task):
    return dict(job_name=job, task=task, ps_hosts=",".join(self.hosts["ps"]),
                worker_hosts=",".join(self.hosts["worker"])), {}

  def _log(self, job, task):
    return self._directory / (
        "%s%d.%d.log" % (job, task, self._lives[job, task]))

  def text(self, job, task):
    """What a process has printed in its latest life."""
    return self._log(job, task).read_text()

  def steps(self, job, task):
    return [step for kind, step in lives.events(self._log(job, task))
            if kind == "Step"]

  def kill(self, job, task):
    self.processes[job, task].kill()
    self.processes[job, task].join()

  def wait_for_steps(self, task):
    """Waits until a worker has taken its free steps."""
    self.wait_until(
        lambda: len(self.steps("worker", task)) >= lives.FREE_STEPS)

  def wait_until(self, condition):
    deadline = time.time() + _SECONDS
    while not condition():
      assert time.time() < deadline, self._logs()
      time.sleep(.02)

  def finish(self):
    """Opens the gate and waits for the end; returns the exit codes."""
    self._gate.touch()
    return self.join()

  def join(self):
    for process in self.processes.values():
      process.join(_SECONDS)
      assert process.exitcode is not None, self._logs()
    return [process.exitcode for process in self.processes.values()]

  def _logs(self):
    return {place: self.text(*place) for place in self.processes}

  def last_step(self):
    return checkpoints.step(checkpoints.latest(self.logdir))


class _ClusterOfVariable(_Cluster):
  """A cluster that the variable TF_CONFIG describes."""

  def _place(self, job, task):
    workers = self.hosts["worker"]
    is_chief = (job, task) == ("worker", 0)
    return {}, {"TF_CONFIG": json.dumps({
        "cluster": {"ps": self.hosts["ps"], "chief": workers[:1],
                    "worker": workers[1:]},
        "task": {"type": "chief" if is_chief else job,
                 "index": task - (job == "worker" and not is_chief)}})}


@contextlib.contextmanager
def _cluster(directory, num_ps=1, num_workers=2, max_steps=60, kind=_Cluster,
             **options):
  with local_cluster.reserved_addresses(num_ps + num_workers) as addresses:
    cluster = kind(directory, addresses, num_ps, max_steps, **options)
    try:
      yield cluster
    finally:
      for process in cluster.processes.values():
        process.kill()
        process.join()


@pytest.mark.parametrize("kind, num_ps, num_workers", [
    (_Cluster, 1, 2),
    pytest.param(_Cluster, 1, 3, marks=pytest.mark.slow),
    pytest.param(_Cluster, 2, 3, marks=pytest.mark.slow),
    pytest.param(_ClusterOfVariable, 1, 3, marks=pytest.mark.slow),
])
def test_takes_just_all_steps(tmp_path, kind, num_ps, num_workers):
  with _cluster(tmp_path, num_ps, num_workers, kind=kind) as cluster:
    for task in range(num_workers):
      cluster.wait_for_steps(task)
    assert cluster.finish() == [0] * (num_ps + num_workers)
    assert 60 <= cluster.last_step() < 60 + len(cluster.hosts["worker"])
    for job, task in cluster.processes:
      assert "Traceback" not in cluster.text(job, task)
    assert os.listdir(cluster.logdir).count("train.lock") == 1


@pytest.mark.slow
def test_a_worker_comes_back(tmp_path):
  with _cluster(tmp_path) as cluster:
    cluster.wait_for_steps(1)
    cluster.kill("worker", 1)
    cluster.start("worker", 1)
    cluster.wait_for_steps(1)
    assert cluster.finish() == [0, 0, 0]
    assert 60 <= cluster.last_step() < 60 + len(cluster.hosts["worker"])


@pytest.mark.slow
def test_a_chief_comes_back(tmp_path):
  with _cluster(tmp_path) as cluster:
    for task in range(2):
      cluster.wait_for_steps(task)
    cluster.kill("worker", 0)
    cluster.start("worker", 0)
    cluster.wait_for_steps(0)
    assert cluster.finish() == [0, 0, 0]
    assert 60 <= cluster.last_step() < 60 + len(cluster.hosts["worker"])


@pytest.mark.slow
@pytest.mark.parametrize("num_ps", [1, 2])
def test_a_parameter_server_comes_back(tmp_path, num_ps):
  with _cluster(tmp_path, num_ps) as cluster:
    for task in range(2):
      cluster.wait_for_steps(task)
    cluster.kill("ps", num_ps - 1)
    cluster.start("ps", num_ps - 1)
    assert cluster.finish() == [0] * (num_ps + 2)
    assert 60 <= cluster.last_step() < 60 + len(cluster.hosts["worker"])
    assert "Restoring parameters from" in cluster.text("worker", 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("lost, line", [
    (("ps", 0), "run: the ps 0 at %s has not answered for 1 seconds "
     "(--cluster_timeout_secs)"),
    (("worker", 0), "run: the chief at %s has not answered for 1 seconds "
     "(--cluster_timeout_secs)")])
def test_whoever_needs_one_that_stays_away_ends(
    tmp_path, lost, line, number):
  with _cluster(tmp_path, max_steps=10 ** 6,
                cluster_timeout_secs=1.) as cluster:
    for task in range(2):
      cluster.wait_for_steps(task)
    os.kill(cluster.processes[lost].pid, number)
    address = cluster.hosts[lost[0]][lost[1]]
    cluster.wait_until(lambda: sum(
        process.exitcode is None for process in cluster.processes.values()
    ) == (number == signal.SIGSTOP))
    for place, process in cluster.processes.items():
      if place != lost:
        assert process.exitcode == 1
        assert cluster.text(*place).splitlines()[-1] == line % address
        assert "Traceback" not in cluster.text(*place)


@pytest.mark.slow
def test_a_signal_ends_who_waits_for_a_parameter_server(tmp_path):
  with _cluster(tmp_path, max_steps=10 ** 6) as cluster:
    for task in range(2):
      cluster.wait_for_steps(task)
    cluster.kill("ps", 0)
    cluster.wait_until(lambda: all(
        "does not answer" in cluster.text("worker", task)
        for task in range(2)))
    for task in range(2):
      cluster.processes["worker", task].terminate()
    assert cluster.finish() == [-9, 143, 143]
    assert "Traceback" not in cluster.text("worker", 0)


@pytest.mark.slow
def test_a_signal_to_all_saves(tmp_path):
  with _cluster(tmp_path, max_steps=10 ** 6) as cluster:
    for task in range(2):
      cluster.wait_for_steps(task)
    for process in cluster.processes.values():
      process.terminate()
    assert cluster.finish() == [143, 143, 143]
    assert cluster.last_step() > 2 * lives.FREE_STEPS
