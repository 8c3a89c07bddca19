"""Detecting a second process that trains in the same logdir."""

import contextlib
import fcntl
import os
import socket

from fivo.system import errors
from fivo.system import log

FILE_NAME = "train.lock"


@contextlib.contextmanager
def training_lock(logdir):
  """Keeps other processes from training in a logdir while the block runs.

  The kernel releases the lock when the process ends, however it ends. The file
  stays: without it two processes could hold a lock of this name.
  """
  # Not through a link: that would empty another file.
  descriptor = os.open(os.path.join(logdir, FILE_NAME),
                       os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
  with os.fdopen(descriptor, "r+", errors="replace") as stream:
    try:
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as e:
      raise errors.UserError(
          "--logdir=%s: another process (%s) is training there; wait for its "
          "end, or use another --logdir" % (
              logdir, stream.readline().strip() or "unknown")) from e
    except OSError as e:
      # Whatever the error: kernel modules have their own error numbers.
      log.warning(
          "--logdir=%s: its file system has no locks (%s): make sure that no "
          "other process trains there.", logdir, e.strerror)
    else:
      stream.truncate(0)
      stream.write("%d on %s\n" % (os.getpid(), socket.gethostname()))
      stream.flush()
    yield
