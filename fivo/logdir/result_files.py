"""Files of named arrays that can be read without pickle."""

import collections
import os

import numpy as np

from fivo.system import errors
from fivo.system import files
from fivo.system import log

# NumPy counts the bytes of a record in 32 bits.
_MAX_BYTES = 2 ** 31 - 1


def check_size(name, value, bytes_per_unit, remedy, other_bytes=0):
  """Refuses, before they are made, results that are too large for a file.

  Their size is `value * bytes_per_unit + other_bytes`, with the name and value
  of a flag; `remedy` names other flags that may be lowered.
  """
  size = value * bytes_per_unit + other_bytes
  if size > _MAX_BYTES:
    raise errors.UserError(
        "--%s=%d: the results take %d MB, too much for an array file, which "
        "has less than 2 GiB; must be at most %d, or lower %s" % (
            name, value, size >> 20,
            max(0, _MAX_BYTES - other_bytes) // bytes_per_unit, remedy))


def write(flag, directory, name, named_arrays):
  """Writes a dict of array-likes so that `np.load` returns them by name.

  The file, whose path is returned, holds one 0-d structured array in NumPy's
  `.npy` form, so that `np.load(path)["name"]` and `np.load(path)[()]["name"]`,
  as for the original's pickled dicts, work without `allow_pickle`.
  """
  named_arrays = collections.OrderedDict(
      (name, np.asarray(value)) for name, value in named_arrays.items())
  record = np.zeros((), dtype=[
      (name, value.dtype, value.shape) for name, value in named_arrays.items()])
  for key, value in named_arrays.items():
    record[key] = value
  path = os.path.join(directory, name)
  with errors.writing_to(flag, directory):
    files.prepare_directory(flag, directory)
    with files.atomic_write(path) as stream:
      np.save(stream, record, allow_pickle=False)
  log.info("Wrote %s.", path)
  return path
