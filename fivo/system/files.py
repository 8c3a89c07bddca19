"""Files written whole or not at all, directories, and JSON."""

import contextlib
import errno
import json
import os
import re
import shutil

from fivo.system import errors

_MAX_JSON_BYTES = 1 << 24
_SCHEME = re.compile("([a-z][a-z0-9+.-]*)://(?:localhost(?=/))?",
                     re.IGNORECASE)


def local_path(path):
  """Turns a path, ~/path or file:///path into a path to open.

  TensorFlow would look for any other URL, such as gs://bucket/run, on the
  network, while Python would make a directory of that name.
  """
  path = os.path.expanduser(path)
  found = _SCHEME.match(path)
  if not found:
    return path
  if found.group(1).lower() != "file" or path[found.end():][:1] != "/":
    raise errors.UserError(
        "%s: must be a path on this machine, not a URL" % path)
  return path[found.end():]


@contextlib.contextmanager
def atomic_write(path, mode="wb"):
  """Opens a temporary file that becomes `path` if the block succeeds.

  If the block raises or the disk is full, `path` is unchanged. A new version of
  a file keeps its permissions; a symbolic link is replaced by the file.
  """
  if os.path.exists(path) and not os.path.isfile(path):
    raise OSError(errno.EEXIST, "not a file", path)
  temporary = "%s.%d.tmp" % (path, os.getpid())
  try:
    with open(temporary, mode) as stream:
      yield stream
      stream.flush()
      os.fsync(stream.fileno())
    if os.path.isfile(path):
      shutil.copymode(path, temporary)
    os.replace(temporary, path)
  except BaseException as e:
    with contextlib.suppress(OSError):
      os.unlink(temporary)
    if isinstance(e, OSError) and e.filename in (None, temporary):
      e.filename = path  # A failed write does not name the file.
    raise


def write_json(path, pairs):
  """Writes a JSON object of keys and values, whole or not at all."""
  with atomic_write(path, "w") as stream:
    json.dump(dict(pairs), stream, indent=2)
    stream.write("\n")


def read_bytes(path, max_bytes):
  """Reads a file's bytes; a ValueError if there are more than `max_bytes`."""
  if os.path.exists(path) and not os.path.isfile(path):
    # A pipe or a device might never end.
    raise OSError(errno.EINVAL, "not a regular file", path)
  with open(path, "rb") as stream:
    data = stream.read(max_bytes + 1)
  if len(data) > max_bytes:
    raise ValueError("larger than %d MB" % (max_bytes >> 20))
  return data


def read_json(path, known_format=None):
  """Reads a JSON file; a ValueError or OSError if it is not one.

  If an object has a "format" it must be `known_format`, unless that is None.
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
  """Refuses a flag's directory if the files could not be written."""
  existing = os.path.abspath(path)
  while not os.path.lexists(existing):
    existing = os.path.dirname(existing)
  if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
    raise errors.UserError(
        "--%s=%s: %s is not %s; must be a directory that can be written to" % (
            flag, path, existing,
            "writable" if os.path.isdir(existing) else "a directory"))
  for name in file_names:
    file_path = os.path.join(path, name)
    if os.path.exists(file_path) and not os.path.isfile(file_path):
      raise errors.UserError("--%s=%s: its %s is not a file, but one is to "
                             "be written; move it away" % (flag, path, name))


def prepare_directory(flag, path):
  """Makes a directory; a `UserError` if it cannot be used."""
  check_directory(flag, path)
  with errors.writing_to(flag, path):
    os.makedirs(path, exist_ok=True)
