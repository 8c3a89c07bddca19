"""Tests of what a run survives: kills, full disks, read-only directories."""

import os
import signal
import subprocess
import time

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import run_directory
from tests import lives


@pytest.fixture
def disk(tmp_path):
  """A directory that is a file system of 8 MB."""
  path = tmp_path / "disk"
  path.mkdir()
  if os.geteuid() or subprocess.call(
      ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(path)],
      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
    pytest.skip("only root can mount a small file system")
  yield path
  subprocess.check_call(["umount", str(path)])


def _latest_step(logdir):
  return run_directory.RunDirectory(logdir).latest_step()


def _assert_equal_runs(*logdirs):
  """The newest checkpoints hold the same."""
  one, other = [tf.compat.v1.train.NewCheckpointReader(
      run_directory.RunDirectory(logdir).latest()) for logdir in logdirs]
  shapes = one.get_variable_to_shape_map()
  assert shapes == other.get_variable_to_shape_map()
  for name in shapes:
    np.testing.assert_array_equal(
        one.get_tensor(name), other.get_tensor(name), err_msg=name)


def _wait_for(condition, seconds=30.):
  deadline = time.time() + seconds
  while not condition():
    assert time.time() < deadline
    time.sleep(.0003)


def _wait_for_a_step(log):
  _wait_for(lambda: "Step" in dict(lives.events(log)))


class TestKilled(object):
  """Training is killed at many moments, and goes on each time."""

  _SIZE = 100000  # So that to save takes some milliseconds.

  def _live_and_die(self, logdir, log, when, rng):
    """One life; returns whether it ended in the middle of a save."""
    process = lives.start(logdir, log, 10 ** 6, self._SIZE)
    if when == "starting":
      time.sleep(rng.uniform(0., .4))
    elif when == "training":
      # It has got further than the life before it.
      _wait_for(lambda: "Step,Savi,Step" in ",".join(
          kind[:4] for kind, _ in lives.events(log)))
      time.sleep(rng.uniform(0., .1))
    else:
      _wait_for_a_step(log)
      _wait_for(lambda: list(logdir.glob("*.tempstate*")))
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL, log.read_text()
    return bool(list(logdir.glob("*.tempstate*")))

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
      saved = _latest_step(logdir)
      assert saved in (sure, begun)
    assert torn, "no life ended in a save: the test tests too little"
    assert saved >= num_lives // 4, "lives of training must get further"
    end = saved + 20
    for directory in (logdir, tmp_path / "other"):
      assert lives.finish(directory, tmp_path / "log", end, self._SIZE) == 0
    assert _latest_step(logdir) == end
    assert len(run_directory.RunDirectory(logdir).listed_checkpoints()) <= 5
    _assert_equal_runs(logdir, tmp_path / "other")


def _assert_refused(log, logdir, reason):
  """One line at the end, no stack trace, and a whole checkpoint."""
  text = log.read_text()
  assert "Traceback" not in text
  line = text.splitlines()[-1]
  assert line.startswith("run: --logdir=%s: " % logdir), text
  assert reason in line
  if logdir.exists():
    state = tf.train.get_checkpoint_state(str(logdir))
    assert (run_directory.RunDirectory(logdir).latest() ==
            state.model_checkpoint_path)


# KB, for nothing, half of a checkpoint, and one without its `.meta` file.
@pytest.mark.parametrize("free", [0, 200, 484])
def test_a_full_disk(disk, tmp_path, free):
  size = 40000
  logdir, ballast, log = disk / "run", disk / "ballast", tmp_path / "log"
  # Two checkpoints: a run that has five removes one before the next.
  assert lives.finish(logdir, log, 5, size, save_checkpoint_secs=1000) == 0
  status = os.statvfs(str(disk))
  ballast.write_bytes(b"x" * (status.f_bavail * status.f_frsize - free * 1024))
  assert lives.finish(logdir, log, 10 ** 6, size) == 1
  _assert_refused(log, logdir, "No space left on device")
  saved = _latest_step(logdir)
  ballast.unlink()
  assert lives.finish(logdir, log, saved + 5, size) == 0
  assert _latest_step(logdir) == saved + 5


def test_file_too_large(tmp_path):
  """A session took this for the end of the data, and exited with 0."""
  logdir, log = tmp_path / "run", tmp_path / "log"
  assert lives.finish(logdir, log, 5, 30000) == 0
  assert lives.finish(logdir, log, 10 ** 6, 30000, max_file_bytes=300000) == 1
  _assert_refused(log, logdir,
                  "File too large; the last checkpoint is model.ckpt-5")


def test_read_only(disk, tmp_path):
  logdir, log = disk / "run", tmp_path / "log"
  assert lives.finish(logdir, log, 5) == 0
  for options, exit_code in (("ro", 1), ("rw", 0)):
    subprocess.check_call(["mount", "-o", "remount," + options, str(disk)])
    assert lives.finish(logdir, log, 10) == exit_code
    if exit_code:
      _assert_refused(log, logdir, "not writable")
      assert len(log.read_text().splitlines()) == 1
  assert lives.events(log)[0][1] == 6


def test_directory_that_vanishes(tmp_path):
  """As when a network disk goes away."""
  logdir, log = tmp_path / "mount" / "run", tmp_path / "log"
  process = lives.start(logdir, log, 10 ** 6)
  _wait_for_a_step(log)
  (tmp_path / "mount").rename(tmp_path / "gone")
  process.join(30)
  assert process.exitcode == 1
  _assert_refused(log, logdir, "")
