"""Writing files whole or not at all."""

import contextlib
import os
import tempfile


@contextlib.contextmanager
def atomic_write(path, mode="wb"):
  """Opens a temporary file that becomes `path` if the block succeeds.

  The temporary file lives in the directory of `path`, so that the final
  rename is atomic. If the block raises, or the disk is full, or the process is
  killed, whatever `path` held before is untouched. A symbolic link is written
  through, an existing file keeps its permissions, and what is no regular file
  (a pipe, a device) is written to directly.

  Args:
    path: The file to write.
    mode: "wb" or "w".

  Yields:
    The open temporary file.

  Raises:
    OSError: If the directory or the disk refuses the write.
  """
  path = os.path.realpath(path)
  if os.path.exists(path) and not os.path.isfile(path):
    # A pipe or a device: a rename would be the end of it.
    with open(path, mode) as stream:
      yield stream
    return
  try:
    permissions = os.stat(path).st_mode & 0o7777
  except FileNotFoundError:
    umask = os.umask(0)
    os.umask(umask)
    permissions = 0o666 & ~umask
  descriptor, temporary = tempfile.mkstemp(
      prefix=os.path.basename(path) + ".", suffix=".tmp",
      dir=os.path.dirname(path))
  try:
    with os.fdopen(descriptor, mode) as stream:
      yield stream
      stream.flush()
      os.fsync(stream.fileno())
    os.chmod(temporary, permissions)
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise
