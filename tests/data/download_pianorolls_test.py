"""Tests of the download of the pianorolls, from a mirror on the disk."""

import http.client
import os
import pickle
import socket
import subprocess
import sys
import urllib.request

import pytest

from fivo.data import download_pianorolls
from fivo.system.errors import UserError
from tests import programs

_FILES = ["jsb.pkl", "nottingham.pkl", "musedata.pkl", "piano-midi.de.pkl"]


def _pickle(num_sequences, **more):
  """A pianoroll file with so many train, valid and test sequences."""
  splits = {split: [[(60, 64), ()]] * number for split, number in zip(
      ("train", "valid", "test"), num_sequences)}
  return pickle.dumps(dict(splits, **more), protocol=2)


_JSB = _pickle((229, 76, 77))
_PUBLISHED = {
    "JSB Chorales.pickle": _JSB,
    "Nottingham.pickle": _pickle((694, 173, 170)),
    "MuseData.pickle": _pickle((524, 135, 124)),
    "Piano-midi.de.pickle": _pickle((87, 12, 25)),
}


@pytest.fixture
def mirror(tmp_path):
  """A directory of the published files."""
  directory = tmp_path / "mirror"
  directory.mkdir()
  for name, body in _PUBLISHED.items():
    (directory / name).write_bytes(body)
  return directory


@pytest.fixture
def out_dir(tmp_path):
  directory = tmp_path / "piano rolls"
  directory.mkdir()
  return directory


def _contents(directory):
  """The names and bytes of everything in a directory."""
  return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_command_downloads_the_four_once(mirror, out_dir):
  result = subprocess.run(
      [sys.executable, "-m", "fivo.data.download_pianorolls",
       "--out_dir=%s" % out_dir], cwd=programs.ROOT,
      env=dict(os.environ, FIVO_PIANOROLL_URL=mirror.as_uri() + "/"),
      stderr=subprocess.PIPE, universal_newlines=True, check=True)
  assert ("-m fivo.data.calculate_pianoroll_mean --in_file='%s'\n"
          % (out_dir / "jsb.pkl")) in result.stderr
  assert _contents(out_dir) == dict(zip(_FILES, _PUBLISHED.values()))
  with_mean = _pickle((87, 12, 25), train_mean=[0.5] * 88)
  (out_dir / "piano-midi.de.pkl").write_bytes(with_mean)
  without_mean = download_pianorolls.download(str(out_dir), "file:///absent")
  assert without_mean == [str(out_dir / name) for name in _FILES[:3]]
  assert (out_dir / "piano-midi.de.pkl").read_bytes() == with_mean


@pytest.mark.parametrize("answer, words", [
    (None, "No such file"),
    (_JSB[:-100], "not a complete pickle"),
    (b"<!DOCTYPE html>\n<html>Not found</html>", "web page"),
    (_pickle((228, 76, 77)), "228/76/77"),
    (pickle.dumps(open, 2), "refused"),
], ids=["absent", "truncated", "page", "counts", "malicious"])
def test_defect_failures_left_files_and_exit_code_0(
    mirror, out_dir, answer, words):
  path = mirror / "JSB Chorales.pickle"
  path.unlink()
  if answer is not None:
    path.write_bytes(answer)
  with pytest.raises(UserError) as error:
    download_pianorolls.download(str(out_dir), mirror.as_uri())
  message = str(error.value)
  assert message.startswith(mirror.as_uri() + "/JSB%20Chorales.pickle: ")
  assert words in message and "download_pianorolls.sh" not in message
  assert len(message.splitlines()) == 1
  assert not os.listdir(str(out_dir))


@pytest.mark.parametrize("error", [
    http.client.IncompleteRead(b"", 9), socket.timeout("timed out")])
def test_connection_that_breaks(out_dir, monkeypatch, error):
  class _Broken:
    """Stands for a connection."""

    def __init__(self, *unused_args, timeout):
      assert timeout == 30.

    def read(self):
      raise error

    def __enter__(self):
      return self

    def __exit__(self, *unused_args):
      pass

  monkeypatch.setattr(urllib.request, "urlopen", _Broken)
  with pytest.raises(UserError, match=type(error).__name__):
    download_pianorolls.download(str(out_dir))


@pytest.mark.parametrize("url", ["mirror", "http://", "http://127.0.0.1:1/x"])
def test_mirror_that_does_not_serve(out_dir, url):
  with pytest.raises(UserError, match="^" + url.rstrip("/")):
    download_pianorolls.download(str(out_dir), url)


def test_bad_files_are_replaced_by_good_ones_alone(mirror, out_dir):
  (out_dir / "jsb.pkl").write_bytes(b"nonsense")
  with pytest.raises(UserError):
    download_pianorolls.download(str(out_dir), "file:///absent")
  assert _contents(out_dir) == {"jsb.pkl": b"nonsense"}
  download_pianorolls.download(str(out_dir), mirror.as_uri())
  assert (out_dir / "jsb.pkl").read_bytes() == _JSB


def test_other_pianorolls_are_not_overwritten(mirror, out_dir):
  own = _pickle((3, 2, 1))
  (out_dir / "jsb.pkl").write_bytes(own)
  with pytest.raises(UserError, match="jsb.pkl: holds 3/2/1 .* move"):
    download_pianorolls.download(str(out_dir), mirror.as_uri())
  assert _contents(out_dir) == {"jsb.pkl": own}
