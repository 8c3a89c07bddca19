"""Files of results: whether they can be, and writing them."""

import os
import re

from fivo.system import arrays
from fivo.system import errors
from fivo.system import files
from fivo.system import log

# NumPy counts the bytes of a record in 32 bits.
_MAX_BYTES = 2 ** 31 - 1
# TensorFlow's and NumPy's on the way to the file.
_COPIES = 4


def check_size(name, value, bytes_per_unit, remedy, other_bytes=0):
  """Refuses results that no file holds, or no memory, before they are made.

  Args:
    name: The name of the flag in which the results' size is linear.
    value: The flag's value.
    bytes_per_unit: How many bytes of results there are for each one of it.
    remedy: The other flags that may be lowered.
    other_bytes: How many bytes there are beside.

  Raises:
    UserError: Naming the flag, its value, and what would be right.
  """
  available = _available_bytes()
  limit = min(_MAX_BYTES, available // _COPIES)
  size = value * bytes_per_unit + other_bytes
  if size <= limit:
    return
  raise errors.UserError(
      "--%s=%d: the results take %d MB, too much for %s; must be at most %d, "
      "or lower %s" % (
          name, value, size >> 20, "an array file, which has less than 2 GiB"
          if limit == _MAX_BYTES else
          "the memory, of which %d MB are free" % (available >> 20),
          max(0, limit - other_bytes) // bytes_per_unit, remedy))


def _available_bytes():
  """The memory that is free, or that caches would make room in."""
  try:
    with open("/proc/meminfo", encoding="ascii") as stream:
      return int(re.search(r"MemAvailable: *([0-9]+)", stream.read())[1]) << 10
  except (OSError, TypeError):  # No Linux, or one that does not say.
    return _COPIES * _MAX_BYTES


def write(flag, directory, name, named_arrays):
  """Writes an array file, see `arrays.save`.

  Args:
    flag: The flag that names the directory.
    directory: The directory, made if need be.
    name: The file's name.
    named_arrays: A dict of array-likes.

  Returns:
    The path of the file.

  Raises:
    UserError: If the directory cannot be written to.
  """
  path = os.path.join(directory, name)
  with errors.writing_to(flag, directory):
    files.prepare_directory(flag, directory)
    arrays.save(path, named_arrays)
  log.info("Wrote %s.", path)
  return path
