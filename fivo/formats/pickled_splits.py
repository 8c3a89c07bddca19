"""Datasets in a pickle: splits and a train mean, read safely and checked.

Such a file is a pickled dictionary. Under "train", "valid" and "test" it holds
splits, which are lists of sequences; under "train_mean" the mean of the train
split over all timesteps. What a sequence is, `pianorolls` and `pose` say.

Nothing that a file says is run, see `pickles`. Every mistake in a file is
a `UserError` whose message starts with the file's path.
"""

import collections
import numbers
import os

import numpy as np

from fivo.formats import pickles
from fivo.formats.pickles import describe
from fivo.system.errors import UserError

SPLITS = ("train", "valid", "test")
MEAN_KEY = "train_mean"

# A few bytes of a pickle can stand for any number of references to one step.
# The largest dataset in use (MuseData) has 0.4 million timesteps.
_MAX_STEPS = 50 * 1000 * 1000
# Read as plain data, a file takes up to a hundred times its size.
_MAX_FILE_BYTES = 1 << 28
_MAX_SHOWN_NAMES = 10


class Kind(collections.namedtuple("Kind", [
    "name", "example", "list_types", "steps", "remedy", "mean_remedy"])):
  """What files of one kind hold, for checks and messages.

  Attributes:
    name: What comes before "file".
    example: The name of such a file.
    list_types: A tuple of the types that splits and sequences may have.
    steps: What a sequence is a list of.
    remedy: Where to get such a file, for one that is missing or broken.
    mean_remedy: How to calculate the train mean; %s is the path.
  """

  def is_list(self, value):
    """Whether a value may be a split or a sequence."""
    return (isinstance(value, self.list_types)
            and getattr(value, "ndim", 1) > 0)  # A scalar array is no list.


def load(path, kind):
  """Reads a file without running anything it says.

  Integers that were NumPy scalars become Python integers; arrays stay arrays.
  Steps are not looked at.

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
  try:
    contents = pickles.loads(data)
  except pickles.RefusedError as error:
    raise UserError(
        "%s: refused: %s, which no %s file needs; nothing in it was run; %s"
        % (path, error, kind.name, kind.remedy)) from error
  except (Exception, MemoryError) as error:  # pylint: disable=broad-except
    raise UserError(
        "%s: not a complete pickle (%s); %s"
        % (path, one_line(error), kind.remedy)) from error
  _check_is_dataset(contents, path, kind)
  return contents


def get_split(contents, split, path, kind):
  """Returns the sequences of a split, of which there are some, none empty.

  Args:
    contents: A dictionary as `load` returns it.
    split: The key of the split.
    path: The path of the file, for messages.
    kind: A `Kind`.

  Returns:
    A list of lists; NumPy arrays count as lists where `kind` says so.

  Raises:
    UserError: If the split is missing, empty, or has an empty sequence.
  """
  if split not in contents or split == MEAN_KEY:
    there = [key for key in contents if key != MEAN_KEY]
    raise UserError("%s: has no split '%s', only %s"
                    % (path, split, _names(there)))
  sequences = contents[split]
  if not kind.is_list(sequences):
    raise UserError("%s: split '%s' is %s, not a list of sequences"
                    % (path, split, describe(sequences)))
  if not len(sequences):  # pylint: disable=len-as-condition
    raise UserError("%s: split '%s' has no sequences" % (path, split))
  num_steps = 0
  for index, sequence in enumerate(sequences):
    if not kind.is_list(sequence):
      raise UserError("%s: split '%s', sequence %d is %s, not a list of %s"
                      % (path, split, index, describe(sequence), kind.steps))
    if not len(sequence):  # pylint: disable=len-as-condition
      raise UserError("%s: split '%s', sequence %d has length 0; remove it"
                      % (path, split, index))
    num_steps += len(sequence)
  if num_steps > _MAX_STEPS:
    raise UserError("%s: split '%s' has %d timesteps; at most %d are allowed"
                    % (path, split, num_steps, _MAX_STEPS))
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
      `D` numbers in [minimum, maximum].
  """
  command = kind.mean_remedy % path
  if MEAN_KEY not in contents:
    raise UserError("%s: has no %s; add it with: %s"
                    % (path, MEAN_KEY, command))
  mean = contents[MEAN_KEY]
  if isinstance(mean, (list, tuple)) and all(
      isinstance(entry, numbers.Real) for entry in mean):
    try:
      mean = np.array(mean, dtype=np.float64)
    except OverflowError:
      pass  # Of an integer; described below.
  if not isinstance(mean, np.ndarray):
    raise UserError("%s: %s is %s, not an array; calculate it again with: %s"
                    % (path, MEAN_KEY, describe(mean), command))
  if mean.shape != (size,):
    raise UserError(
        "%s: %s has shape %s, not %s; calculate it again with: %s"
        % (path, MEAN_KEY, list(mean.shape), [size], command))
  mean = mean.astype(np.float64)
  with np.errstate(invalid="ignore"):  # NaN is neither.
    wrong = np.flatnonzero(~(np.isfinite(mean) & (mean >= minimum)
                             & (mean <= maximum)))
  if wrong.size:
    wanted = ("in [%g, %g]" % (minimum, maximum) if np.isfinite(minimum)
              else "a finite number")
    raise UserError(
        "%s: %s[%d] is %g, not %s; calculate it again with: %s"
        % (path, MEAN_KEY, wrong[0], mean[wrong[0]], wanted, command))
  return mean


def one_line(error):
  """Returns the type and the message of an exception, shortened."""
  message = str(error).split("\n")[0][:120]
  name = type(error).__name__
  return "%s: %s" % (name, message) if message else name


def _read(path, kind):
  """Returns the bytes of the file at `path`, or raises a UserError."""
  if not os.path.exists(path):
    raise UserError("%s: no such file; %s" % (path, kind.remedy))
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a %s file, e.g. %s" % (
        path, kind.name, os.path.join(path, kind.example)))
  try:
    with open(path, "rb") as stream:
      data = stream.read(_MAX_FILE_BYTES + 1)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror)) from error
  if len(data) > _MAX_FILE_BYTES:
    raise UserError("%s: is larger than %d MB, which no %s file is"
                    % (path, _MAX_FILE_BYTES >> 20, kind.name))
  if not data:
    raise UserError("%s: the file is empty; %s" % (path, kind.remedy))
  if data[:2] == b"\x1f\x8b":
    raise UserError("%s: is compressed; unpack it with gunzip first" % path)
  if data.lstrip()[:1] == b"<":
    raise UserError("%s: holds a web page, not a %s pickle; %s"
                    % (path, kind.name, kind.remedy))
  return data


def _check_is_dataset(contents, path, kind):
  """Raises a UserError unless `contents` is a dictionary of splits."""
  if not isinstance(contents, dict):
    raise UserError("%s: holds %s, not a dictionary with the splits %s"
                    % (path, describe(contents), ", ".join(SPLITS)))
  splits = [split for split in SPLITS if split in contents]
  if not splits:
    raise UserError("%s: has none of the splits %s, only %s"
                    % (path, ", ".join(SPLITS), _names(contents)))
  for split in splits:
    if not kind.is_list(contents[split]):
      raise UserError("%s: split '%s' is %s, not a list of sequences"
                      % (path, split, describe(contents[split])))


def _names(keys):
  keys = list(keys)
  return ", ".join([describe(key) for key in keys[:_MAX_SHOWN_NAMES]] +
                   ["..."] * (len(keys) > _MAX_SHOWN_NAMES)) or "nothing"
