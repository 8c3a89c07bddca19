"""Tests of what is asked of a logdir."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.logdir import validation_record
from fivo.system import errors
from tests.logdir import saved

_DATA = ".data-00000-of-00001"


def _latest_step(logdir):
  return run_directory.RunDirectory(logdir).latest_step()


class TestLatest(object):

  def test_file_checkpoint_decides_and_then_the_number(self, tmp_path):
    saved.save(tmp_path, 2, 10, 9)
    assert _latest_step(tmp_path) == 9
    os.remove(str(tmp_path / "checkpoint"))
    assert _latest_step(tmp_path) == 10

  @pytest.mark.parametrize("relative", [True, False])
  def test_moved_logdir(self, tmp_path, relative):
    saved.save(tmp_path / "old", 4, 5, relative=relative)
    new = str(tmp_path / "new")
    shutil.move(str(tmp_path / "old"), new)
    path = run_directory.RunDirectory(new).latest()
    assert path == os.path.join(new, "model.ckpt-5")
    assert run_directory.RunDirectory(new).listed_checkpoints() == [
        os.path.join(new, "model.ckpt-%d" % step) for step in (4, 5)]
    np.testing.assert_array_equal(saved.restore(path), [5, 5, 5])

  def test_linked_checkpoint(self, tmp_path):
    """Links are how users keep checkpoints on another disk."""
    path = saved.save(tmp_path / "disk", 2)
    (tmp_path / "logdir").mkdir()
    for suffix in (".index", _DATA):
      os.symlink(path + suffix, str(tmp_path / "logdir/model.ckpt-2") + suffix)
    found = run_directory.RunDirectory(tmp_path / "logdir").latest()
    np.testing.assert_array_equal(saved.restore(found), [2, 2, 2])


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
    good = saved.save(tmp_path, 1)
    newest = saved.save(tmp_path, 2)
    damage(newest)
    assert run_directory.RunDirectory(tmp_path).latest() == good
    assert run_directory.RunDirectory(tmp_path).checkpoint_to_resume() == good
    warning, = [record.getMessage() for record in caplog.records]
    assert warning.startswith("%s: not a whole checkpoint (" % newest)
    assert "\n" not in warning

  def test_nothing_whole_is_not_a_fresh_start(self, tmp_path):
    """A half-copied logdir must not be trained over from step 0."""
    path = saved.save(tmp_path, 7)
    os.truncate(path + _DATA, 3)
    directory = run_directory.RunDirectory(tmp_path)
    for function, start in (
        (directory.checkpoint_to_resume, "%s: not a whole checkpoint (" % path),
        (directory.require, "--logdir=%s: model.ckpt-7 is not a whole "
                              "checkpoint (" % tmp_path)):
      with pytest.raises(errors.UserError) as caught:
        function()
      assert str(caught.value).startswith(start)
      assert "\n" not in str(caught.value)

  def test_death_in_the_first_save_is_a_fresh_start(self, tmp_path):
    os.truncate(saved.save(tmp_path, 0) + _DATA, 3)
    assert run_directory.RunDirectory(tmp_path).checkpoint_to_resume() is None


class TestFileCheckpoint(object):
  """The paths in the file `checkpoint` are never followed out of the logdir.

  A Saver would delete the oldest of those that it is told of.
  """

  @pytest.fixture
  def logdir(self, tmp_path):
    """One with the checkpoint of step 3, beside another run's."""
    saved.save(tmp_path / "logdir", 3)
    saved.save(tmp_path / "other", 8)
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
    directory = run_directory.RunDirectory(logdir)
    assert directory.latest() == directory.checkpoint_to_resume() == own
    assert directory.listed_checkpoints() == ([own] if path else [])

  @pytest.mark.parametrize("content", [
      b"", b"\xff\x00garbage", b"model_checkpoint_path: {", b"a { " * 5000])
  def test_garbage(self, logdir, content):
    (logdir / "checkpoint").write_bytes(content)
    assert _latest_step(logdir) == 3
    assert run_directory.RunDirectory(logdir).listed_checkpoints() == []

  def test_a_pipe(self, logdir):
    os.remove(str(logdir / "checkpoint"))
    os.mkfifo(str(logdir / "checkpoint"))  # To read it would never end.
    assert _latest_step(logdir) == 3

  def test_elsewhere_is_not_taken_for_the_own_run(self, tmp_path):
    path = saved.save(tmp_path, 5, relative=False)
    (tmp_path / "empty").mkdir()
    shutil.copy(os.path.join(os.path.dirname(path), "checkpoint"),
                str(tmp_path / "empty"))
    with pytest.raises(errors.UserError, match="model.ckpt-5 is not a whole "
                                               "checkpoint .its index is miss"):
      run_directory.RunDirectory(tmp_path / "empty").require()


def test_use_newest(tmp_path):
  first, second = saved.save(tmp_path, 1), saved.save(tmp_path, 2)

  def use():
    return run_directory.RunDirectory(tmp_path).use_newest(
        first, lambda path: saved.restore(path)[0])

  assert use() == 1.
  tf.compat.v1.train.remove_checkpoint(first)
  assert use() == 2.
  for suffix in (_DATA, ".index"):
    os.truncate(second + suffix, 0)
    with pytest.raises(checkpoints.UnreadableError):
      use()
    with pytest.raises(checkpoints.UnreadableError) as caught:
      saved.restore(second)
    assert str(caught.value).startswith(second)
    assert "\n" not in str(caught.value)


class TestRequire(object):

  def test_none(self, tmp_path):
    """The original slept for ever and created the directory."""
    logdir = str(tmp_path / "mistyped")
    with pytest.raises(errors.UserError, match="no such directory"):
      run_directory.RunDirectory(logdir).require()
    assert not os.path.exists(logdir)
    with pytest.raises(errors.UserError, match="has no checkpoint"):
      run_directory.RunDirectory(tmp_path).require()

  def test_waits_when_asked(self, tmp_path, monkeypatch):
    monkeypatch.setattr(
        run_directory.time, "sleep", lambda _: saved.save(tmp_path, 6))
    path = run_directory.RunDirectory(tmp_path).require(wait=True)
    assert checkpoints.step(path) == 6


class _DeathError(BaseException):
  """A process that is killed."""


@pytest.fixture
def two(tmp_path):
  """A logdir with the checkpoints of steps 1 and 2."""
  (tmp_path / "config.json").write_text("{}")
  saved.save(tmp_path, 1, 2)
  return str(tmp_path)


def _export(logdir, step):
  directory = run_directory.RunDirectory(logdir)
  directory.export_best(directory.path_of(step))


def _best_step(logdir):
  return run_directory.RunDirectory(logdir).best.latest_step()


@pytest.mark.parametrize("name, count", [
    ("replace", 0), ("replace", 1), ("replace", 2), ("replace", 3),
    ("remove", 0), ("remove", 1)])
def test_death_at_any_change(two, monkeypatch, name, count):
  """Both the first export and the second: the old one, or the new one."""
  deaths = []
  for step, allowed in ((1, (0, 1)), (2, (1, 2))):
    calls = []
    real = getattr(os, name)

    def die(*args, calls=calls, real=real):
      calls.append(args)
      if len(calls) > count:
        deaths.append(args)
        raise _DeathError()
      return real(*args)

    with monkeypatch.context() as patch:
      patch.setattr(run_directory.os, name, die)
      try:
        _export(two, step)
      except _DeathError:
        pass
    assert _best_step(two) in allowed
    _export(two, step)
    assert _best_step(two) == step
    assert sorted(os.listdir(os.path.join(two, "best"))) == [
        "checkpoint", "config.json",
        "model.ckpt-%d.data-00000-of-00001" % step,
        "model.ckpt-%d.index" % step]
  assert deaths


def test_a_link_is_refused(two):
  """With one to another run, that run's checkpoints were deleted."""
  _export(two, 1)
  best = os.path.join(two, "best")
  shutil.move(best, best + "_of_another")
  os.symlink(best + "_of_another", best)
  before = sorted(os.listdir(best))
  with pytest.raises(errors.UserError, match="--logdir=.*: its best is a link"):
    _export(two, 2)
  assert sorted(os.listdir(best)) == before


def test_leaves_other_files_alone(two):
  _export(two, 1)
  best = os.path.join(two, "best")
  os.mkdir(os.path.join(best, "test"))
  shutil.copyfile(os.path.join(best, "config.json"),
                  os.path.join(best, "samples.npz"))
  _export(two, 2)
  assert {"test", "samples.npz"} < set(os.listdir(best))


_MEASURE = "fivo bound per timestep with --num_samples=4"


@pytest.fixture
def record(tmp_path):
  """The record of evaluations up to step 4, kept in `tmp_path`."""
  run_directory.RunDirectory(tmp_path).keep_record(
      validation_record.Record(_MEASURE, -1., 2, 4, 1))


@pytest.mark.parametrize("step, measure, expected", [
    (9, _MEASURE, (-1., 2, 4, 1)),
    (3, _MEASURE, (-1., 2, 3, 1)), (0, _MEASURE, (None, None, 0, 0)),
    (4, "another", (None, None, 0, 0))])
@pytest.mark.usefixtures("record")
def test_resume(tmp_path, step, measure, expected):
  assert run_directory.RunDirectory(tmp_path).resume_record(
      measure, step)[1:] == expected


@pytest.mark.parametrize("measure, patience, expected", [
    (_MEASURE, 1, 4), (_MEASURE, 2, None), (_MEASURE, None, None),
    ("another", 1, None)])
@pytest.mark.usefixtures("record")
def test_stopped_step(tmp_path, measure, patience, expected):
  assert run_directory.RunDirectory(tmp_path).stopped_step(
      measure, patience) == expected
