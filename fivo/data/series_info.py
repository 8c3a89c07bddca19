"""What a run must know of the time series that it is trained on.

Data whose training split holds nothing but zeros and ones is binary, for a
Bernoulli emission. All other data is real, for a Normal one, and standardised:
each column by its mean and standard deviation over all timesteps of the train
split. A bound on it is that of the standardised data, in nats; the bound of the
data itself is lower by sum(log std) per timestep.
"""

from typing import List
from typing import NamedTuple
from typing import Optional

from absl import logging
import numpy as np

from fivo.formats import series
from fivo.system import errors
from fivo.system.errors import UserError

# A column that rises for so many steps without fail is hardly by chance.
_MANY_STEPS = 10


class SeriesInfo(NamedTuple):
  """What a run must know of its training data.

  Attributes:
    mean: The mean of the train split, a float64 array `[D]`.
    std: Its standard deviation, a float64 array `[D]`; None for binary data.
    names: The names of the columns, a list of D str, or None.
  """

  mean: np.ndarray
  std: Optional[np.ndarray]
  names: Optional[List[str]] = None

  @property
  def width(self):
    """D, the size of an observation."""
    return len(self.mean)

  @property
  def is_binary(self):
    """Whether the data is of zeros and ones."""
    return self.std is None

  def standardize(self, values):
    """Returns values in the units of the model, a float32 array `[..., D]`."""
    if not self.is_binary:
      values = (values - self.mean) / self.std
    return values.astype(np.float32)

  def restore(self, values):
    """Returns samples `[..., D]` in the units of the data, float32."""
    values = np.asarray(values)
    if not self.is_binary:
      values = values * self.std + self.mean
    return values.astype(np.float32)

  def to_json(self):
    """Returns plain data that `from_json` understands."""
    values = {"mean": self.mean.tolist(),
              "std": None if self.is_binary else self.std.tolist()}
    return values if self.names is None else dict(values, names=self.names)


def from_json(values):
  """Makes a `SeriesInfo` of what `to_json` returned.

  Raises a ValueError, TypeError or KeyError if it is nothing of the kind.
  """
  mean = np.array(values["mean"], np.float64)
  std = values["std"] if values["std"] is None else np.array(
      values["std"], np.float64)
  names = values.get("names")
  if mean.ndim != 1 or not np.isfinite(mean).all():
    raise ValueError("the mean of a series must be a list of finite numbers")
  if std is not None and (std.shape != mean.shape
                          or not (np.isfinite(std) & (std > 0.)).all()):
    raise ValueError("the deviation of a series must be as many positive "
                     "numbers as the mean")
  if names is not None and (
      len(names) != len(mean) or not all(isinstance(n, str) for n in names)):
    raise ValueError("the names of a series must be as many as its columns")
  return SeriesInfo(mean, std, names)


def read(path):
  """Returns the `SeriesInfo` of the train split of a path of `formats.series`.

  Raises a `UserError` if it is missing or bad, or a column of real data is
  constant.
  """
  with errors.naming_flag("dataset_path"):
    sequences = series.read_split(path, "train")
    info = summarize(sequences, series.read_names(path, sequences[0].shape[1]))
    constant = constant_columns(info)
    if constant:
      raise UserError(
          "%s: split 'train': column %s is %s throughout; remove it: the "
          "density of a constant has no bound" % (
              path, describe_columns(info.names, constant[:1]),
              info.mean[constant[0]]))
    warn_of_times(path, sequences, info.names)
    return info


def summarize(sequences, names=None):
  """Returns the `SeriesInfo` of a list of arrays `[T, D]`."""
  values = np.concatenate(sequences)
  is_binary = ((values == 0.) | (values == 1.)).all()
  std = values.std(axis=0)
  std[values.min(axis=0) == values.max(axis=0)] = 0.
  return SeriesInfo(values.mean(axis=0), None if is_binary else std, names)


def constant_columns(info):
  """Returns the indices of the columns of real data that are constant."""
  return [] if info.is_binary else list(
      np.flatnonzero(info.std.astype(np.float32) == 0.))


def describe_columns(names, columns):
  """Names columns by their headers, or by their numbers from 0 on."""
  return ", ".join(repr(names[c]) if names else str(c) for c in columns)


def warn_of_times(path, sequences, names):
  """Warns of columns of arrays `[T, D]` that rise as a time or an id does."""
  steps = [np.diff(sequence, axis=0) for sequence in sequences
           if len(sequence) > 2]
  if not steps:
    return
  is_even = np.all([np.isclose(step, step[0], 1e-6).all(axis=0)
                    for step in steps], axis=0)
  steps = np.concatenate(steps)
  found = np.flatnonzero((steps >= 0).all(axis=0) & (steps > 0).any(axis=0)
                         & (is_even | (len(steps) >= _MANY_STEPS)))
  if found.size:
    logging.warning(
        "%s: column %s never falls; if it is a time, an index or an id, it is "
        "no data.", path, describe_columns(names, found))
