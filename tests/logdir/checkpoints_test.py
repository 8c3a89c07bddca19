"""Tests of finding, checking and restoring checkpoints."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.system import errors

_DATA = ".data-00000-of-00001"


def _save(logdir, *steps, relative=True):
  """Saves checkpoints of a variable w `[3]` that is the step; the last path."""
  os.makedirs(str(logdir), exist_ok=True)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable("w", [3])
    saver = tf.compat.v1.train.Saver(save_relative_paths=relative)
    for step in steps:
      variable.load([step] * 3, session)
      path = saver.save(
          session, os.path.join(str(logdir), "model.ckpt"), global_step=step)
  return path


def _restore(path, size=3, name="w", dtype=tf.float32):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable(name, [size], dtype)
    checkpoints.restore(session, path)
    return session.run(variable)


def _latest_step(logdir):
  return checkpoints.step(checkpoints.latest(str(logdir)))


class TestLatest(object):

  def test_file_checkpoint_decides_and_then_the_number(self, tmp_path):
    _save(tmp_path, 2, 10, 9)
    assert _latest_step(tmp_path) == 9
    os.remove(str(tmp_path / "checkpoint"))
    assert _latest_step(tmp_path) == 10

  @pytest.mark.parametrize("relative", [True, False])
  def test_moved_logdir(self, tmp_path, relative):
    _save(tmp_path / "old", 4, 5, relative=relative)
    new = str(tmp_path / "new")
    shutil.move(str(tmp_path / "old"), new)
    path = checkpoints.latest(new)
    assert path == os.path.join(new, "model.ckpt-5")
    assert checkpoints.listed(new) == [
        os.path.join(new, "model.ckpt-%d" % step) for step in (4, 5)]
    np.testing.assert_array_equal(_restore(path), [5, 5, 5])

  def test_linked_checkpoint(self, tmp_path):
    """Links are how users keep checkpoints on another disk."""
    path = _save(tmp_path / "disk", 2)
    (tmp_path / "logdir").mkdir()
    for suffix in (".index", _DATA):
      os.symlink(path + suffix, str(tmp_path / "logdir/model.ckpt-2") + suffix)
    found = checkpoints.latest(str(tmp_path / "logdir"))
    np.testing.assert_array_equal(_restore(found), [2, 2, 2])


def _flip_byte(path, offset):
  with open(path + _DATA, "r+b") as stream:
    stream.seek(offset)
    byte = stream.read(1)[0]
    stream.seek(offset)
    stream.write(bytes([byte ^ 1]))


def _link(path, target):
  for suffix in (".index", _DATA):
    os.remove(path + suffix)
    os.symlink(target, path + suffix)


class TestDamaged(object):
  """Checkpoints are read to see if they are whole."""

  @pytest.mark.parametrize("damage", [
      lambda path: os.truncate(path + _DATA, 0),
      lambda path: os.truncate(path + _DATA, 11),
      lambda path: _flip_byte(path, 5),
      lambda path: os.remove(path + _DATA),
      lambda path: os.truncate(path + ".index", 40),
      lambda path: os.truncate(path + ".index", 0),
      lambda path: os.remove(path + ".index"),
      lambda path: _link(path, "missing"),
      lambda path: _link(path, "."),
      lambda path: _link(path, os.path.basename(path) + ".index")])
  def test_passed_over_with_a_warning(self, tmp_path, damage, caplog):
    good = _save(tmp_path, 1)
    newest = _save(tmp_path, 2)
    damage(newest)
    assert checkpoints.latest(str(tmp_path)) == good
    assert checkpoints.to_resume(str(tmp_path)) == good
    warning, = [record.getMessage() for record in caplog.records]
    assert warning.startswith("%s: not a whole checkpoint (" % newest)
    assert "\n" not in warning

  def test_nothing_whole_is_not_a_fresh_start(self, tmp_path):
    """A half-copied logdir must not be trained over from step 0."""
    path = _save(tmp_path, 7)
    os.truncate(path + _DATA, 3)
    for function, start in (
        (checkpoints.to_resume, "%s: not a whole checkpoint (" % path),
        (checkpoints.require, "--logdir=%s: has no whole checkpoint: of "
                              "model.ckpt-7, " % tmp_path)):
      with pytest.raises(errors.UserError) as caught:
        function(str(tmp_path))
      assert str(caught.value).startswith(start)
      assert "\n" not in str(caught.value)

  def test_death_in_the_first_save_is_a_fresh_start(self, tmp_path):
    os.truncate(_save(tmp_path, 0) + _DATA, 3)
    assert checkpoints.to_resume(str(tmp_path)) is None


class TestFileCheckpoint(object):
  """The paths in the file `checkpoint` are never followed out of the logdir.

  A Saver would delete the oldest of those that it is told of.
  """

  @pytest.fixture
  def logdir(self, tmp_path):
    """One with the checkpoint of step 3, beside another run's."""
    _save(tmp_path / "logdir", 3)
    _save(tmp_path / "other", 8)
    return tmp_path / "logdir"

  @pytest.mark.parametrize("path", [
      "../other/model.ckpt-8", "{other}/model.ckpt-8", "", "..",
      r"model.ckpt-8\000x", "model.ckpt-*"])
  def test_hostile_paths(self, logdir, path):
    path = path.format(other=logdir.parent / "other")
    (logdir / "checkpoint").write_text(
        'model_checkpoint_path: "%s"\n' % path + "".join(
            'all_model_checkpoint_paths: "%s"\n' % listed
            for listed in (path, "model.ckpt-3")))
    own = str(logdir / "model.ckpt-3")
    assert checkpoints.latest(str(logdir)) == own
    assert checkpoints.to_resume(str(logdir)) == own
    assert checkpoints.listed(str(logdir)) == ([own] if path else [])

  @pytest.mark.parametrize("content", [
      b"", b"\xff\x00garbage", b"model_checkpoint_path: {", b"a { " * 5000])
  def test_garbage(self, logdir, content):
    (logdir / "checkpoint").write_bytes(content)
    assert _latest_step(logdir) == 3
    assert checkpoints.listed(str(logdir)) == []

  def test_a_pipe(self, logdir):
    os.remove(str(logdir / "checkpoint"))
    os.mkfifo(str(logdir / "checkpoint"))  # To read it would never end.
    assert _latest_step(logdir) == 3

  def test_elsewhere_is_not_taken_for_the_own_run(self, tmp_path):
    path = _save(tmp_path, 5, relative=False)
    (tmp_path / "empty").mkdir()
    shutil.copy(os.path.join(os.path.dirname(path), "checkpoint"),
                str(tmp_path / "empty"))
    with pytest.raises(errors.UserError, match="of model.ckpt-5, its index is "
                                               "missing"):
      checkpoints.require(str(tmp_path / "empty"))


def test_use_newest(tmp_path):
  first, second = _save(tmp_path, 1), _save(tmp_path, 2)

  def use():
    return checkpoints.use_newest(
        str(tmp_path), first, lambda path: _restore(path)[0])

  assert use() == 1.
  tf.compat.v1.train.remove_checkpoint(first)
  assert use() == 2.
  for suffix in (_DATA, ".index"):
    os.truncate(second + suffix, 0)
    with pytest.raises(checkpoints.UnreadableError):
      use()
    with pytest.raises(checkpoints.UnreadableError) as caught:
      _restore(second)
    assert str(caught.value).startswith(second)
    assert "\n" not in str(caught.value)


class TestRequire(object):

  def test_none(self, tmp_path):
    """The original slept for ever and created the directory."""
    logdir = str(tmp_path / "mistyped")
    with pytest.raises(errors.UserError, match="no such directory"):
      checkpoints.require(logdir)
    assert not os.path.exists(logdir)
    with pytest.raises(errors.UserError, match="has no checkpoint"):
      checkpoints.require(str(tmp_path))

  def test_waits_when_asked(self, tmp_path, monkeypatch):
    monkeypatch.setattr(
        checkpoints.time, "sleep", lambda _: _save(tmp_path, 6))
    path = checkpoints.require(str(tmp_path), wait=True)
    assert checkpoints.step(path) == 6


class TestRestore(object):

  def test_more_than_needed(self, tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      for name in ("w", "unneeded"):
        tf.compat.v1.get_variable(name, initializer=[1., 2.])
      session.run(tf.compat.v1.global_variables_initializer())
      path = tf.compat.v1.train.Saver().save(session, str(tmp_path / "m"))
    np.testing.assert_array_equal(_restore(path, size=2), [1, 2])

  @pytest.mark.parametrize("other, message", [
      (dict(name="v"), r"no variable v .*\[3\]"),
      (dict(size=4), r"variable w has shape \[3\], the model's is \[4\]"),
      (dict(dtype=tf.float64), r"variable w of shape \[3\] is float32, the "
                               "model's is float64")])
  def test_another_variable_is_named(self, tmp_path, other, message):
    with pytest.raises(errors.UserError, match=message):
      _restore(_save(tmp_path, 1), **other)

  def test_missing_optimizer_state_is_named(self, tmp_path):
    """Such as a checkpoint that another optimizer trained."""
    path = _save(tmp_path, 1)
    with tf.Graph().as_default():
      variable = tf.compat.v1.get_variable("w", [3])
      tf.compat.v1.train.AdamOptimizer().minimize(tf.reduce_sum(variable))
      with pytest.raises(errors.UserError, match=(
          r"no variable beta1_power \(the model's shape is \[\]\); the "
          "checkpoint holds the model but not the optimizer's state")):
        checkpoints.check_compatible(path, tf.compat.v1.global_variables())
