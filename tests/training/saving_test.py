"""Tests of saving checkpoints while a session trains."""

import types

import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.training import saving


class _Run(object):
  """Sessions with a global step, under a hook that saves every 10 seconds."""

  def __init__(self, logdir, **kwargs):
    self._logdir = str(logdir)
    increment = tf.compat.v1.train.get_or_create_global_step().assign_add(1)
    scaffold = tf.compat.v1.train.Scaffold().finalize()
    self._init_op, self._increment = scaffold.init_op, increment
    self._hook = saving.CheckpointHook(
        self._logdir, save_secs=10., scaffold=scaffold, **kwargs)
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
    return checkpoints.step(checkpoints.latest(self._logdir))


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
  assert checkpoints.latest(str(tmp_path)).endswith("model.ckpt-0")
  for seconds, step in [(9., 0), (1., 2), (9., 2), (1., 4)]:
    clock[0] += seconds
    assert run.take_step() == step


@pytest.mark.usefixtures("clock")
def test_what_is_restored_is_not_saved_again(tmp_path):
  _Run(tmp_path, restored_step=0).begin_session()
  assert checkpoints.latest(str(tmp_path)) is None


def test_new_sessions_do_not_put_off_a_save(tmp_path, clock):
  run = _Run(tmp_path)
  for _ in range(3):
    run.begin_session()
    clock[0] += 4.
    step = run.take_step()
  assert step == 1
