"""Tests of writing files whole or not at all, of directories, and of JSON."""

import errno
import os
import stat
from unittest import mock

import pytest

from fivo.system import errors
from fivo.system import files


def _write(path):
  with files.atomic_write(str(path)) as stream:
    stream.write(b"new")


@pytest.fixture
def target(tmp_path):
  """A file that holds b"old", alone in its directory."""
  path = tmp_path / "target"
  path.write_bytes(b"old")
  return path


def _assert_untouched(target):
  assert target.read_bytes() == b"old"
  assert os.listdir(str(target.parent)) == ["target"]


class TestAtomicWrite:

  def test_shows_nothing_before_the_end(self, target):
    """A process that is killed in between leaves the old file."""
    with files.atomic_write(str(target)) as stream:
      stream.write(b"new")
      stream.flush()
      assert target.read_bytes() == b"old"
    assert target.read_bytes() == b"new"
    assert os.listdir(str(target.parent)) == ["target"]

  @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
  def test_an_exception_leaves_the_file_alone(self, target, error):
    with pytest.raises(error):
      with files.atomic_write(str(target)) as stream:
        stream.write(b"half")
        raise error()
    _assert_untouched(target)

  @pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
  def test_a_full_disk_leaves_the_file_alone(self, target, function):
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with mock.patch.object(os, function, side_effect=full):
      with pytest.raises(OSError):
        _write(target)
    _assert_untouched(target)

  @pytest.mark.parametrize("points_to", ["other", "missing"])
  def test_a_link_gives_way(self, tmp_path, points_to):
    (tmp_path / "other").write_bytes(b"other")
    path = tmp_path / "target"
    path.symlink_to(tmp_path / points_to)
    _write(path)
    assert not path.is_symlink()
    assert path.read_bytes() == b"new"
    assert (tmp_path / "other").read_bytes() == b"other"

  @pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
  def test_only_files_are_replaced(self, tmp_path, make):
    """Of a device, such as /dev/null, a rename would be the end."""
    make(str(tmp_path / "target"))
    with pytest.raises(OSError, match="not a file"):
      _write(tmp_path / "target")
    assert os.listdir(str(tmp_path)) == ["target"]
    assert not (tmp_path / "target").is_file()

  def test_permissions(self, target):
    """Those of the old file, and of a new one those of the umask."""
    target.chmod(0o604)
    new = target.parent / "new"
    before = os.umask(0o027)
    try:
      _write(target)
      _write(new)
    finally:
      os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o604
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


@pytest.mark.parametrize("path, expected", [
    ("", ""), ("a/b", "a/b"), ("/a:b/c", "/a:b/c"), ("a:/b", "a:/b"),
    ("./gs://b", "./gs://b"), ("~", "/home/me"), ("~/a", "/home/me/a"),
    ("a/~", "a/~"), ("file:///a/b%20c", "/a/b%20c"), ("FILE:///a", "/a"),
    ("file://localhost/a", "/a")])
def test_local_path(monkeypatch, path, expected):
  monkeypatch.setenv("HOME", "/home/me")
  assert files.local_path(path) == expected


@pytest.mark.parametrize("path", [
    "gs://b/run", "S3://b", "hdfs://nn:9000/run", "file://", "file://host/a",
    "file://localhosts/a", "x+y-z.0://a"])
def test_no_local_path(path):
  with pytest.raises(errors.UserError) as caught:
    files.local_path(path)
  assert str(caught.value) == (
      "%s: must be a path on this machine, not a URL" % path)


class TestDirectories:

  def test_made_but_not_by_checking(self, tmp_path):
    path = tmp_path / "a" / "b"
    files.check_directory("logdir", str(path))
    assert os.listdir(str(tmp_path)) == []
    for _ in range(2):
      files.prepare_directory("logdir", str(path))
    assert path.is_dir()

  @pytest.mark.parametrize("name", [
      "file", "file/below", "dangling", "dangling/below", "x" * 300])
  def test_cannot_be(self, tmp_path, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    path = str(tmp_path / name)
    with pytest.raises(errors.UserError) as caught:
      files.prepare_directory("logdir", path)
    assert str(caught.value).startswith("--logdir=%s: " % path)
    assert not os.path.isdir(path)

  def test_not_writable(self, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root writes anywhere.
    with pytest.raises(errors.UserError, match="is not writable"):
      files.check_directory("logdir", str(tmp_path / "run"))


class TestJson:

  def test_reads_what_it_wrote(self, tmp_path):
    path = str(tmp_path / "x.json")
    content = {"format": 2, "a": [1, u"\u266a"]}
    files.write_json(path, content.items())
    assert files.read_json(path) == files.read_json(path, 2) == content
    with pytest.raises(ValueError, match="is 2, this version reads 1"):
      files.read_json(path, 1)

  @pytest.mark.parametrize("data", [
      b"", b"{", b"\xff",
      pytest.param(b"[" * 100000, id="deep"),
      pytest.param(b" " * (17 << 20) + b"1", id="large")])
  def test_anything_else_is_a_value_error(self, tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError):
      files.read_json(str(tmp_path / "x"))
