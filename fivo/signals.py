"""What Ctrl-C and SIGTERM do to a process that has work under way."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def catch_signals(numbers=(signal.SIGINT, signal.SIGTERM)):
  """Holds back Ctrl-C and SIGTERM until the current step is done.

  A second signal acts at once. Outside the main thread, where Python allows no
  handlers, signals keep their usual effect.

  Args:
    numbers: The signals to hold back.

  Yields:
    A list that receives the number of the signal caught.
  """
  caught = []
  if threading.current_thread() is not threading.main_thread():
    yield caught
    return
  previous = {}

  def restore():
    while previous:
      signal.signal(*previous.popitem())

  def handle(number, unused_frame):
    caught.append(number)
    restore()

  for number in numbers:
    previous[number] = signal.signal(number, handle)
  try:
    yield caught
  finally:
    restore()
