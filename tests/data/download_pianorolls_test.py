"""Tests of the download of the pianorolls, against a server of our own."""

import http.server
import os
import pickle
import subprocess
import sys
import threading
import urllib.parse

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


class _Handler(http.server.BaseHTTPRequestHandler):
  """Serves `server.answers`; notes the raw paths in `server.requests`."""

  def do_GET(self):  # noqa: N802  # http.server looks for this name.
    self.server.requests.append(self.path)
    name = urllib.parse.unquote(self.path).rsplit("/", 1)[1]
    status, body, length = self.server.answers.get(name, (404, b"", None))
    self.send_response(status)
    if length is not False:
      self.send_header("Content-Length", str(
          len(body) if length is None else length))
    self.end_headers()
    self.wfile.write(body)

  def log_message(self, *args):
    pass


@pytest.fixture
def server(monkeypatch):
  """A mirror of the published files, in a thread."""
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  with http.server.HTTPServer(("127.0.0.1", 0), _Handler) as mirror:
    mirror.answers = {
        name: (200, body, None) for name, body in _PUBLISHED.items()}
    mirror.requests = []
    mirror.handle_error = lambda *_: None  # Of clients that time out.
    mirror.url = "http://127.0.0.1:%d/icml2012" % mirror.server_port
    thread = threading.Thread(
        target=mirror.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield mirror
    mirror.shutdown()
    thread.join()


def _contents(directory):
  """The names and bytes of everything in a directory."""
  return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_downloads_the_four_once(server, tmp_path):
  out_dir = tmp_path / "new" / "piano rolls"
  without_mean = download_pianorolls.download(str(out_dir), server.url + "/")
  assert without_mean == [str(out_dir / name) for name in _FILES]
  assert _contents(out_dir) == dict(zip(_FILES, _PUBLISHED.values()))
  assert server.requests == [
      "/icml2012/JSB%20Chorales.pickle", "/icml2012/Nottingham.pickle",
      "/icml2012/MuseData.pickle", "/icml2012/Piano-midi.de.pickle"]
  with_mean = _pickle((87, 12, 25), train_mean=[0.5] * 88)
  (out_dir / "piano-midi.de.pkl").write_bytes(with_mean)
  without_mean = download_pianorolls.download(str(out_dir), server.url)
  assert len(server.requests) == 4
  assert without_mean == [str(out_dir / name) for name in _FILES[:3]]
  assert (out_dir / "piano-midi.de.pkl").read_bytes() == with_mean


def test_a_local_directory_as_mirror(tmp_path):
  mirror = tmp_path / "mirror"
  mirror.mkdir()
  for name, body in _PUBLISHED.items():
    (mirror / name).write_bytes(body)
  download_pianorolls.download(str(tmp_path / "out"), mirror.as_uri())
  assert sorted(_contents(tmp_path / "out")) == sorted(_FILES)


@pytest.mark.parametrize("answer, words", [
    ((404, b"<html>", None), "404"),
    ((200, _JSB, len(_JSB) + 1000), "IncompleteRead"),
    ((200, _JSB[:-100], False), "not a complete pickle"),
    ((200, b"<!DOCTYPE html>\n<html>Not found</html>", None), "web page"),
    ((200, _pickle((228, 76, 77)), None), "228/76/77"),
    ((200, pickle.dumps(open, 2), None), "refused"),
], ids=["404", "truncated", "no-length", "page", "counts", "malicious"])
def test_defect_failures_left_files_and_exit_code_0(
    server, tmp_path, answer, words):
  server.answers["JSB Chorales.pickle"] = answer
  with pytest.raises(UserError) as error:
    download_pianorolls.download(str(tmp_path), server.url)
  message = str(error.value)
  assert message.startswith(server.url + "/JSB%20Chorales.pickle: ")
  assert words in message and "download_pianorolls.sh" not in message
  assert len(message.splitlines()) == 1
  assert not os.listdir(str(tmp_path))


def test_answer_that_does_not_come(server, tmp_path, monkeypatch):
  monkeypatch.setattr(download_pianorolls, "_TIMEOUT_SECONDS", 0.05)
  monkeypatch.setattr(_Handler, "send_response",
                      lambda self, status: threading.Event().wait(0.3))
  with pytest.raises(UserError, match="timed out"):
    download_pianorolls.download(str(tmp_path), server.url)


@pytest.mark.parametrize("url", ["mirror", "http://", "http://127.0.0.1:1/x"])
def test_mirror_that_does_not_serve(tmp_path, url):
  with pytest.raises(UserError, match="^" + url.rstrip("/")):
    download_pianorolls.download(str(tmp_path), url)


def test_bad_files_are_replaced_by_good_ones_alone(server, tmp_path):
  (tmp_path / "jsb.pkl").write_bytes(b"nonsense")
  server.answers["JSB Chorales.pickle"] = 500, b"", None
  with pytest.raises(UserError):
    download_pianorolls.download(str(tmp_path), server.url)
  assert _contents(tmp_path) == {"jsb.pkl": b"nonsense"}
  server.answers["JSB Chorales.pickle"] = 200, _JSB, False  # No length.
  download_pianorolls.download(str(tmp_path), server.url)
  assert (tmp_path / "jsb.pkl").read_bytes() == _JSB


def test_other_pianorolls_are_not_overwritten(server, tmp_path):
  own = _pickle((3, 2, 1))
  (tmp_path / "jsb.pkl").write_bytes(own)
  with pytest.raises(UserError, match="jsb.pkl: holds 3/2/1 .* move"):
    download_pianorolls.download(str(tmp_path), server.url)
  assert _contents(tmp_path) == {"jsb.pkl": own}


def test_command_uses_the_mirror_and_tells_the_next_command(server, tmp_path):
  result = subprocess.run(
      [sys.executable, "-m", "fivo.data.download_pianorolls",
       "--out_dir=%s" % tmp_path], cwd=programs.ROOT,
      env=dict(os.environ, FIVO_PIANOROLL_URL=server.url),
      stderr=subprocess.PIPE, universal_newlines=True, check=True)
  assert ("-m fivo.data.calculate_pianoroll_mean --in_file=%s\n"
          % (tmp_path / "jsb.pkl")) in result.stderr
