"""Holding back Ctrl-C and SIGTERM while a process finishes its work."""

import contextlib
import signal
import socket
import threading

_NUMBERS = (signal.SIGINT, signal.SIGTERM)

# Sockets with the numbers of signals while `catch_signals` runs.
_readers = []


def arrived():
  """The numbers of the signals that arrived within `catch_signals`.

  Other threads can ask while a TensorFlow call blocks the main thread.
  """
  numbers = []
  for reader in _readers:
    with contextlib.suppress(BlockingIOError):
      numbers += reader.recv(16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
  return [number for number in numbers if number in _NUMBERS]


@contextlib.contextmanager
def catch_signals():
  """Yields a list that receives the first Ctrl-C or SIGTERM, held back.

  A second signal has its usual effect, as has any outside the main thread.
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

  reader, writer = socket.socketpair()
  with reader, writer:
    writer.setblocking(False)
    _readers.append(reader)
    # Python writes the numbers of signals to it.
    former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in _NUMBERS:
      previous[number] = signal.signal(number, handle)
    try:
      yield caught
    finally:
      restore()
      signal.set_wakeup_fd(former)
      _readers.remove(reader)
