"""Tests of what a run survives: kills, full disks, read-only directories."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from tests import lives


def _mount(path, options):
  """Mounts an empty file system at a directory; whether that is allowed."""
  return not subprocess.call(
      ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)],
      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture
def disk(tmp_path):
  """A directory that is a file system of 8 MB."""
  path = tmp_path / "disk"
  path.mkdir()
  if os.geteuid() or not _mount(path, "size=8m"):
    pytest.skip("only root can mount a small file system")
  yield path
  subprocess.check_call(["umount", str(path)])


def _tensors(logdir):
  """Everything that a logdir's newest checkpoint holds."""
  path = checkpoints.latest(str(logdir))
  reader = tf.compat.v1.train.NewCheckpointReader(path)
  return {name: reader.get_tensor(name)
          for name in reader.get_variable_to_shape_map()}


def _assert_equal_runs(logdir, other):
  tensors, others = _tensors(logdir), _tensors(other)
  assert set(tensors) == set(others)
  for name, value in tensors.items():
    np.testing.assert_array_equal(value, others[name], err_msg=name)


def _wait_for(condition, seconds=30.):
  deadline = time.time() + seconds
  while not condition():
    assert time.time() < deadline
    time.sleep(.0003)


class TestKilled(object):
  """Training is killed at many moments, and goes on each time."""

  _SIZE = 100000  # So that to save takes some milliseconds.

  def _live_and_die(self, logdir, log, when, rng):
    """One life; returns whether it ended in the middle of a save."""
    process = lives.start(logdir, log, 10 ** 6, self._SIZE)
    if when == "starting":
      time.sleep(rng.uniform(0., .4))
    elif when == "training":
      _wait_for(lambda: self._has_saved_a_step(log))
      time.sleep(rng.uniform(0., .1))
    else:
      _wait_for(lambda: ("Step" in dict(lives.events(log))))
      _wait_for(lambda: list(logdir.glob("*.tempstate*")))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, log.read_text()
    return bool(list(logdir.glob("*.tempstate*")))

  def _has_saved_a_step(self, log):
    """Whether a life has got further than the one before it."""
    kinds = [kind[:4] for kind, _ in lives.events(log)]
    return "Step,Savi,Step" in ",".join(kinds)

  def _saved_before(self, log, saved):
    """Of the last save, the step if it is sure, and the step if it is not."""
    begun = saved
    for kind, step in lives.events(log):
      if kind == "Step":
        saved = begun  # The save has ended, or there would be no step.
      else:
        begun = step
    return saved, begun

  @pytest.mark.parametrize("num_lives", [
      12, pytest.param(100, marks=pytest.mark.slow)])
  def test_goes_on_from_the_last_save(self, tmp_path, num_lives):
    rng = np.random.RandomState(0)
    logdir, saved, torn = tmp_path / "run", 0, 0
    for life in range(num_lives):
      log = tmp_path / ("log%d" % life)
      torn += self._live_and_die(
          logdir, log, ("starting", "training", "saving", "saving")[life % 4],
          rng)
      steps = [step for kind, step in lives.events(log) if kind == "Step"]
      assert not steps or steps == list(range(saved + 1, steps[-1] + 1))
      sure, begun = self._saved_before(log, saved)
      saved = checkpoints.step(checkpoints.latest(str(logdir)))
      assert saved in (sure, begun)
    assert torn, "no life ended in a save: the test tests too little"
    assert saved >= num_lives // 4, "lives of training must get further"
    end = saved + 20
    assert lives.finish(logdir, tmp_path / "log", end, self._SIZE) == 0
    assert checkpoints.step(checkpoints.latest(str(logdir))) == end
    assert len(checkpoints.listed(str(logdir))) <= 5
    assert lives.finish(tmp_path / "other", tmp_path / "log", end,
                        self._SIZE) == 0
    _assert_equal_runs(logdir, tmp_path / "other")


class TestFullDisk(object):

  def _assert_refused(self, log, logdir, reason):
    """One line at the end, no stack trace, and a whole checkpoint."""
    text = log.read_text()
    assert "Traceback" not in text
    line = text.splitlines()[-1]
    assert line.startswith("run: --logdir=%s: " % logdir), text
    assert reason in line
    state = tf.train.get_checkpoint_state(str(logdir))
    assert checkpoints.latest(str(logdir)) == state.model_checkpoint_path

  # KB, for nothing, half of a checkpoint, and one without its `.meta` file.
  @pytest.mark.parametrize("free", [0, 200, 484])
  def test_goes_on_when_there_is_space(self, disk, tmp_path, free):
    size = 40000
    logdir, ballast, log = disk / "run", disk / "ballast", tmp_path / "log"
    # Two checkpoints: a run that has five removes one before the next.
    assert lives.finish(
        logdir, log, 5, size, save_checkpoint_secs=1000) == 0
    status = os.statvfs(str(disk))
    ballast.write_bytes(
        b"x" * (status.f_bavail * status.f_frsize - free * 1024))
    assert lives.finish(logdir, log, 10 ** 6, size) == 1
    self._assert_refused(log, logdir, "No space left on device")
    saved = checkpoints.step(checkpoints.latest(str(logdir)))
    ballast.unlink()
    assert lives.finish(logdir, log, saved + 5, size) == 0
    assert checkpoints.step(checkpoints.latest(str(logdir))) == saved + 5

  def test_file_too_large(self, tmp_path):
    """A session took this for the end of the data, and exited with 0."""
    logdir, log = tmp_path / "run", tmp_path / "log"
    assert lives.finish(logdir, log, 5, 30000) == 0
    assert lives.finish(logdir, log, 10 ** 6, 30000,
                        max_file_bytes=300000) == 1
    self._assert_refused(log, logdir, "File too large; the last checkpoint is "
                                      "model.ckpt-5")


class TestReadOnly(object):

  def _remount(self, disk, options):
    subprocess.check_call(["mount", "-o", "remount," + options, str(disk)])

  def test_refused_in_one_line(self, disk, tmp_path):
    logdir, log = disk / "run", tmp_path / "log"
    assert lives.finish(logdir, log, 5) == 0
    self._remount(disk, "ro")
    assert lives.finish(logdir, log, 10) == 1
    line, = log.read_text().splitlines()
    assert line.startswith("run: --logdir=%s: " % logdir)
    assert "not writable" in line
    self._remount(disk, "rw")
    assert lives.finish(logdir, log, 10) == 0
    assert lives.events(log)[0][1] == 6

  def test_directory_that_vanishes(self, tmp_path):
    """As when a network disk goes away."""
    logdir, log = tmp_path / "mount" / "run", tmp_path / "log"
    process = lives.start(logdir, log, 10 ** 6)
    _wait_for(lambda: "Step" in dict(lives.events(log)))
    (tmp_path / "mount").rename(tmp_path / "gone")
    process.join(30)
    assert process.exitcode == 1
    text = log.read_text()
    assert "Traceback" not in text
    assert text.splitlines()[-1].startswith("run: --logdir=%s: " % logdir), text


def test_second_process_is_noticed(tmp_path):
  logdir, log = tmp_path / "run", tmp_path / "log"
  first = lives.start(logdir, log, 10 ** 6)
  _wait_for(lambda: "Step" in dict(lives.events(log)))
  second_log = tmp_path / "log2"
  assert lives.finish(logdir, second_log, 10 ** 6) == 1
  assert ("--logdir=%s: another process (%d on " % (logdir, first.pid)
          in second_log.read_text())
  os.kill(first.pid, signal.SIGTERM)
  first.join(30)
  assert first.exitcode == 128 + signal.SIGTERM
  last = lives.events(log)[-1][1]
  assert lives.finish(logdir, second_log, last + 2) == 0
