"""Pose files: `pickled_splits` of arrays `[T, D]`, or lists of T rows."""

import numpy as np

from fivo.formats import pickled_splits
from fivo.formats import reading
from fivo.system.errors import UserError

_REMEDY = ("a pose file is a pickled dictionary with train, valid, test (lists "
           "of arrays [T, D]) and train_mean ([D])")


def read(path, split):
  """A split, a list of float32 arrays `[T, D]`, and the train mean `[D]`."""
  contents = pickled_splits.load(path, "pose", _REMEDY)
  arrays = []
  sequences = pickled_splits.get_split(contents, split, path)
  for index, sequence in enumerate(sequences):
    where = "%s: split '%s', sequence %d" % (path, split, index)
    with np.errstate(over="ignore"), reading.complaining(
        where, "an array [T, D] of numbers"):
      array = np.asarray(np.asarray(sequence, np.float64), np.float32)
    width = arrays[0].shape[1] if arrays else array.shape[-1]
    if array.ndim != 2 or array.shape[1] != width or not width:
      raise UserError("%s: has shape %s, not [T, D], with one D for all"
                      % (where, list(array.shape)))
    wrong = np.argwhere(~np.isfinite(array))
    if wrong.size:
      raise UserError("%s, step %d: number %d is not a finite number of 32 bits"
                      % (where, *wrong[0]))
    arrays.append(array)
  return arrays, pickled_splits.get_mean(
      contents, path, width, "np.concatenate(train).mean(axis=0)")
