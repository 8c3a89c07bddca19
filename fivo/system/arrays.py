"""Files of named arrays that need no pickle to be read."""

import collections

import numpy as np

from fivo.system import files


def save(path, named_arrays):
  """Writes arrays so that `np.load(path)` gives them by name.

  The file holds one 0-d structured array in NumPy's `.npy` form, whatever its
  name ends in. Hence `np.load(path)["name"]` works, and so does
  `np.load(path)[()]["name"]`, the way to the original's pickled dicts, without
  `allow_pickle`. It is written whole or not at all.

  Args:
    path: The file.
    named_arrays: A dict of array-likes.
  """
  named_arrays = collections.OrderedDict(
      (name, np.asarray(value)) for name, value in named_arrays.items())
  record = np.zeros((), dtype=[
      (name, value.dtype, value.shape) for name, value in named_arrays.items()])
  for name, value in named_arrays.items():
    record[name] = value
  with files.atomic_write(path, through_links=False) as stream:
    np.save(stream, record, allow_pickle=False)
