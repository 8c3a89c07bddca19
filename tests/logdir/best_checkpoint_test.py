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


@pytest.fixture(scope="module")
def logdir_of_two(tmp_path_factory):
  """A logdir with the checkpoints of steps 1 and 2."""
  logdir = tmp_path_factory.mktemp("run")
  (logdir / "config.json").write_text("{}")
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    v = tf.compat.v1.get_variable("v", initializer=1.)
    saver = tf.compat.v1.train.Saver()
    session.run(v.initializer)
    for step in (1, 2):
      saver.save(session, str(logdir / "model.ckpt"), global_step=step)
  return str(logdir)


def _export(logdir, source, step):
  for name in os.listdir(source):
    if not os.path.exists(os.path.join(logdir, name)):
      shutil.copyfile(os.path.join(source, name), os.path.join(logdir, name))
  best_checkpoint.export(logdir, checkpoints.path_of(logdir, step))


def _step(logdir):
  path = checkpoints.latest(best_checkpoint.path_in(logdir))
  return None if path is None else checkpoints.step(path)


@pytest.mark.parametrize("name, count", [
    ("replace", 0), ("replace", 1), ("replace", 2), ("replace", 3),
    ("remove", 0), ("remove", 1)])
def test_death_at_any_change(
    tmp_path, logdir_of_two, monkeypatch, name, count):
  """Both the first export and the second: the old one, or the new one."""
  logdir = str(tmp_path)
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
        _export(logdir, logdir_of_two, step)
      except _DeathError:
        pass
    assert _step(logdir) in allowed
    _export(logdir, logdir_of_two, step)
    assert _step(logdir) == step
    assert sorted(os.listdir(str(tmp_path / "best"))) == [
        "checkpoint", "config.json",
        "model.ckpt-%d.data-00000-of-00001" % step,
        "model.ckpt-%d.index" % step]
  assert deaths


def test_a_link_is_refused(tmp_path, logdir_of_two):
  """With one to another run, that run's checkpoints were deleted."""
  other, logdir = tmp_path / "other", tmp_path / "run"
  for directory in (other, logdir):
    directory.mkdir()
    _export(str(directory), logdir_of_two, 1)
  before = sorted(os.listdir(str(other / "best")))
  shutil.rmtree(str(logdir / "best"))
  (logdir / "best").symlink_to(other / "best")
  with pytest.raises(errors.UserError, match="--logdir=.*: its best is a link"):
    best_checkpoint.export(str(logdir), checkpoints.path_of(str(logdir), 2))
  assert sorted(os.listdir(str(other / "best"))) == before


def test_leaves_other_files_alone(tmp_path, logdir_of_two):
  _export(str(tmp_path), logdir_of_two, 1)
  (tmp_path / "best" / "test").mkdir()
  (tmp_path / "best" / "samples.npz").write_text("")
  _export(str(tmp_path), logdir_of_two, 2)
  assert {"test", "samples.npz"} < set(os.listdir(str(tmp_path / "best")))
