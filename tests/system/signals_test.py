"""Tests of what signals do to a process that has work under way."""

import os
import signal
import socket
import threading

import pytest

from fivo.system import signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_holds_back_one(number):
  with signals.catch_signals() as caught:
    assert signals.arrived() == []
    os.kill(os.getpid(), number)
    assert caught == [number]
  assert signals.arrived() == []


def test_the_second_acts_at_once():
  # A shell may have had it ignored.
  previous = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    with pytest.raises(KeyboardInterrupt):
      with signals.catch_signals() as caught:
        os.kill(os.getpid(), signal.SIGINT)
        assert caught == [signal.SIGINT]
        os.kill(os.getpid(), signal.SIGINT)
  finally:
    signal.signal(signal.SIGINT, previous)


def test_leaves_things_as_they_were():
  handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
  num_threads = threading.active_count()
  for _ in range(2):
    with signals.catch_signals():
      assert threading.active_count() == num_threads + 1
  assert threading.active_count() == num_threads
  assert signal.set_wakeup_fd(-1) == -1
  assert handlers == (
      signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


class TestListen(object):

  @pytest.fixture
  def listen(self, monkeypatch):
    """Listens to numbers, of which the main thread sees none."""
    exits = []
    monkeypatch.setattr(signals, "_SECONDS_TO_END", .01)
    monkeypatch.setattr(signals, "_arrived", [])
    monkeypatch.setattr(signals.os, "_exit", exits.append)

    def run(numbers, is_over):
      reader, writer = socket.socketpair()
      with reader, writer:
        writer.send(bytes(numbers))
        if is_over:
          writer.close()
        signals._listen(reader)
      return signals.arrived(), exits
    return run

  def test_one(self, listen):
    assert listen([signal.SIGTERM, signal.SIGCHLD], is_over=True) == (
        [signal.SIGTERM], [])

  def test_two_that_end_the_block(self, listen):
    assert listen([signal.SIGTERM] * 2, is_over=True)[1] == []

  def test_two_end_a_call_that_does_not_end(self, listen):
    assert listen([signal.SIGTERM, signal.SIGINT], is_over=False)[1] == [143]
