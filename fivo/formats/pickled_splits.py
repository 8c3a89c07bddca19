"""Datasets in a pickle: splits and a train mean, read safely and checked.

Such a file is a pickled dictionary. "train", "valid" and "test" are lists of
sequences, see `pianorolls`; in a pose file these are arrays `[T, D]` or lists
of T rows. "train_mean" is the mean of the train split over all timesteps. A
`remedy` says how to get a good file.
"""

import os

import numpy as np

from fivo.formats import pickles
from fivo.formats import reading
from fivo.formats.reading import describe
from fivo.system.errors import UserError

SPLITS = ("train", "valid", "test")
MEAN_KEY = "train_mean"
_POSE_REMEDY = ("a pose file is a pickled dictionary with train, valid, test "
                "(lists of arrays [T, D]) and train_mean ([D])")


def load(path, kind, remedy):
  """Reads the dictionary in a file of a kind; does not check its sequences."""
  if not os.path.exists(path):
    raise UserError("%s: no such file; %s" % (path, remedy))
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a %s file in it"
                    % (path, kind))
  return parse(reading.read_bytes(path), path, kind, remedy)


def parse(data, path, kind, remedy):
  """Reads the dictionary in the bytes of a file; see `load`."""
  if data[:2] == b"\x1f\x8b":
    raise UserError("%s: is compressed; unpack it with gunzip first" % path)
  if data.lstrip()[:1] == b"<":
    raise UserError("%s: holds a web page, not a %s pickle; %s"
                    % (path, kind, remedy))
  if data[4:8] == bytes(4):  # The first record's length.
    remedy = "if it is a TFRecord file, add --dataset_type=speech"
  if data[:2] == b"PK":  # A zip archive.
    remedy = "if it is an .npz file of series, add --dataset_type=series"
  with reading.as_user_error(path, "a complete pickle", "; " + remedy):
    try:
      contents = pickles.loads(data)
    except pickles.RefusedError as error:
      raise UserError(
          "%s: refused: %s, which no %s file needs; nothing in it was run; %s"
          % (path, error, kind, remedy)) from error
  if not isinstance(contents, dict):
    raise UserError("%s: holds %s, not a dictionary with the splits %s"
                    % (path, describe(contents), ", ".join(SPLITS)))
  return contents


def get_split(contents, split, path):
  """The sequences of a split, a list, tuple or array of non-empty ones."""
  others = [key for key in contents if key != MEAN_KEY]
  if split not in others:
    raise UserError("%s: has no split '%s', only %s" % (
        path, split, ", ".join(map(describe, others[:10])) or "nothing"))
  where = "%s: split '%s'" % (path, split)
  _check_list(contents[split], where, "sequences")
  for index, sequence in enumerate(contents[split]):
    _check_list(sequence, "%s, sequence %d" % (where, index), "timesteps")
  return contents[split]


def convert(contents, split, path, function):
  """Applies a function to each sequence; adds the place to its `UserError`."""
  converted = []
  for index, sequence in enumerate(get_split(contents, split, path)):
    try:
      converted.append(function(sequence))
    except UserError as error:
      raise UserError("%s: split '%s', sequence %d, %s"
                      % (path, split, index, error)) from error
  return converted


def get_mean(contents, path, size, remedy, low=-np.inf, high=np.inf):
  """The train mean, a float64 array `[size]` of numbers in [low, high]."""
  if MEAN_KEY not in contents:
    raise UserError("%s: has no %s; add it with: %s" % (path, MEAN_KEY, remedy))
  where = "%s: %s" % (path, MEAN_KEY)
  remedy = "; calculate it again with: " + remedy
  with reading.as_user_error(where, "numbers", remedy):
    mean = np.asarray(contents[MEAN_KEY], np.float64)
  if mean.shape != (size,):
    raise UserError("%s has shape %s, not %s%s"
                    % (where, list(mean.shape), [size], remedy))
  for index, value in enumerate(mean):
    if not (low <= value <= high and np.isfinite(value)):
      raise UserError("%s[%d] is %g, not in [%g, %g]%s"
                      % (where, index, value, low, high, remedy))
  return mean


def read_poses(path, split):
  """A split of a pose file, float32 arrays `[T, D]`, and the mean `[D]`."""
  contents = load(path, "pose", _POSE_REMEDY)
  arrays = []
  for index, sequence in enumerate(get_split(contents, split, path)):
    where = "%s: split '%s', sequence %d" % (path, split, index)
    with np.errstate(over="ignore"), reading.as_user_error(
        where, "an array [T, D] of numbers"):
      array = np.asarray(np.asarray(sequence, np.float64), np.float32)
    width = arrays[0].shape[1] if arrays else array.shape[-1]
    if array.ndim != 2 or array.shape[1] != width or not width:
      raise UserError("%s: has shape %s, not [T, D], with one D for all"
                      % (where, list(array.shape)))
    for wrong in np.argwhere(~np.isfinite(array))[:1]:
      raise UserError("%s, step %d: number %d is not a finite number of 32 bits"
                      % (where, *wrong))
    arrays.append(array)
  return arrays, get_mean(
      contents, path, width, "np.concatenate(train).mean(axis=0)")


def _check_list(value, where, items):
  """Refuses a value that is not a list, or is an empty one."""
  if not isinstance(value, (list, tuple, np.ndarray)) or (
      getattr(value, "ndim", 1) == 0):
    raise UserError("%s is %s, not a list of %s"
                    % (where, describe(value), items))
  if not len(value):  # pylint: disable=len-as-condition
    raise UserError("%s has no %s" % (where, items))
