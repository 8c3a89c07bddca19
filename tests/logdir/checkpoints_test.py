"""Tests of finding, checking and restoring checkpoints."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.system import errors


def _save(logdir, step, size=3, name="w", relative=True):
  """Saves a checkpoint with one variable, filled with its step."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable(
        name, initializer=np.full([size], step, np.float32))
    saver = tf.compat.v1.train.Saver(save_relative_paths=relative)
    session.run(variable.initializer)
    return saver.save(
        session, os.path.join(str(logdir), "model.ckpt"), global_step=step)


def _restore(path, size=3, name="w"):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable(name, [size])
    checkpoints.restore(session, path)
    return session.run(variable)


class TestLatest(object):

  def test_none(self, tmp_path):
    assert checkpoints.latest(str(tmp_path)) is None
    assert checkpoints.latest(str(tmp_path / "missing")) is None

  def test_newest_by_number(self, tmp_path):
    for step in (2, 10, 9):
      _save(tmp_path, step)
    os.remove(str(tmp_path / "checkpoint"))
    assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 10

  def test_file_checkpoint_decides(self, tmp_path):
    _save(tmp_path, 10)
    _save(tmp_path, 9)
    assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 9

  @pytest.mark.parametrize("relative", [True, False])
  def test_moved_logdir(self, tmp_path, relative):
    (tmp_path / "old").mkdir()
    _save(tmp_path / "old", 5, relative=relative)
    shutil.move(str(tmp_path / "old"), str(tmp_path / "new"))
    path = checkpoints.latest(str(tmp_path / "new"))
    assert path == str(tmp_path / "new" / "model.ckpt-5")
    np.testing.assert_array_equal(_restore(path), [5, 5, 5])

  def test_half_copied_checkpoint_is_passed_over(self, tmp_path):
    _save(tmp_path, 1)
    newest = _save(tmp_path, 2)
    os.remove(newest + ".data-00000-of-00001")
    assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 1

  def test_damaged_file_checkpoint(self, tmp_path):
    _save(tmp_path, 3)
    (tmp_path / "checkpoint").write_bytes(b"\xff\x00garbage")
    assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 3

  def test_special_characters_in_the_path(self, tmp_path):
    logdir = tmp_path / "run [1]*"
    logdir.mkdir()
    _save(logdir, 4)
    os.remove(str(logdir / "checkpoint"))
    assert checkpoints.step(checkpoints.latest(str(logdir))) == 4


def _truncate(path, size):
  os.truncate(path + ".data-00000-of-00001", size)


def _flip_byte(path, offset):
  with open(path + ".data-00000-of-00001", "r+b") as stream:
    stream.seek(offset)
    byte = stream.read(1)[0]
    stream.seek(offset)
    stream.write(bytes([byte ^ 1]))


class TestDamaged(object):
  """Whether a checkpoint is whole is seen by reading it."""

  @pytest.mark.parametrize("damage", [
      lambda path: _truncate(path, 0), lambda path: _truncate(path, 11),
      lambda path: _flip_byte(path, 5),
      lambda path: os.truncate(path + ".index", 40),
      lambda path: os.truncate(path + ".index", 0),
      lambda path: os.remove(path + ".index")])
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
    _truncate(path, 3)
    for function, start in (
        (checkpoints.to_resume, "%s: not a whole checkpoint (" % path),
        (checkpoints.require, "--logdir=%s: has no whole checkpoint: of "
                              "model.ckpt-7, " % tmp_path)):
      with pytest.raises(errors.UserError) as caught:
        function(str(tmp_path))
      assert str(caught.value).startswith(start)
      assert "\n" not in str(caught.value)

  def test_death_in_the_first_save_is_a_fresh_start(self, tmp_path):
    _truncate(_save(tmp_path, 0), 3)
    assert checkpoints.to_resume(str(tmp_path)) is None


class TestHostileFileCheckpoint(object):
  """What the file `checkpoint` says is never followed out of the logdir."""

  @pytest.fixture
  def logdir(self, tmp_path):
    """One with a checkpoint, beside another run's."""
    for name in ("logdir", "other"):
      (tmp_path / name).mkdir()
      _save(tmp_path / name, dict(logdir=3, other=8)[name])
    return tmp_path / "logdir"

  @pytest.mark.parametrize("path", [
      "../other/model.ckpt-8", "{other}/model.ckpt-8", "", "..",
      r"model.ckpt-8\000x", "model.ckpt-*"])
  def test_paths(self, logdir, path):
    path = path.format(other=logdir.parent / "other")
    (logdir / "checkpoint").write_text(
        'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n' % (
            path, path))
    own = str(logdir / "model.ckpt-3")
    assert checkpoints.latest(str(logdir)) == own
    assert checkpoints.to_resume(str(logdir)) == own
    assert set(checkpoints.listed(str(logdir))) <= {own}

  def test_nothing_elsewhere_is_deleted(self, logdir):
    """A Saver deletes the oldest of the checkpoints that it knows of."""
    other = str(logdir.parent / "other" / "model.ckpt-8")
    (logdir / "checkpoint").write_text(
        'model_checkpoint_path: "%s"\n' % other + "".join(
            'all_model_checkpoint_paths: "%s"\n' % path
            for path in (other, "../other/model.ckpt-8", "model.ckpt-3")))
    assert checkpoints.listed(str(logdir)) == [str(logdir / "model.ckpt-3")]

  @pytest.mark.parametrize("content", [
      b"", b"\xff\xfe", b"model_checkpoint_path: {", b"a { " * 5000])
  def test_garbage(self, logdir, content):
    (logdir / "checkpoint").write_bytes(content)
    assert checkpoints.step(checkpoints.latest(str(logdir))) == 3
    assert checkpoints.listed(str(logdir)) == []

  def test_no_file(self, logdir):
    os.remove(str(logdir / "checkpoint"))
    os.mkfifo(str(logdir / "checkpoint"))  # To read it would never end.
    assert checkpoints.step(checkpoints.latest(str(logdir))) == 3

  def test_elsewhere_is_not_taken_for_the_own_run(self, tmp_path):
    (tmp_path / "empty").mkdir()
    path = _save(tmp_path, 5, relative=False)
    shutil.copy(os.path.join(os.path.dirname(path), "checkpoint"),
                str(tmp_path / "empty"))
    with pytest.raises(errors.UserError, match="of model.ckpt-5, its index is "
                                               "missing"):
      checkpoints.require(str(tmp_path / "empty"))


@pytest.mark.parametrize("target", ["missing", "loop", "directory"])
def test_links_and_directories_in_place_of_checkpoints(tmp_path, target):
  _save(tmp_path, 1)
  (tmp_path / "directory").mkdir()
  (tmp_path / "loop").symlink_to("loop")
  for suffix in (".index", ".data-00000-of-00001"):
    (tmp_path / ("model.ckpt-2" + suffix)).symlink_to(target)
  assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 1


def test_linked_checkpoint(tmp_path):
  """Links are how users keep checkpoints on another disk."""
  for name in ("disk", "logdir"):
    (tmp_path / name).mkdir()
  path = _save(tmp_path / "disk", 2)
  for suffix in (".index", ".data-00000-of-00001"):
    os.symlink(path + suffix, str(tmp_path / "logdir/model.ckpt-2") + suffix)
  found = checkpoints.latest(str(tmp_path / "logdir"))
  np.testing.assert_array_equal(_restore(found), [2, 2, 2])


def test_listed(tmp_path):
  assert checkpoints.listed(str(tmp_path)) == []
  (tmp_path / "old").mkdir()
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable("w", initializer=1.)
    saver = tf.compat.v1.train.Saver(max_to_keep=2)
    session.run(variable.initializer)
    for step in (1, 2, 3):
      saver.save(session, str(tmp_path / "old" / "model.ckpt"), step)
  shutil.move(str(tmp_path / "old"), str(tmp_path / "new"))
  assert checkpoints.listed(str(tmp_path / "new")) == [
      str(tmp_path / "new" / "model.ckpt-2"),
      str(tmp_path / "new" / "model.ckpt-3")]


class TestUseNewest:

  @pytest.fixture
  def use(self, tmp_path):
    """Restores the checkpoint of step 1 or, where it is gone, that of 2."""
    paths = [_save(tmp_path, step) for step in (1, 2)]
    return paths, lambda: checkpoints.use_newest(
        str(tmp_path), paths[0], lambda path: _restore(path)[0])

  def test_the_one_that_is_asked_for(self, use):
    assert use[1]() == 1.

  def test_rotated_away(self, use):
    tf.compat.v1.train.remove_checkpoint(use[0][0])
    assert use[1]() == 2.

  def test_no_other(self, use):
    tf.compat.v1.train.remove_checkpoint(use[0][0])
    _truncate(use[0][1], 0)
    with pytest.raises(checkpoints.UnreadableError):
      use[1]()


class TestRequire(object):

  def test_missing_directory(self, tmp_path):
    """The original slept for ever and created the directory."""
    logdir = str(tmp_path / "mistyped")
    with pytest.raises(errors.UserError, match="no such directory"):
      checkpoints.require(logdir)
    assert not os.path.exists(logdir)

  def test_empty_directory(self, tmp_path):
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

  def test_missing_variable_is_named(self, tmp_path):
    with pytest.raises(errors.UserError, match=r"no variable v .*\[3\]"):
      _restore(_save(tmp_path, 1), name="v")

  def test_both_shapes_are_named(self, tmp_path):
    with pytest.raises(errors.UserError,
                       match=r"variable w has shape \[3\], the model's is "
                             r"\[4\]"):
      _restore(_save(tmp_path, 1), size=4)

  def test_both_types_are_named(self, tmp_path):
    path = _save(tmp_path, 1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      tf.compat.v1.get_variable("w", [3], tf.float64)
      with pytest.raises(errors.UserError, match=r"variable w of shape \[3\] "
                                                 "is float32, the model's is "
                                                 "float64"):
        checkpoints.restore(session, path)

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

  @pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
  def test_damaged(self, tmp_path, suffix):
    path = _save(tmp_path, 1)
    with open(path + suffix, "wb") as stream:
      stream.write(b"")
    with pytest.raises(errors.UserError) as caught:
      _restore(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_step():
  assert checkpoints.step("/a/model.ckpt-1501") == 1501
  assert checkpoints.step(None) == 0
  assert checkpoints.step("/a/other") == 0
