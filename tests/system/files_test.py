"""Tests of writing files whole or not at all."""

import errno
import multiprocessing
import os
import stat
from unittest import mock

import pytest

from fivo.system import errors
from fivo.system import files


def read(path):
  with open(str(path), "rb") as stream:
    return stream.read()


def write(path, data=b"new", mode="wb"):
  with files.atomic_write(str(path), mode) as stream:
    stream.write(data)


@pytest.fixture
def target(tmp_path):
  """A file that holds b"old"."""
  path = tmp_path / "target"
  path.write_bytes(b"old")
  return path


def assert_alone(path):
  """Nothing temporary is left behind."""
  assert os.listdir(str(path.parent)) == [path.name]


def test_writes_a_new_file(tmp_path):
  path = tmp_path / "target"
  write(path)
  assert read(path) == b"new"
  assert_alone(path)


def test_replaces_a_file(target):
  write(target)
  assert read(target) == b"new"
  assert_alone(target)


def test_text(tmp_path):
  path = tmp_path / "target"
  write(path, "line\n", mode="w")
  assert path.read_text() == "line\n"


def test_relative_paths(tmp_path, monkeypatch):
  monkeypatch.chdir(str(tmp_path))
  write("target")
  assert read(tmp_path / "target") == b"new"


def test_shows_nothing_before_the_end(target):
  with files.atomic_write(str(target)) as stream:
    stream.write(b"new")
    stream.flush()
    assert read(target) == b"old"
  assert read(target) == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_file_alone(target, error):
  with pytest.raises(error):
    with files.atomic_write(str(target)) as stream:
      stream.write(b"half")
      raise error()
  assert read(target) == b"old"
  assert_alone(target)


def test_an_exception_leaves_no_new_file(tmp_path):
  with pytest.raises(ValueError):
    with files.atomic_write(str(tmp_path / "target")):
      raise ValueError()
  assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("function", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_file_alone(target, function):
  """A mean script killed while writing, or a full disk, destroyed its input."""
  full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
  with mock.patch.object(os, function, side_effect=full):
    with pytest.raises(OSError):
      write(target)
  assert read(target) == b"old"
  assert_alone(target)


def _killed_while_writing(path):
  with files.atomic_write(path) as stream:
    stream.write(b"half")
    stream.flush()
    os._exit(9)


def _kill_while_writing(path):
  process = multiprocessing.get_context("fork").Process(
      target=_killed_while_writing, args=(str(path),))
  process.start()
  process.join()
  assert process.exitcode == 9


def test_a_killed_process_leaves_the_file_alone(target):
  _kill_while_writing(target)
  assert read(target) == b"old"


def test_killed_processes_leave_nothing_for_good(target):
  for _ in range(2):
    _kill_while_writing(target)
  others = ["other.fivo-abcdefgh.tmp", "target.tmp", "target.fivo-abc.tmp"]
  for name in others:
    (target.parent / name).touch()
  with files.atomic_write(str(target)) as stream:
    stream.write(b"first")
    # Others may be at work on the same file.
    write(target, b"second")
  assert read(target) == b"first"
  assert sorted(os.listdir(str(target.parent))) == sorted(others + ["target"])


def _killed_while_staging(parent):
  with files.staging_directory(parent, ".made.") as directory:
    os.mkdir(os.path.join(directory, "part"))
    os._exit(9)


def test_killed_processes_leave_no_directories_for_good(tmp_path):
  parent = str(tmp_path)
  process = multiprocessing.get_context("fork").Process(
      target=_killed_while_staging, args=(parent,))
  process.start()
  process.join()
  assert len(os.listdir(parent)) == 1
  with files.staging_directory(parent, ".made.") as first:
    with files.staging_directory(parent, ".made.") as second:
      assert sorted(os.listdir(parent)) == sorted(
          map(os.path.basename, [first, second]))
  assert os.listdir(parent) == []


@pytest.mark.parametrize("points_to", ["other", "missing", "."])
def test_a_link_gives_way(tmp_path, points_to):
  (tmp_path / "other").write_bytes(b"other")
  path = tmp_path / "target"
  path.symlink_to(tmp_path / points_to)
  with files.atomic_write(str(path), through_links=False) as stream:
    stream.write(b"new")
  assert not path.is_symlink()
  assert read(path) == b"new"
  assert read(tmp_path / "other") == b"other"
  assert len(os.listdir(str(tmp_path))) == 2


def test_a_pipe_is_refused(tmp_path):
  os.mkfifo(str(tmp_path / "target"))
  with pytest.raises(errors.UserError, match="a pipe or device, where a file"):
    with files.atomic_write(str(tmp_path / "target"), through_links=False):
      pass
  with pytest.raises(errors.UserError, match="holds a pipe or device target"):
    files.check_directory("logdir", str(tmp_path), ["target"])


def test_json_of_another_format(tmp_path):
  path = str(tmp_path / "x.json")
  files.write_json(path, [("format", 2)])
  assert files.read_json(path) == files.read_json(path, 2) == {"format": 2}
  with pytest.raises(ValueError, match="its format is 2, this version reads 1"):
    files.read_json(path, 1)


def test_a_missing_directory_is_an_os_error(tmp_path):
  with pytest.raises(OSError):
    write(tmp_path / "missing" / "target")


def test_a_directory_is_an_os_error(tmp_path):
  path = tmp_path / "target"
  path.mkdir()
  with pytest.raises(OSError):
    write(path)
  assert path.is_dir()
  assert_alone(path)


@pytest.mark.parametrize("permissions", [0o600, 0o644, 0o755])
def test_keeps_permissions(target, permissions):
  target.chmod(permissions)
  write(target)
  assert stat.S_IMODE(target.stat().st_mode) == permissions


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_new_files_obey_the_umask(tmp_path, umask):
  before = os.umask(umask)
  try:
    write(tmp_path / "target")
    assert os.umask(umask) == umask, "the umask is as before"
  finally:
    os.umask(before)
  mode = (tmp_path / "target").stat().st_mode
  assert stat.S_IMODE(mode) == 0o666 & ~umask


def test_writes_through_a_symbolic_link(target, tmp_path):
  link = tmp_path / "link"
  link.symlink_to(target)
  write(link)
  assert link.is_symlink()
  assert read(target) == b"new"


def test_writes_through_a_dangling_symbolic_link(tmp_path):
  link = tmp_path / "link"
  link.symlink_to(tmp_path / "target")
  write(link)
  assert link.is_symlink()
  assert read(tmp_path / "target") == b"new"


def test_does_not_replace_what_is_not_a_regular_file(tmp_path):
  """Of a pipe or a device, such as /dev/stdout, a rename would be the end."""
  pipe = tmp_path / "pipe"
  os.mkfifo(str(pipe))
  # Someone to read it, without whom a writer would wait.
  reader = os.open(str(pipe), os.O_RDWR | os.O_NONBLOCK)
  try:
    write(pipe)
  except (OSError, ValueError):
    pass  # To refuse it is as good as to write to it.
  finally:
    os.close(reader)
  assert stat.S_ISFIFO(pipe.stat().st_mode)
  assert os.listdir(str(tmp_path)) == ["pipe"]


class TestLocalPath(object):

  @pytest.mark.parametrize("path, expected", [
      ("", ""), ("a/b", "a/b"), ("/a:b/c", "/a:b/c"), ("a:/b", "a:/b"),
      ("./gs://b", "./gs://b"), ("~", "/home/me"), ("~/a", "/home/me/a"),
      ("a/~", "a/~"), ("file:///a/b%20c", "/a/b%20c"), ("FILE:///a", "/a"),
      ("file://localhost/a", "/a")])
  def test_is(self, monkeypatch, path, expected):
    monkeypatch.setenv("HOME", "/home/me")
    assert files.local_path(path) == expected

  @pytest.mark.parametrize("path", [
      "gs://b/run", "S3://b", "hdfs://nn:9000/run", "ram://x", "http://h/x",
      "file://", "file://host/a", "file://a", "file://localhosts/a",
      "x+y-z.0://a"])
  def test_is_none(self, path):
    with pytest.raises(errors.UserError) as caught:
      files.local_path(path)
    assert str(caught.value) == (
        "%s: must be a path on this machine, not a URL" % path)


class TestDirectories(object):

  def test_checking_makes_nothing(self, tmp_path):
    files.check_directory("logdir", str(tmp_path / "a" / "b"))
    assert os.listdir(str(tmp_path)) == []

  def test_made(self, tmp_path):
    for _ in range(2):
      files.prepare_directory("logdir", str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()

  @pytest.mark.parametrize("function", [
      files.check_directory, files.prepare_directory])
  @pytest.mark.parametrize("name", [
      "file", "file/below", "dangling", "dangling/below", "x" * 300])
  def test_cannot_be(self, tmp_path, function, name):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to("nowhere")
    path = str(tmp_path / name)
    with pytest.raises(errors.UserError) as caught:
      function("logdir", path)
    assert str(caught.value).startswith("--logdir=%s: " % path)
    assert not os.path.isdir(path)

  def test_not_writable(self, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root writes anywhere.
    with pytest.raises(errors.UserError, match="is not writable"):
      files.check_directory("logdir", str(tmp_path / "run"))


class TestReadJson(object):

  def test_reads(self, tmp_path):
    (tmp_path / "x").write_text(u'{"a": [1, "\u266a"]}', encoding="utf-8")
    assert files.read_json(str(tmp_path / "x")) == {"a": [1, u"\u266a"]}

  @pytest.mark.parametrize("data", [
      b"", b"{", b"\xff",
      pytest.param(b"[" * 100000, id="deep"),
      pytest.param(b" " * (17 << 20) + b"1", id="large")])
  def test_anything_else_is_a_value_error(self, tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError):
      files.read_json(str(tmp_path / "x"))

  def test_no_file(self, tmp_path):
    with pytest.raises(FileNotFoundError):
      files.read_json(str(tmp_path / "x"))
    os.mkfifo(str(tmp_path / "pipe"))  # To open it would never end.
    with pytest.raises(OSError, match="not a regular file"):
      files.read_json(str(tmp_path / "pipe"))
