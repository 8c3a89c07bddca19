"""Tests of finding out which processes are gone."""

import socket
import threading
import types

import pytest

from fivo.cluster import watch as cluster_watch
from fivo.config import config as config_lib
from fivo.system import errors


class TestAnswers(object):

  @pytest.fixture
  def listener(self):
    """Accepts connections, as the kernel does for a process that is stopped."""
    with socket.socket() as listener:
      listener.bind(("127.0.0.1", 0))
      listener.listen(1)
      yield listener

  def _address(self, listener):
    return "127.0.0.1:%d" % listener.getsockname()[1]

  def test_a_server_that_speaks(self, listener):
    def speak():
      connection, _ = listener.accept()
      with connection:
        heard.append(connection.recv(100))
        connection.sendall(b"settings")

    heard = []
    thread = threading.Thread(target=speak)
    thread.start()
    assert cluster_watch.answers(self._address(listener))
    thread.join()
    assert heard[0].startswith(b"PRI * HTTP/2.0")

  def test_one_that_is_stopped(self, listener, monkeypatch):
    monkeypatch.setattr(cluster_watch, "_SECONDS_TO_ANSWER", .05)
    assert not cluster_watch.answers(self._address(listener))

  def test_one_that_hangs_up(self, listener):
    thread = threading.Thread(target=lambda: listener.accept()[0].close())
    thread.start()
    assert not cluster_watch.answers(self._address(listener))
    thread.join()

  def test_nobody(self):
    with socket.socket() as free:
      free.bind(("127.0.0.1", 0))
      assert not cluster_watch.answers(self._address(free))


def test_counts_departures(monkeypatch):
  looks = [True, False, False, True, False, True]

  def answers(unused_address):
    answer = looks.pop(0)
    if not looks:
      watch.stop()
    return answer

  monkeypatch.setattr(cluster_watch, "_SECONDS_BETWEEN_LOOKS", 0.)
  monkeypatch.setattr(cluster_watch, "answers", answers)
  watch = cluster_watch.Watch({"ps 0": "p:1"}, 60.)
  watch.run()
  assert watch.num_departures == 2
  assert watch.lost is None


@pytest.mark.parametrize("arrived, timeout, code, line", [
    ([15], 60., 143, "stopped by signal 15; the ps 0 did not answer"),
    ([2, 2], 60., 130, "stopped by signal 2; the ps 0 did not answer"),
    ([], -1., 1, "the ps 0 at p:1 has not answered for -1 seconds "
     "(--cluster_timeout_secs)"),
])
def test_ends_a_process_that_hangs(
    monkeypatch, capsys, arrived, timeout, code, line):
  def leave(exit_code):
    raise SystemExit(exit_code)

  monkeypatch.setattr(cluster_watch, "_SECONDS_BETWEEN_LOOKS", 0.)
  monkeypatch.setattr(cluster_watch, "_SECONDS_TO_NOTICE", 0.)
  monkeypatch.setattr(cluster_watch, "answers", lambda _: False)
  monkeypatch.setattr(cluster_watch.signals, "arrived", lambda: arrived)
  monkeypatch.setattr(cluster_watch.os, "_exit", leave)
  with pytest.raises(SystemExit) as e:
    cluster_watch.Watch({"ps 0": "p:1"}, timeout).run()
  assert e.value.code == code
  assert capsys.readouterr().err.endswith(": %s\n" % line)


@pytest.mark.parametrize("before, after", [
    ({}, {"no_proxy": "::1,a,b"}),
    ({"no_proxy": "x,b"}, {"no_proxy": "x,b,::1,a"}),
    ({"NO_PROXY": "x"}, {"NO_PROXY": "x", "no_proxy": "x,::1,a,b"}),
    ({"no_grpc_proxy": "", "no_proxy": "a"},
     {"no_grpc_proxy": "::1,a,b", "no_proxy": "a,::1,b"}),
])
def test_bypasses_proxies(monkeypatch, before, after):
  environ = dict(before)
  monkeypatch.setattr(cluster_watch.os, "environ", environ)
  for _ in range(2):
    cluster_watch.bypass_proxies(["b:1", "a:2", "a:3", "[::1]:4"])
  assert environ == after


class TestWaitForMaster(object):

  @pytest.fixture
  def wait(self, monkeypatch):
    """Waits for a server that answers at some look, a second after another."""
    def run(looks, caught=()):
      looks = list(looks)
      clock = [0.]
      monkeypatch.setattr(cluster_watch, "answers", lambda _: looks.pop(0))
      monkeypatch.setattr(cluster_watch, "time", types.SimpleNamespace(
          time=lambda: clock[0],
          sleep=lambda _: clock.__setitem__(0, clock[0] + 1.)))
      cluster_watch.wait_for_master(config_lib.from_object(
          types.SimpleNamespace(master="grpc://s:1", cluster_timeout_secs=3.)),
                                    list(caught))
      return looks
    return run

  def test_until_it_answers(self, wait):
    assert wait([False, False, True, None]) == [None]

  def test_not_for_ever(self, wait):
    with pytest.raises(errors.UserError) as e:
      wait([False] * 9)
    assert str(e.value) == (
        "--master=grpc://s:1: has not answered for 3 seconds "
        "(--cluster_timeout_secs)")

  def test_a_signal_ends_it(self, wait):
    with pytest.raises(SystemExit) as e:
      wait([False] * 9, [15])
    assert e.value.code == 143
