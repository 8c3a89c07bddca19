"""Tests of using the newest checkpoint."""

import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.logdir import restoring


@pytest.fixture
def logdir(tmp_path):
  """A logdir with the checkpoints of steps 1 and 2, of a variable."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    v = tf.compat.v1.get_variable("v", initializer=1.)
    saver = tf.compat.v1.train.Saver()
    for step in (1, 2):
      session.run(v.assign(float(step)).op)
      saver.save(session, str(tmp_path / "model.ckpt"), global_step=step)
  return str(tmp_path)


def _value_restored(logdir, step):
  with tf.Graph().as_default():
    v = tf.compat.v1.get_variable("v", initializer=0.)
    with tf.compat.v1.Session() as session:
      restoring.use_newest(
          logdir, checkpoints.path_of(logdir, step),
          lambda path: checkpoints.restore(session, path))
      return session.run(v)


def test_the_one_that_is_asked_for(logdir):
  assert _value_restored(logdir, 1) == 1.


def test_rotated_away(logdir):
  """The next takes its place."""
  tf.compat.v1.train.remove_checkpoint(checkpoints.path_of(logdir, 1))
  assert _value_restored(logdir, 1) == 2.


def test_damaged_and_no_other(logdir):
  tf.compat.v1.train.remove_checkpoint(checkpoints.path_of(logdir, 1))
  with open(checkpoints.path_of(logdir, 2) + ".data-00000-of-00001",
            "wb"):
    pass
  with pytest.raises(checkpoints.UnreadableError):
    _value_restored(logdir, 2)


def test_use_goes_on_to_the_newest(logdir):
  used = []

  def use(path):
    used.append(checkpoints.step(path))
    if len(used) == 1:
      raise checkpoints.UnreadableError("gone")
    return path

  assert restoring.use_newest(
      logdir, checkpoints.path_of(logdir, 0), use).endswith("-2")
  assert used == [0, 2]
