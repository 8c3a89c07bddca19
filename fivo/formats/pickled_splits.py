"""Datasets in a pickle: splits and a train mean, read safely and checked.

Such a file is a pickled dictionary. Under "train", "valid" and "test" it holds
splits, which are lists of sequences; under "train_mean" the mean of the train
split over all timesteps. What a sequence is, `pianorolls` and `poses` say.

Every mistake in a file is a `UserError` whose message starts with its path.
"""

import os
from typing import NamedTuple

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


class Kind(NamedTuple):
  """What files of one kind hold, for messages.

  Attributes:
    name: What comes before "file".
    example: The name of such a file.
    steps: What a sequence is a list of.
    remedy: Where to get such a file, for one that is missing or broken.
    mean_remedy: How to calculate the train mean; %s is the path.
  """

  name: str
  example: str
  steps: str
  remedy: str
  mean_remedy: str


def load(path, kind):
  """Reads a file without running anything it says; looks at no step.

  Args:
    path: The path of the file.
    kind: A `Kind`.

  Returns:
    The dictionary in the file: some of "train", "valid" and "test", each a
    list of sequences, perhaps "train_mean", and any other keys.

  Raises:
    UserError: If the file cannot be read, is not a pickle, asks for anything
      but plain data, or is not a dictionary of splits.
  """
  data = _read(path, kind)
  remedy = kind.remedy
  if data[4:8] == bytes(4):  # The first record's length.
    remedy = "if it is a TFRecord file, add --dataset_type=speech"
  with reading.complaining(path, "a complete pickle", "; " + remedy):
    try:
      contents = pickles.loads(data)
    except pickles.RefusedError as error:
      raise UserError(
          "%s: refused: %s, which no %s file needs; nothing in it was run; %s"
          % (path, error, kind.name, kind.remedy)) from error
  if not isinstance(contents, dict):
    raise UserError("%s: holds %s, not a dictionary with the splits %s"
                    % (path, describe(contents), ", ".join(SPLITS)))
  if not set(SPLITS) & set(contents):
    raise UserError("%s: has none of the splits %s, only %s"
                    % (path, ", ".join(SPLITS), _names(contents)))
  return contents


def get_split(contents, split, path, kind):
  """Returns the sequences of a split, of which there are some, none empty.

  Args:
    contents: A dictionary as `load` returns it.
    split: The key of the split.
    path: The path of the file, for messages.
    kind: A `Kind`.

  Returns:
    A list of lists; tuples and arrays count as lists.

  Raises:
    UserError: If the split is missing, empty, or has an empty sequence.
  """
  if split not in contents or split == MEAN_KEY:
    there = [key for key in contents if key != MEAN_KEY]
    raise UserError("%s: has no split '%s', only %s"
                    % (path, split, _names(there)))
  sequences = contents[split]
  where = "%s: split '%s'" % (path, split)
  if not _is_list(sequences):
    raise UserError("%s is %s, not a list of sequences"
                    % (where, describe(sequences)))
  if not len(sequences):  # pylint: disable=len-as-condition
    raise UserError("%s has no sequences" % where)
  for index, sequence in enumerate(sequences):
    if not _is_list(sequence):
      raise UserError("%s, sequence %d is %s, not a list of %s"
                      % (where, index, describe(sequence), kind.steps))
    if not len(sequence):  # pylint: disable=len-as-condition
      raise UserError("%s, sequence %d has length 0; remove it"
                      % (where, index))
  num_steps = sum(map(len, sequences))
  if num_steps > _MAX_STEPS:
    raise UserError("%s has %d timesteps; at most %d are allowed"
                    % (where, num_steps, _MAX_STEPS))
  return sequences


def get_mean(contents, path, size, kind, minimum=-np.inf, maximum=np.inf):
  """Returns the checked train mean of a file.

  Args:
    contents: A dictionary as `load` returns it.
    path: The path of the file, for messages.
    size: The size D of an observation.
    kind: A `Kind`.
    minimum: The least value that is right.
    maximum: The greatest value that is right.

  Returns:
    A float64 array of shape `[D]`.

  Raises:
    UserError: If there is no train mean (names what adds one), or if it is not
      `D` finite numbers in [minimum, maximum].
  """
  command = kind.mean_remedy % path
  if MEAN_KEY not in contents:
    raise UserError("%s: has no %s; add it with: %s"
                    % (path, MEAN_KEY, command))
  problem = "; calculate it again with: " + command
  with reading.complaining("%s: %s" % (path, MEAN_KEY), "numbers", problem):
    mean = np.asarray(contents[MEAN_KEY], np.float64)
  if mean.shape != (size,):
    raise UserError("%s: %s has shape %s, not %s%s" % (
        path, MEAN_KEY, list(mean.shape), [size], problem))
  with np.errstate(invalid="ignore"):  # NaN is neither.
    wrong = np.flatnonzero(~(np.isfinite(mean) & (mean >= minimum)
                             & (mean <= maximum)))
  if wrong.size:
    wanted = ("in [%g, %g]" % (minimum, maximum) if np.isfinite(minimum)
              else "a finite number")
    raise UserError("%s: %s[%d] is %g, not %s%s" % (
        path, MEAN_KEY, wrong[0], mean[wrong[0]], wanted, problem))
  return mean


def _read(path, kind):
  """Returns the bytes of the file at `path`, or raises a UserError."""
  if not os.path.exists(path):
    raise UserError("%s: no such file; %s" % (path, kind.remedy))
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a %s file, e.g. %s" % (
        path, kind.name, os.path.join(path, kind.example)))
  data = reading.read_bytes(path, _MAX_FILE_BYTES)
  if not data:
    raise UserError("%s: the file is empty; %s" % (path, kind.remedy))
  if data[:2] == b"\x1f\x8b":
    raise UserError("%s: is compressed; unpack it with gunzip first" % path)
  if data.lstrip()[:1] == b"<":
    raise UserError("%s: holds a web page, not a %s pickle; %s"
                    % (path, kind.name, kind.remedy))
  return data


def _is_list(value):
  """Whether a value may be a split or a sequence."""
  return isinstance(value, (list, tuple)) or (
      isinstance(value, np.ndarray) and value.ndim > 0)


def _names(keys):
  return ", ".join(map(describe, list(keys)[:10])) or "nothing"
