"""Datasets in a pickle: splits and a train mean, read safely and checked.

Such a file is a pickled dictionary. Under "train", "valid" and "test" it holds
splits, which are lists of sequences; under "train_mean" the mean of the train
split over all timesteps. What a sequence is, `pianorolls` and `poses` say.

Every mistake in a file is a `UserError` whose message starts with its path.
"""

import os

import numpy as np

from fivo.formats import pickles
from fivo.formats import reading
from fivo.formats.reading import describe
from fivo.system.errors import UserError

SPLITS = ("train", "valid", "test")
MEAN_KEY = "train_mean"

# A few bytes of a pickle can stand for any number of references to one step.
# The largest dataset in use (MuseData) has 0.4 million timesteps.
_MAX_STEPS = 50 * 1000 * 1000
_MAX_FILE_BYTES = 1 << 28


def load(path, kind, remedy):
  """Reads the dictionary in a file; looks at no sequence.

  Nothing that the file says is run. Messages name `kind` of file, and say how
  to get one by `remedy`.
  """
  if not os.path.exists(path):
    raise UserError("%s: no such file; %s" % (path, remedy))
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a %s file in it"
                    % (path, kind))
  return parse(reading.read_bytes(path, _MAX_FILE_BYTES), path, kind, remedy)


def parse(data, path, kind, remedy):
  """Reads the dictionary in the bytes of a file; see `load`."""
  if not data:
    raise UserError("%s: the file is empty; %s" % (path, remedy))
  if data[:2] == b"\x1f\x8b":
    raise UserError("%s: is compressed; unpack it with gunzip first" % path)
  if data.lstrip()[:1] == b"<":
    raise UserError("%s: holds a web page, not a %s pickle; %s"
                    % (path, kind, remedy))
  if data[4:8] == bytes(4):  # The first record's length.
    remedy = "if it is a TFRecord file, add --dataset_type=speech"
  with reading.complaining(path, "a complete pickle", "; " + remedy):
    try:
      contents = pickles.loads(data)
    except pickles.RefusedError as error:
      raise UserError(
          "%s: refused: %s, which no %s file needs; nothing in it was run; %s"
          % (path, error, kind, remedy)) from error
  if not isinstance(contents, dict):
    raise UserError("%s: holds %s, not a dictionary with the splits %s"
                    % (path, describe(contents), ", ".join(SPLITS)))
  if not set(SPLITS) & set(contents):
    raise UserError("%s: has none of the splits %s, only %s"
                    % (path, ", ".join(SPLITS), _names(contents)))
  return contents


def get_split(contents, split, path):
  """Returns the sequences of a split: a list of lists, none empty.

  Tuples and arrays count as lists.
  """
  if split not in contents or split == MEAN_KEY:
    raise UserError("%s: has no split '%s', only %s" % (
        path, split, _names(key for key in contents if key != MEAN_KEY)))
  where = "%s: split '%s'" % (path, split)
  sequences = contents[split]
  _check_list(sequences, where, "sequences")
  for index, sequence in enumerate(sequences):
    _check_list(sequence, "%s, sequence %d" % (where, index), "timesteps")
  num_steps = sum(map(len, sequences))
  if num_steps > _MAX_STEPS:
    raise UserError("%s has %d timesteps; at most %d are allowed"
                    % (where, num_steps, _MAX_STEPS))
  return sequences


def get_mean(contents, path, size, remedy, low=-np.inf, high=np.inf):
  """Returns the train mean, a float64 array `[size]` in [low, high].

  `remedy` says how to calculate it.
  """
  if MEAN_KEY not in contents:
    raise UserError("%s: has no %s; add it with: %s"
                    % (path, MEAN_KEY, remedy))
  where = "%s: %s" % (path, MEAN_KEY)
  remedy = "; calculate it again with: " + remedy
  with reading.complaining(where, "numbers", remedy):
    mean = np.asarray(contents[MEAN_KEY], np.float64)
  if mean.shape != (size,):
    raise UserError("%s has shape %s, not %s%s"
                    % (where, list(mean.shape), [size], remedy))
  for index, value in enumerate(mean):
    if not (low <= value <= high and np.isfinite(value)):
      raise UserError("%s[%d] is %g, not in [%g, %g]%s"
                      % (where, index, value, low, high, remedy))
  return mean


def _check_list(value, where, of_what):
  """Refuses what is no list, or an empty one."""
  if not isinstance(value, (list, tuple, np.ndarray)) or (
      getattr(value, "ndim", 1) == 0):
    raise UserError("%s is %s, not a list of %s"
                    % (where, describe(value), of_what))
  if not len(value):  # pylint: disable=len-as-condition
    raise UserError("%s has no %s" % (where, of_what))


def _names(keys):
  return ", ".join(map(describe, list(keys)[:10])) or "nothing"
