"""Tests of what signals do to a process that has work under way."""

import os
import signal

import pytest

from fivo.system import signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_holds_back_one(number):
  handlers = [signal.getsignal(number) for number in signals._NUMBERS]
  with signals.catch_signals() as caught:
    assert signals.arrived() == []
    os.kill(os.getpid(), number)
    assert caught == [number]
    for _ in range(2):
      assert signals.arrived() == [number]
  assert signals.arrived() == []
  assert signal.set_wakeup_fd(-1) == -1
  assert handlers == [signal.getsignal(number) for number in signals._NUMBERS]


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
