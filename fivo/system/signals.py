"""Holding back Ctrl-C and SIGTERM while a process has work under way."""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading

_NUMBERS = (signal.SIGINT, signal.SIGTERM)
# How long the main thread may take to end after a second signal.
_SECONDS_TO_END = 3.
_PR_SET_PDEATHSIG = 1

# The numbers of the signals since the outermost `catch_signals` began.
_arrived = []


def arrived():
  """The numbers of the signals that have come within `catch_signals`.

  Of those too that the main thread does not know yet: no handler of Python runs
  while it is in a call of TensorFlow, which may wait for another process.
  """
  return list(_arrived)


def die_with(parent):
  """In a new process on Linux: has SIGTERM end it once its parent is dead."""
  if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
      os.kill(os.getpid(), signal.SIGTERM)


@contextlib.contextmanager
def catch_signals():
  """Holds back Ctrl-C and SIGTERM until the current step is done.

  A second signal acts at once, or within seconds where the main thread is in a
  call of TensorFlow that does not end. Outside the main thread, where Python
  allows no handlers, signals keep their usual effect.

  Yields:
    A list that receives the number of the signal caught.
  """
  caught, previous = [], {}
  if threading.current_thread() is not threading.main_thread():
    yield caught
    return

  def restore():
    while previous:
      signal.signal(*previous.popitem())

  def handle(number, unused_frame):
    caught.append(number)
    restore()

  with _listening():
    for number in _NUMBERS:
      previous[number] = signal.signal(number, handle)
    try:
      yield caught
    finally:
      restore()


@contextlib.contextmanager
def _listening():
  """Notes signals in a thread that nothing but them keeps busy."""
  reader, writer = socket.socketpair()
  writer.setblocking(False)
  thread = threading.Thread(target=_listen, args=(reader,), daemon=True)
  previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
  thread.start()
  try:
    yield
  finally:
    signal.set_wakeup_fd(previous)
    writer.close()
    thread.join()
    reader.close()
    del _arrived[:]


def _listen(reader):
  """Reads the numbers of signals until the other end of a socket closes."""
  try:
    for data in iter(lambda: reader.recv(1), b""):
      if data[0] in _NUMBERS:
        _arrived.append(data[0])
      if len(_arrived) > 1:
        reader.settimeout(_SECONDS_TO_END)
  except socket.timeout:
    os._exit(128 + _arrived[0])
