"""Tests of ending a process when another that it needs is gone."""

import socket
import threading

import pytest

from fivo.cluster import supervision


@pytest.fixture
def listener():
  """Accepts connections, as the kernel does for a process that is stopped."""
  with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    yield listener


def _answers(listener):
  return supervision.answers("127.0.0.1:%d" % listener.getsockname()[1])


@pytest.mark.parametrize("words", [b"settings", b""])
def test_a_server_that_speaks_or_hangs_up(listener, words):
  def speak():
    connection, _ = listener.accept()
    with connection:
      heard.append(connection.recv(100))
      connection.sendall(words)

  heard = []
  thread = threading.Thread(target=speak)
  thread.start()
  assert _answers(listener) == bool(words)
  thread.join()
  assert heard[0].startswith(b"PRI * HTTP/2.0")


def test_a_server_that_is_stopped_or_gone(listener, monkeypatch):
  monkeypatch.setattr(supervision, "_SECONDS_TO_ANSWER", .05)
  assert not _answers(listener)
  with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    assert not _answers(free)


@pytest.mark.parametrize("looks, arrived, timeout, code, line", [
    ([False, True, False, False], [15], 60., 143,
     "stopped by signal 15; the ps 0 did not answer"),
    ([False], [], -1., 1, "the ps 0 at p:1 has not answered for -1 seconds "
     "(--cluster_timeout_secs)"),
])
def test_ends_a_process(
    monkeypatch, capsys, looks, arrived, timeout, code, line):
  def leave(exit_code):
    raise SystemExit(exit_code)

  looks = list(looks)
  monkeypatch.setattr(supervision, "SECONDS_BETWEEN_LOOKS", 0.)
  monkeypatch.setattr(supervision, "answers", lambda _: looks.pop(0))
  monkeypatch.setattr(
      supervision.signals, "arrived", lambda: [] if len(looks) else arrived)
  monkeypatch.setattr(supervision.os, "_exit", leave)
  with pytest.raises(SystemExit) as e:
    supervision._monitor({"ps 0": "p:1"}, timeout, threading.Event())
  assert e.value.code == code
  assert capsys.readouterr().err.endswith(": %s\n" % line)
