"""Tests of training in a cluster, of processes that are killed."""

import contextlib
import json
import os
import signal
import time

import pytest

from fivo.cluster import local as local_cluster
from fivo.logdir import run_directory
from tests import lives

_SECONDS = 60.
_MAX_STEPS = 60
# Nobody listens there: whoever heeded it would wait without end.
_PROXY = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "example.com"}


class _Cluster(object):
  """Processes that train, each a few steps until the gate opens."""

  def __init__(self, directory, hosts, by_variable=False, **options):
    self._directory = directory
    self.hosts = hosts
    self._by_variable = by_variable
    self._options = dict(dict(
        max_steps=_MAX_STEPS, stagger_workers=False, save_checkpoint_secs=600.),
                         **options)
    self._gate = directory / "gate"
    self.logdir = str(directory / "logdir")
    self.processes = {}
    for job in hosts:
      for task in range(len(hosts[job])):
        self.start((job, task))
    for task in range(len(hosts["worker"])):
      self.wait_for_steps(task)

  def start(self, place):
    """Starts a process, for the first time or again, with a new log."""
    job, task = place
    options, environ = dict(
        job_name=job, task=task, ps_hosts=",".join(self.hosts["ps"]),
        worker_hosts=",".join(self.hosts["worker"])), {}
    if self._by_variable:
      options, environ = {}, {"TF_CONFIG": json.dumps({
          "cluster": self.hosts, "task": {"type": job, "index": task}})}
    self._log(place).write_text("")
    self.processes[place] = lives.start(
        self.logdir, self._log(place), gate=self._gate,
        environ=dict(environ, **_PROXY), **dict(self._options, **options))

  def _log(self, place):
    return self._directory / ("%s%d.log" % place)

  def text(self, place):
    """What a process has printed in its latest life."""
    return self._log(place).read_text()

  def kill(self, place):
    self.processes[place].kill()
    self.processes[place].join()

  def wait_for_steps(self, task):
    """Waits until a worker has taken its free steps."""
    log = self._log(("worker", task))
    self.wait_until(lambda: sum(
        kind == "Step" for kind, _ in lives.events(log)) >= lives.FREE_STEPS)

  def wait_until(self, condition):
    deadline = time.time() + _SECONDS
    while not condition():
      assert time.time() < deadline, list(map(self.text, self.processes))
      time.sleep(.02)

  def finish(self):
    """Opens the gate and waits for the end; returns the exit codes."""
    self._gate.touch()
    self.wait_until(lambda: None not in [
        process.exitcode for process in self.processes.values()])
    assert not any("Traceback" in self.text(place) for place in self.processes)
    return {process.exitcode for process in self.processes.values()}

  def last_step(self):
    return run_directory.RunDirectory(self.logdir).latest_step()

  def assert_finished(self):
    """All end by themselves, and each worker has one step at most too much."""
    assert self.finish() == {0}
    num_workers = len(self.hosts["worker"])
    assert _MAX_STEPS <= self.last_step() < _MAX_STEPS + num_workers


@pytest.fixture
def start(tmp_path):
  """A function of numbers of processes and options that starts a cluster."""
  clusters = []

  def run(num_ps=1, num_workers=2, **options):
    addresses = reserved.enter_context(
        local_cluster.reserved_addresses(num_ps + num_workers))
    clusters.append(_Cluster(tmp_path, {
        "ps": addresses[:num_ps], "worker": addresses[num_ps:]}, **options))
    return clusters[-1]

  with contextlib.ExitStack() as reserved:
    yield run
    for cluster in clusters:
      for process in cluster.processes.values():
        process.kill()
        process.join()


@pytest.mark.parametrize("num_ps, num_workers, by_variable", [
    (1, 2, False), pytest.param(2, 3, True, marks=pytest.mark.slow)])
def test_trains(start, num_ps, num_workers, by_variable):
  cluster = start(num_ps, num_workers, by_variable=by_variable)
  cluster.assert_finished()
  assert os.listdir(cluster.logdir).count("train.lock") == 1


@pytest.mark.slow
@pytest.mark.parametrize("place", [("worker", 1), ("worker", 0), ("ps", 1)])
def test_whoever_dies_comes_back(start, place):
  cluster = start(num_ps=2)
  cluster.kill(place)
  cluster.start(place)
  if place[0] == "worker":
    cluster.wait_for_steps(place[1])
  cluster.assert_finished()
  restores = cluster.text(("worker", 0)).count("Restoring parameters from")
  assert restores == (place != ("worker", 1))


@pytest.mark.slow
@pytest.mark.parametrize("lost, name, number", [
    (("ps", 0), "ps 0", signal.SIGKILL),
    (("worker", 0), "chief", signal.SIGSTOP)])
def test_whoever_needs_one_that_stays_away_ends(start, lost, name, number):
  cluster = start(max_steps=10 ** 6, cluster_timeout_secs=1.)
  os.kill(cluster.processes[lost].pid, number)
  others = [place for place in cluster.processes if place != lost]
  cluster.wait_until(lambda: all(
      cluster.processes[place].exitcode is not None for place in others))
  for place in others:
    assert cluster.processes[place].exitcode == 1
    assert cluster.text(place).splitlines()[-1] == (
        "run: the %s at %s has not answered for 1 seconds "
        "(--cluster_timeout_secs)" % (name, cluster.hosts[lost[0]][lost[1]]))
    assert "Traceback" not in cluster.text(place)


@pytest.mark.slow
def test_a_signal_ends_who_waits_for_a_parameter_server(start):
  cluster = start(max_steps=10 ** 6)
  cluster.kill(("ps", 0))
  workers = [("worker", 0), ("worker", 1)]
  cluster.wait_until(lambda: all(
      "does not answer" in cluster.text(place) for place in workers))
  for place in workers:
    cluster.processes[place].terminate()
  assert cluster.finish() == {-9, 143}


@pytest.mark.slow
def test_a_signal_to_all_saves(start):
  cluster = start(max_steps=10 ** 6)
  for process in cluster.processes.values():
    process.terminate()
  assert cluster.finish() == {143}
  assert cluster.last_step() >= lives.FREE_STEPS
