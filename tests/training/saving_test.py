"""Tests of saving checkpoints while a session trains."""

import types

import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.training import saving


class _Run(object):
  """A run of one variable, the global step, under a hook that saves."""

  def __init__(self, logdir, **kwargs):
    self.logdir = str(logdir)
    self._global_step = tf.compat.v1.train.get_or_create_global_step()
    self._increment = self._global_step.assign_add(1)
    self._scaffold = tf.compat.v1.train.Scaffold()
    self._scaffold.finalize()
    self._hook = saving.CheckpointHook(
        self.logdir, save_secs=10., scaffold=self._scaffold, **kwargs)
    self._hook.begin()
    self._session = None

  def begin_session(self):
    """Opens a session as after the death of the one before."""
    self._session = tf.compat.v1.Session()
    path = checkpoints.latest(self.logdir)
    if path is None:
      self._session.run(self._scaffold.init_op)
    else:
      self._scaffold.saver.restore(self._session, path)
    self._hook.after_create_session(self._session, None)

  def take_step(self):
    """Takes a step."""
    before = self._session.run(self._global_step)
    self._session.run(self._increment)
    self._hook.after_run(types.SimpleNamespace(session=self._session),
                         types.SimpleNamespace(results=before))

  def saved_step(self):
    return checkpoints.step(checkpoints.latest(self.logdir))


class TestCheckpointHook(object):

  @pytest.fixture
  def clock(self, monkeypatch):
    """A list of one time, in seconds."""
    clock = [1e9]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with tf.Graph().as_default():
      yield clock

  def test_saves_at_the_start_and_every_so_many_seconds(self, tmp_path, clock):
    run = _Run(tmp_path)
    run.begin_session()
    assert checkpoints.latest(run.logdir).endswith("model.ckpt-0")
    for seconds, step in [(9., 0), (1., 2), (9., 2), (1., 4)]:
      clock[0] += seconds
      run.take_step()
      assert run.saved_step() == step

  def test_what_is_restored_is_not_saved_again(self, tmp_path, clock):
    with tf.Graph().as_default():
      _Run(tmp_path).begin_session()
    run = _Run(tmp_path, restored_step=0)
    written = (tmp_path / "model.ckpt-0.index").stat().st_mtime_ns
    run.begin_session()
    clock[0] += 9.
    run.take_step()
    assert run.saved_step() == 0
    assert (tmp_path / "model.ckpt-0.index").stat().st_mtime_ns == written

  def test_new_sessions_do_not_put_off_a_save(self, tmp_path, clock):
    run = _Run(tmp_path)
    for _ in range(3):
      run.begin_session()
      clock[0] += 4.
      run.take_step()
    assert run.saved_step() == 1
