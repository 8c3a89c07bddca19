"""Noticing a second process that trains in the same logdir."""

import contextlib
import fcntl
import os
import socket
import stat

from fivo.system import errors
from fivo.system import log

FILE_NAME = "train.lock"

_MAX_OWNER_BYTES = 300


@contextlib.contextmanager
def training_lock(logdir):
  """Keeps other processes from training in a logdir.

  The lock is advisory, and the kernel releases it when the process ends,
  however it ends. The file stays, since to remove it would let two processes
  hold a lock of this name; who holds it is only what its text tells people.

  Args:
    logdir: An existing directory.

  Yields:
    Whether the lock is held. It is not where the file system has no locks,
    which is logged.

  Raises:
    UserError: If another process trains there, or the file is a pipe or the
      like.
    OSError: If the file cannot be opened or written, or is a link.
  """
  path = os.path.join(logdir, FILE_NAME)
  # Not through a link, which would have another file emptied.
  descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
  try:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
      raise errors.UserError(
          "--logdir=%s: its %s is not a regular file; remove it" % (
              logdir, FILE_NAME))
    is_held = _lock(descriptor, logdir)
    if is_held:
      os.ftruncate(descriptor, 0)
      owner = "%d on %s\n" % (os.getpid(), socket.gethostname())
      os.pwrite(descriptor, owner.encode("utf-8", "replace"), 0)
    yield is_held
  finally:
    os.close(descriptor)


def _lock(descriptor, logdir):
  """Locks a file; whether it is locked, or a `UserError` if others have it."""
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError as e:
    owner = os.pread(descriptor, _MAX_OWNER_BYTES, 0).decode("utf-8", "replace")
    raise errors.UserError(
        "--logdir=%s: another process (%s) is training there; wait for its "
        "end, or use another --logdir" % (
            logdir, owner.partition("\n")[0] or "unknown")) from e
  except OSError as e:
    # Whatever the error: kernel modules answer with numbers of their own.
    log.warning(
        "--logdir=%s: its file system has no locks (%s): see to it that no "
        "other process trains there.", logdir, e.strerror)
    return False
  return True
