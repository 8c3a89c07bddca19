"""Tests of keeping the best checkpoint."""

import os
import shutil

import pytest
import tensorflow as tf

from fivo.logdir import best_checkpoint
from fivo.logdir import checkpoints
from fivo.system import errors


class _DeathError(BaseException):
  """A process that is killed."""


@pytest.fixture
def logdir(tmp_path):
  """A logdir with the checkpoints of steps 1 and 2."""
  (tmp_path / "config.json").write_text("{}")
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    v = tf.compat.v1.get_variable("v", initializer=1.)
    saver = tf.compat.v1.train.Saver()
    session.run(v.initializer)
    for step in (1, 2):
      saver.save(session, str(tmp_path / "model.ckpt"), global_step=step)
  return str(tmp_path)


def _export(logdir, step):
  best_checkpoint.export(logdir, checkpoints.path_of(logdir, step))


@pytest.mark.parametrize("name, count", [
    ("replace", 0), ("replace", 1), ("replace", 2), ("replace", 3),
    ("remove", 0), ("remove", 1)])
def test_death_at_any_change(logdir, monkeypatch, name, count):
  """Both the first export and the second: the old one, or the new one."""
  deaths = []
  for step, allowed in ((1, (None, 1)), (2, (1, 2))):
    calls = []
    real = getattr(os, name)

    def die(*args, calls=calls, real=real):
      calls.append(args)
      if len(calls) > count:
        deaths.append(args)
        raise _DeathError()
      return real(*args)

    with monkeypatch.context() as patch:
      patch.setattr(best_checkpoint.os, name, die)
      try:
        _export(logdir, step)
      except _DeathError:
        pass
    assert best_checkpoint.step_in(logdir) in allowed
    _export(logdir, step)
    assert best_checkpoint.step_in(logdir) == step
    assert sorted(os.listdir(best_checkpoint.path_in(logdir))) == [
        "checkpoint", "config.json",
        "model.ckpt-%d.data-00000-of-00001" % step,
        "model.ckpt-%d.index" % step]
  assert deaths


def test_a_link_is_refused(logdir):
  """With one to another run, that run's checkpoints were deleted."""
  _export(logdir, 1)
  best = best_checkpoint.path_in(logdir)
  shutil.move(best, best + "_of_another")
  os.symlink(best + "_of_another", best)
  before = sorted(os.listdir(best))
  with pytest.raises(errors.UserError, match="--logdir=.*: its best is a link"):
    _export(logdir, 2)
  assert sorted(os.listdir(best)) == before


def test_leaves_other_files_alone(logdir):
  _export(logdir, 1)
  best = best_checkpoint.path_in(logdir)
  os.mkdir(os.path.join(best, "test"))
  shutil.copyfile(os.path.join(best, "config.json"),
                  os.path.join(best, "samples.npz"))
  _export(logdir, 2)
  assert {"test", "samples.npz"} < set(os.listdir(best))
