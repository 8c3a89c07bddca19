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


class SeriesInfo(NamedTuple):
  """The mean of the train split, `[D]`; None or its deviation and names."""

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
  """Makes a `SeriesInfo` of what `to_json` returned; checks that it is that."""
  mean = np.array(values["mean"], np.float64)
  std = np.ones_like(mean) if values["std"] is None else np.array(
      values["std"], np.float64)
  names = values.get("names")
  if (mean.ndim != 1 or std.shape != mean.shape or not (
      np.isfinite(mean) & np.isfinite(std) & (std > 0.)).all()
      or names is not None and list(map(type, names)) != [str] * len(mean)):
    raise ValueError("not the means, deviations and names of a series")
  return SeriesInfo(mean, None if values["std"] is None else std, names)


def read(path):
  """Returns the `SeriesInfo` of a file's or directory's train split."""
  with errors.naming_flag("dataset_path"):
    sequences, names = series.read_split(path, "train")
    info = summarize(sequences, names)
    for column in constant_columns(info)[:1]:
      raise UserError(
          "%s: split 'train': column %s is %s throughout; remove it: the "
          "density of a constant has no bound" % (
              path, describe_columns(names, [column]), info.mean[column]))
    warn_of_times(path, sequences, names)
    return info


def check_fits(path, split, sequences, names, info):
  """Raises a UserError for a split that is unlike the training data."""
  if names and info.names and names != info.names:
    raise UserError("%s: the columns are %s; those of the training data are %s"
                    % (path, ", ".join(names), ", ".join(info.names)))
  for index, sequence in enumerate(sequences):
    place = "%s: split '%s', sequence %d" % (path, split, index)
    if sequence.shape[1] != info.width:
      raise UserError("%s has %d columns; the training data has %d" % (
          place, sequence.shape[1], info.width))
    if info.is_binary:
      for step, column in np.argwhere((sequence != 0.) & (sequence != 1.))[:1]:
        raise UserError("%s, step %d: number %d is %s; must be 0 or 1, as all "
                        "of the training data" % (
                            place, step, column, sequence[step, column]))


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
  """Warns of columns that rise by a constant step in all arrays `[T, D]`."""
  steps = [np.diff(values, axis=0) for values in sequences if len(values) > 2]
  rises = [((step > 0) & np.isclose(step, step[0], 1e-6)).all(axis=0)
           for step in steps]
  found = np.flatnonzero(np.all(rises, axis=0)) if rises else []
  if len(found):
    logging.warning(
        "%s: column %s rises by a constant step; if it is a time or an index, "
        "it is no data.", path, describe_columns(names, found))
