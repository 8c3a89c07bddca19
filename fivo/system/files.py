"""Files written whole or not at all, directories, and what others wrote."""

import collections
import contextlib
import errno
import fcntl
import glob
import json
import os
import re
import shutil
import stat
import tempfile

from fivo.system.errors import UserError

_MAX_JSON_BYTES = 1 << 24

# Temporary files are NAME.fivo-XXXXXXXX.tmp: nobody else's are.
_MARK = ".fivo-"
_SUFFIX = ".tmp"

_SCHEME = re.compile("([a-z][a-z0-9+.-]*)://(?:localhost(?=/))?",
                     re.IGNORECASE)


def local_path(path):
  """Makes of what somebody calls a file or directory the name to open it by.

  TensorFlow would go to the network for what Python takes for the name of a
  directory, as gs://bucket/run. And a shell leaves the tilde of --logdir=~/run
  alone.

  Args:
    path: A path, or what begins with ~ or file://.

  Returns:
    A path.

  Raises:
    UserError: If it is a URL of anything but a file of this machine.
  """
  path = os.path.expanduser(path)
  found = _SCHEME.match(path)
  if not found:
    return path
  if found.group(1).lower() != "file" or path[found.end():][:1] != "/":
    raise UserError("%s: must be a path on this machine, not a URL" % path)
  return path[found.end():]


@contextlib.contextmanager
def atomic_write(path, mode="wb", through_links=True):
  """Opens a temporary file that becomes `path` if the block succeeds.

  The temporary file lives in the directory of `path`, so that the final
  rename is atomic. If the block raises, or the disk is full, or the process is
  killed, whatever `path` held before is untouched; what a killed process leaves
  is removed when the file is next written. An existing file keeps its
  permissions.

  Args:
    path: The file to write.
    mode: "wb" or "w".
    through_links: Whether a symbolic link is written through, and what is no
      regular file (a pipe, a device) is written to directly. Else a link gives
      way to the file, and anything else is refused: what lies in a directory of
      results must not lead elsewhere, and a pipe would be waited for.

  Yields:
    The open temporary file.

  Raises:
    OSError: If the directory or the disk refuses the write.
    UserError: If `path` is refused.
  """
  is_special = os.path.exists(path) and not os.path.isfile(path)
  if through_links:
    path = os.path.realpath(path)
    if is_special:
      # A pipe or a device: a rename would be the end of it.
      with open(path, mode) as stream:
        yield stream
      return
  elif is_special and not os.path.islink(path):
    raise UserError("%s is %s, where a file is to be written" % (
        path, _kind(path)))
  path = os.path.abspath(path)
  if os.path.isfile(path) and not os.path.islink(path):
    permissions = os.stat(path).st_mode & 0o7777
  else:
    umask = os.umask(0)
    os.umask(umask)
    permissions = 0o666 & ~umask
  for abandoned in _abandoned(glob.escape(path) + _MARK, _SUFFIX):
    with contextlib.suppress(FileNotFoundError):  # Another may be as fast.
      os.unlink(abandoned)
  descriptor, temporary = _create_temporary(path)
  try:
    with os.fdopen(descriptor, mode) as stream:
      yield stream
      stream.flush()
      os.fsync(stream.fileno())
      os.chmod(temporary, permissions)
      os.replace(temporary, path)  # While the lock is held.
  except BaseException as e:
    os.unlink(temporary)
    if isinstance(e, OSError) and e.filename is None:
      e.filename = path  # A write that fails does not say where.
    raise


def _create_temporary(path):
  """Makes a file beside `path`, locked, so that others leave it alone.

  Args:
    path: The file that it is to become.

  Returns:
    A descriptor and the name of the file.
  """
  while True:
    descriptor, temporary = tempfile.mkstemp(
        prefix=os.path.basename(path) + _MARK, suffix=_SUFFIX,
        dir=os.path.dirname(path))
    _lock(descriptor)
    if os.fstat(descriptor).st_nlink:
      return descriptor, temporary
    os.close(descriptor)  # Somebody was faster and took it for abandoned.


@contextlib.contextmanager
def staging_directory(parent, prefix):
  """Makes a directory in which to prepare what is then moved beside it.

  It is removed at the end; what a killed process left is removed by the next.

  Args:
    parent: The directory in which to make it.
    prefix: What its name begins with, before eight other characters.

  Yields:
    Its path.

  Raises:
    OSError: If it cannot be made.
  """
  for abandoned in _abandoned(os.path.join(glob.escape(parent), prefix)):
    shutil.rmtree(abandoned, ignore_errors=True)
  with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as directory:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
      _lock(descriptor)
      yield directory
    finally:
      os.close(descriptor)


def _abandoned(prefix, suffix=""):
  """Yields temporary files and directories that no living process has locked.

  Args:
    prefix: What comes before the eight random characters of their paths, as a
      pattern of `glob`.
    suffix: What comes after them.
  """
  for path in glob.glob("%s????????%s" % (prefix, suffix)):
    try:
      descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
      continue
    try:
      if _lock(descriptor):
        yield path
    finally:
      os.close(descriptor)


def _lock(descriptor):
  """Locks a file unless another process has; whether that is certain."""
  try:
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except OSError:  # Some network file systems have no locks.
    return False
  return True


def write_json(path, pairs):
  """Writes a JSON object, whole or not at all.

  Args:
    path: The file.
    pairs: A list of keys and values.

  Raises:
    OSError: If the directory or the disk refuses the write.
  """
  with atomic_write(path, "w", through_links=False) as stream:
    json.dump(collections.OrderedDict(pairs), stream, indent=2)
    stream.write("\n")


def read_bytes(path, max_bytes):
  """Reads a file that may be anything at all.

  Args:
    path: The file.
    max_bytes: How large it may be.

  Returns:
    Its bytes.

  Raises:
    OSError: If it cannot be read, or is a pipe or a device, which might never
      end.
    ValueError: If it is larger.
  """
  if not stat.S_ISREG(os.stat(path).st_mode):
    raise OSError(errno.EINVAL, "not a regular file", path)
  with open(path, "rb") as stream:
    data = stream.read(max_bytes + 1)
  if len(data) > max_bytes:
    raise ValueError("larger than %d MB" % (max_bytes >> 20))
  return data


def read_json(path, known_format=None):
  """Reads a JSON file that may hold anything at all.

  Args:
    path: The file.
    known_format: None, or what the object's "format" must be, if it has one.

  Returns:
    What it holds.

  Raises:
    OSError: If it cannot be read, or is a pipe or a device, which might never
      end.
    ValueError: If it is not JSON, nested too deeply, larger than 16 MB, or of
      another format.
  """
  data = read_bytes(path, _MAX_JSON_BYTES)
  try:
    content = json.loads(data.decode("utf-8"))
  except RecursionError as e:
    raise ValueError("nested too deeply") from e
  if known_format is not None and isinstance(content, dict) and (
      content.get("format", known_format) != known_format):
    raise ValueError("its format is %.20r, this version reads %d" % (
        content["format"], known_format))
  return content


def check_directory(flag, path, file_names=()):
  """Says why a directory cannot be used, before work is done; makes nothing.

  Args:
    flag: The flag that names the directory.
    path: The directory, which need not exist.
    file_names: Names of files that are to be written into it.

  Raises:
    UserError: If it cannot be made or written to, or holds a directory or a
      pipe where a file is to be.
  """
  with _explaining(flag, path):
    existing = os.path.abspath(path)
    while not _exists(existing):
      existing = os.path.dirname(existing)
    if not os.path.isdir(existing):
      raise OSError("%s is not a directory" % existing)
    if not os.access(existing, os.W_OK | os.X_OK):
      raise OSError("%s is not writable" % existing)
  for name in file_names:
    file_path = os.path.join(path, name)
    if os.path.lexists(file_path) and not (
        os.path.islink(file_path) or os.path.isfile(file_path)):
      raise UserError("--%s=%s holds %s %s, where a file is to be written" % (
          flag, path, _kind(file_path), name))


def _kind(path):
  """What is at a path, if it is no file."""
  return "a directory" if os.path.isdir(path) else "a pipe or device"


def prepare_directory(flag, path):
  """Makes a directory, or says why it cannot be used.

  Args:
    flag: The flag that names the directory.
    path: The directory.

  Raises:
    UserError: If it cannot be made or written to.
  """
  with _explaining(flag, path):
    os.makedirs(path, exist_ok=True)
  check_directory(flag, path)


@contextlib.contextmanager
def _explaining(flag, path):
  """Turns an OSError into one line about a flag's directory."""
  try:
    yield
  except OSError as e:
    raise UserError(
        "--%s=%s: %s; must be a directory that can be written to" % (
            flag, path, e.strerror or e)) from e


def _exists(path):
  """Returns if something is at a path; an OSError if there never can be."""
  try:
    os.lstat(path)
  except (FileNotFoundError, NotADirectoryError):
    return False
  return True
