"""Ends a process when another that it needs is gone.

A process that died can be restarted with the same flags within
`--cluster_timeout_secs`; after that the others give up. Since TensorFlow waits
for ever, in calls that no signal interrupts, a thread ends the process.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import threading
import time

from fivo.config import cluster_spec
from fivo.system import log
from fivo.system import signals

SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_TO_ANSWER = 5.
_PR_SET_PDEATHSIG = 1
# How a client of gRPC begins (RFC 7540, section 3.5): a greeting and settings,
# none of which differ from the defaults.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def answers(address):
  """True if the server at an address, "host:port", answers a greeting."""
  # The kernel accepts connections even for a process that is stopped or hangs.
  try:
    with socket.create_connection(
        cluster_spec.split_address(address), _SECONDS_TO_ANSWER) as probe:
      # A socket may connect to itself if nobody listens on the port.
      if probe.getsockname() == probe.getpeername():
        return False
      probe.sendall(_GREETING)
      return bool(probe.recv(1))
  except OSError:
    return False


@contextlib.contextmanager
def supervise(needed, timeout_secs):
  """Monitors processes, a dict from names to addresses, while the block runs.

  If one does not answer for `timeout_secs`, this process ends with one line;
  meanwhile Ctrl-C and SIGTERM end it at once, since its main thread may hang.
  """
  stopped = threading.Event()
  thread = threading.Thread(
      target=_monitor, args=(needed, timeout_secs, stopped), daemon=True)
  if needed:
    thread.start()
  try:
    yield
  finally:
    stopped.set()


def die_with(parent):
  """In a new process on Linux: makes SIGTERM end it once its parent dies."""
  if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
      os.kill(os.getpid(), signal.SIGTERM)


def _monitor(needed, timeout_secs, stopped):
  """Monitors processes until `stopped`, a `threading.Event`, is set."""
  last_seen = dict.fromkeys(needed, time.monotonic())
  missing = set()
  while not stopped.wait(SECONDS_BETWEEN_LOOKS):
    for name, address in needed.items():
      if answers(address):
        last_seen[name] = time.monotonic()
        missing.discard(name)
      elif stopped.is_set():
        break
      elif time.monotonic() - last_seen[name] > timeout_secs:
        _end_process(1, "the %s at %s has not answered for %g seconds "
                     "(--cluster_timeout_secs)" % (name, address, timeout_secs))
      elif signals.arrived():
        number = signals.arrived()[0]
        _end_process(128 + number, "stopped by signal %d; the %s did not "
                     "answer" % (number, name))
      elif name not in missing:
        missing.add(name)
        log.info("The %s at %s does not answer; waiting for it.", name, address)


def _end_process(exit_code, line):
  """Ends this process with one line, whatever its main thread does."""
  sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), line))
  sys.stderr.flush()
  os._exit(exit_code)
