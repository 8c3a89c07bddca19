"""Tests of checkpoints and measured speed while a session trains."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import run_directory
from fivo.training import hooks


class _Run(object):
  """Sessions with a global step, under a hook that saves every 10 seconds."""

  def __init__(self, logdir, **kwargs):
    self._directory = run_directory.RunDirectory(logdir)
    increment = tf.compat.v1.train.get_or_create_global_step().assign_add(1)
    scaffold = tf.compat.v1.train.Scaffold().finalize()
    self._init_op, self._increment = scaffold.init_op, increment
    self._hook = hooks.CheckpointHook(
        self._directory, save_secs=10., scaffold=scaffold, **kwargs)
    self._session = None

  def begin_session(self):
    """Opens a session, as after the death of the one before."""
    self._session = tf.compat.v1.Session()
    self._session.run(self._init_op)
    self._hook.after_create_session(self._session, None)

  def take_step(self):
    """Takes a step; returns that of the newest checkpoint."""
    self._session.run(self._increment)
    self._hook.after_run(types.SimpleNamespace(session=self._session), None)
    return self._directory.latest_step()


@pytest.fixture
def clock(monkeypatch):
  """A list of one time, in seconds."""
  clock = [1e9]
  monkeypatch.setattr("time.monotonic", lambda: clock[0])
  with tf.Graph().as_default():
    yield clock


def test_saves_at_the_start_and_every_so_many_seconds(tmp_path, clock):
  run = _Run(tmp_path)
  run.begin_session()
  assert run_directory.RunDirectory(tmp_path).latest().endswith("model.ckpt-0")
  for seconds, step in [(9., 0), (1., 2), (9., 2), (1., 4)]:
    clock[0] += seconds
    assert run.take_step() == step


@pytest.mark.usefixtures("clock")
def test_what_is_restored_is_not_saved_again(tmp_path):
  _Run(tmp_path, restored_step=0).begin_session()
  assert run_directory.RunDirectory(tmp_path).latest() is None


def test_new_sessions_do_not_put_off_a_save(tmp_path, clock):
  run = _Run(tmp_path)
  for _ in range(3):
    run.begin_session()
    clock[0] += 4.
    step = run.take_step()
  assert step == 1


def _values(directory):
  """What was written, a dict from tags to lists of steps and values."""
  found = {}
  for path in directory.glob("events.*"):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        found.setdefault(value.tag, []).append((event.step, value.simple_value))
  return found


def test_timesteps_per_second(tmp_path):
  """They are those of the batches that were seen, 3 and 5 in turns."""
  with tf.Graph().as_default():
    global_step = tf.compat.v1.train.get_or_create_global_step()
    step = global_step.assign_add(1)
    lengths = tf.compat.v1.data.make_one_shot_iterator(
        tf.data.Dataset.from_tensor_slices([3, 5]).repeat()).get_next()
    hook = hooks.SpeedHook(lengths, every_n_steps=4, output_dir=str(tmp_path))
    with tf.compat.v1.train.MonitoredSession(hooks=[hook]) as session:
      for _ in range(9):
        session.run(step)
  tf.compat.v1.summary.FileWriterCache.get(str(tmp_path)).flush()
  found = _values(tmp_path)
  assert set(found) == {"global_step/sec", "speed/steps_per_second",
                        "speed/timesteps_per_second"}
  for steps, timesteps, original in zip(
      found["speed/steps_per_second"], found["speed/timesteps_per_second"],
      found["global_step/sec"]):
    assert steps == original and steps[0] == timesteps[0]
  # The first interval has one more step behind it, of 3 timesteps.
  ratios = [timesteps[1] / steps[1] for steps, timesteps in zip(
      found["speed/steps_per_second"], found["speed/timesteps_per_second"])]
  np.testing.assert_allclose(ratios, [19 / 5, 4.], rtol=1e-5)
