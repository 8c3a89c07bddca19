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

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_FILES = ["jsb.pkl", "nottingham.pkl", "musedata.pkl", "piano-midi.de.pkl"]


def _pickle(num_sequences, **more):
  """A pianoroll file with so many train, valid and test sequences."""
  splits = {split: [[(60, 64), ()]] * number for split, number in zip(
      ("train", "valid", "test"), num_sequences)}
  return pickle.dumps(dict(splits, **more), protocol=2)


_PUBLISHED = {
    "JSB Chorales.pickle": _pickle((229, 76, 77)),
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


class _Server(object):
  """A mirror of the published files, in a thread."""

  def __init__(self):
    self._server = http.server.HTTPServer(("127.0.0.1", 0), _Handler)
    self._server.answers = {
        name: (200, body, None) for name, body in _PUBLISHED.items()}
    self._server.requests = []
    self.requests = self._server.requests
    self.url = "http://127.0.0.1:%d/icml2012" % self._server.server_port
    self._thread = threading.Thread(
        target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
    self._thread.start()

  def answer(self, name, body=b"", status=200, length=None):
    self._server.answers[name] = (status, body, length)

  def stop(self):
    self._server.shutdown()
    self._thread.join()
    self._server.server_close()


@pytest.fixture
def server(monkeypatch):
  monkeypatch.setenv("no_proxy", "127.0.0.1")
  server = _Server()
  yield server
  server.stop()


def _contents(directory):
  """The names and bytes of everything in a directory."""
  return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_downloads_the_four_under_our_names(server, tmp_path):
  out_dir = tmp_path / "new" / "piano rolls"
  without_mean = download_pianorolls.download(str(out_dir), server.url)
  assert without_mean == [str(out_dir / name) for name in _FILES]
  assert _contents(out_dir) == dict(zip(_FILES, _PUBLISHED.values()))


def test_blanks_are_encoded_and_a_slash_may_end_the_mirror(server, tmp_path):
  download_pianorolls.download(str(tmp_path), server.url + "/")
  assert server.requests == [
      "/icml2012/JSB%20Chorales.pickle", "/icml2012/Nottingham.pickle",
      "/icml2012/MuseData.pickle", "/icml2012/Piano-midi.de.pickle"]


def test_the_official_place():
  assert download_pianorolls.DEFAULT_URL == (
      "http://www-etud.iro.umontreal.ca/~boulanni/")


def test_a_local_directory_as_mirror(tmp_path):
  mirror = tmp_path / "mirror"
  mirror.mkdir()
  for name, body in _PUBLISHED.items():
    (mirror / name).write_bytes(body)
  download_pianorolls.download(str(tmp_path / "out"), mirror.as_uri())
  assert sorted(_contents(tmp_path / "out")) == sorted(_FILES)


def test_an_answer_without_a_length(server, tmp_path):
  name = "JSB Chorales.pickle"
  server.answer(name, _PUBLISHED[name], length=False)
  download_pianorolls.download(str(tmp_path), server.url)
  assert (tmp_path / "jsb.pkl").read_bytes() == _PUBLISHED[name]


class _NotForUnpickling(object):
  """Leaves a trace where it is unpickled, as a malicious file would."""

  def __init__(self, trace):
    self._trace = trace

  def __reduce__(self):
    return open, (self._trace, "w")


class TestFailures(object):
  """The original left empty and HTML files, and exited with 0."""

  def _fails(self, server, tmp_path, *words):
    """Checks that jsb.pkl fails, in one line, and leaves nothing."""
    with pytest.raises(UserError) as error:
      download_pianorolls.download(str(tmp_path), server.url)
    message = str(error.value)
    assert len(message.splitlines()) == 1
    for word in (server.url + "/JSB%20Chorales.pickle",) + words:
      assert word in message
    assert not os.listdir(str(tmp_path))
    return message

  @pytest.mark.parametrize("status", [404, 403, 500, 503])
  def test_http_error(self, server, tmp_path, status):
    server.answer("JSB Chorales.pickle", b"<html>", status=status)
    self._fails(server, tmp_path, str(status))

  def test_truncated(self, server, tmp_path):
    body = _PUBLISHED["JSB Chorales.pickle"]
    server.answer("JSB Chorales.pickle", body, length=len(body) + 1000)
    self._fails(server, tmp_path,
                "incomplete", "%d of %d" % (len(body), len(body) + 1000))

  def test_truncated_without_a_length(self, server, tmp_path):
    body = _PUBLISHED["JSB Chorales.pickle"]
    server.answer("JSB Chorales.pickle", body[:-100], length=False)
    self._fails(server, tmp_path, "not a complete pickle")

  def test_empty(self, server, tmp_path):
    server.answer("JSB Chorales.pickle", b"")
    self._fails(server, tmp_path, "empty")

  def test_web_page_with_status_200(self, server, tmp_path):
    server.answer("JSB Chorales.pickle",
                  b"<!DOCTYPE html>\n<html>Not found</html>")
    self._fails(server, tmp_path, "web page")

  def test_wrong_counts(self, server, tmp_path):
    server.answer("JSB Chorales.pickle", _pickle((228, 76, 77)))
    self._fails(server, tmp_path, "228/76/77", "229/76/77")

  def test_missing_split(self, server, tmp_path):
    server.answer("JSB Chorales.pickle", _pickle((229, 76)))
    self._fails(server, tmp_path, "229/76/0")

  def test_malicious_pickle_is_not_run(self, server, tmp_path):
    trace = str(tmp_path.parent / (tmp_path.name + "_trace"))
    server.answer("JSB Chorales.pickle", _pickle(
        (229, 76, 77), more=_NotForUnpickling(trace)))
    self._fails(server, tmp_path, "refused")
    assert not os.path.exists(trace)

  def test_answer_without_end(self, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_pianorolls, "_MAX_BYTES", 10)
    self._fails(server, tmp_path, "larger")

  def test_message_names_no_temporary_file(self, server, tmp_path):
    server.answer("JSB Chorales.pickle", b"nonsense")
    message = self._fails(server, tmp_path, "not a pianoroll file")
    assert "jsb.pkl" not in message
    assert "download_pianorolls.sh" not in message

  def test_answer_that_is_not_http(self, server, tmp_path, monkeypatch):
    monkeypatch.setattr(_Handler, "send_response",
                        lambda self, status: self.wfile.write(b"hello\n\n"))
    self._fails(server, tmp_path, "cannot be")

  def test_nobody_answers(self, server, tmp_path):
    server.stop()
    self._fails(server, tmp_path, "cannot be reached")
    server.__init__()  # For the fixture to stop.

  def test_answer_that_does_not_come(self, server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_pianorolls, "_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(_Handler, "send_response",
                        lambda self, status: threading.Event().wait(0.3))
    self._fails(server, tmp_path, "timed out")

  @pytest.mark.parametrize("url", ["mirror", "gopher://x", "http://", "http:"])
  def test_mirror_that_is_no_url(self, tmp_path, url):
    with pytest.raises(UserError, match="^" + url.rstrip("/")):
      download_pianorolls.download(str(tmp_path), url)

  def test_earlier_files_stay(self, server, tmp_path):
    server.answer("Nottingham.pickle", status=500)
    with pytest.raises(UserError, match="Nottingham"):
      download_pianorolls.download(str(tmp_path), server.url)
    assert os.listdir(str(tmp_path)) == ["jsb.pkl"]


class TestExistingFiles(object):

  def test_good_ones_are_not_downloaded_again(self, server, tmp_path):
    download_pianorolls.download(str(tmp_path), server.url)
    with_mean = _pickle((87, 12, 25), train_mean=[0.5] * 88)
    (tmp_path / "piano-midi.de.pkl").write_bytes(with_mean)
    del server.requests[:]
    without_mean = download_pianorolls.download(str(tmp_path), server.url)
    assert not server.requests
    assert without_mean == [str(tmp_path / name) for name in _FILES[:3]]
    assert (tmp_path / "piano-midi.de.pkl").read_bytes() == with_mean

  @pytest.mark.parametrize("bad", [b"", b"<html>", b"nonsense"])
  def test_bad_ones_are_replaced(self, server, tmp_path, bad):
    (tmp_path / "jsb.pkl").write_bytes(bad)
    download_pianorolls.download(str(tmp_path), server.url)
    assert (tmp_path / "jsb.pkl").read_bytes() == (
        _PUBLISHED["JSB Chorales.pickle"])

  def test_bad_ones_stay_if_the_download_fails(self, server, tmp_path):
    (tmp_path / "jsb.pkl").write_bytes(b"nonsense")
    server.answer("JSB Chorales.pickle", status=500)
    with pytest.raises(UserError):
      download_pianorolls.download(str(tmp_path), server.url)
    assert _contents(tmp_path) == {"jsb.pkl": b"nonsense"}

  def test_good_ones_stay_if_another_download_fails(self, server, tmp_path):
    body = _pickle((229, 76, 77), train_mean=[0.5] * 88)
    (tmp_path / "jsb.pkl").write_bytes(body)
    server.answer("Nottingham.pickle", b"<html>")
    with pytest.raises(UserError):
      download_pianorolls.download(str(tmp_path), server.url)
    assert _contents(tmp_path) == {"jsb.pkl": body}

  def test_other_pianorolls_are_not_overwritten(self, server, tmp_path):
    own = _pickle((3, 2, 1))
    (tmp_path / "jsb.pkl").write_bytes(own)
    with pytest.raises(UserError, match="jsb.pkl: holds 3/2/1 .* move"):
      download_pianorolls.download(str(tmp_path), server.url)
    assert _contents(tmp_path) == {"jsb.pkl": own}


class TestCommand(object):

  def _run(self, *arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "fivo.data.download_pianorolls"] +
        list(arguments), cwd=_ROOT, env=dict(os.environ, **variables),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True)

  def test_uses_the_mirror_and_tells_the_next_command(self, server, tmp_path):
    result = self._run("--out_dir=%s" % tmp_path,
                       FIVO_PIANOROLL_URL=server.url)
    assert result.returncode == 0, result.stdout
    assert ("-m fivo.data.calculate_pianoroll_mean --in_file=%s\n"
            % (tmp_path / "jsb.pkl")) in result.stdout

  def test_fails_with_one_line(self, server, tmp_path):
    server.answer("JSB Chorales.pickle", status=404)
    result = self._run("--out_dir=%s" % tmp_path,
                       FIVO_PIANOROLL_URL=server.url)
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1
    assert "%s/JSB%%20Chorales.pickle" % server.url in result.stdout
    assert "404" in result.stdout

  @pytest.mark.parametrize("arguments", [[], ["--out_dir="], ["a"],
                                         ["--out_dir=/dev/null"],
                                         ["--out_dir=/dev/null/x"]])
  def test_wrong_arguments(self, arguments):
    result = self._run(*arguments)
    assert result.returncode == 1
    assert len(result.stdout.splitlines()) == 1, result.stdout


def test_needs_no_tensorflow():
  subprocess.check_call(
      [sys.executable, "-c", "import sys; import fivo.data.download_pianorolls;"
       "sys.exit('tensorflow' in sys.modules)"], cwd=_ROOT)
