"""The statistics of the time series that a run is trained on.

Data whose train split has only zeros and ones is binary, for a Bernoulli
emission. All other data is real, for a Normal emission, and standardised: each
column by its mean and standard deviation over all timesteps of the train split.
Its bounds are on the standardised data, in nats; a bound on the data itself is
lower by sum(log std) per timestep.
"""

import typing

import numpy as np

from fivo.formats import series
from fivo.system import errors
from fivo.system import log
from fivo.system.errors import UserError


class SeriesInfo(typing.NamedTuple):
  """Statistics of the train split; binary data has no deviation."""

  mean: np.ndarray
  std: typing.Optional[np.ndarray]
  names: typing.Optional[typing.List[str]] = None

  @property
  def is_binary(self):
    """True if the data consists of zeros and ones."""
    return self.std is None

  def standardize(self, values):
    """Returns values in the units of the model, a float32 array `[..., D]`."""
    return np.asarray(values if self.is_binary else (
        values - self.mean) / self.std, np.float32)

  def restore(self, values):
    """Returns samples `[..., D]` in the units of the data, float32."""
    return np.asarray(values if self.is_binary else (
        values * self.std + self.mean), np.float32)

  def to_json(self):
    """Returns plain data that `from_json` understands."""
    values = {"mean": self.mean.tolist(),
              "std": None if self.is_binary else self.std.tolist()}
    return values if self.names is None else dict(values, names=self.names)


def from_json(values):
  """Makes a `SeriesInfo` from a result of `to_json`, which is checked."""
  mean = np.array(values["mean"], np.float64)
  std = values["std"] and np.array(values["std"], np.float64)
  if mean.ndim != 1 or std is not None and std.shape != mean.shape:
    raise ValueError("not the means and deviations of a series")
  return SeriesInfo(mean, std, values.get("names"))


def read(path):
  """Returns the `SeriesInfo` of a file's or directory's train split."""
  with errors.naming_flag("dataset_path"):
    return summarize(path, *series.read_split(path, "train"))


def summarize(path, sequences, names):
  """Returns the `SeriesInfo` of arrays `[T, D]`; refuses constant columns."""
  values = np.concatenate(sequences)
  labels = np.array(names or range(values.shape[1]))
  is_constant = find_constants(sequences)
  if is_constant.any():
    raise UserError(
        "%s: the training data is the same throughout in column %s and has no "
        "density; see --drop_constant of create_series_dataset.py" % (
            path, labels[is_constant].tolist()))
  rises = [((step > 0) & np.isclose(step, step[0], 1e-6)).all(axis=0)
           for step in (np.diff(s, axis=0) for s in sequences if len(s) > 2)]
  if rises and np.all(rises, axis=0).any():
    log.warning(
        "%s: column %s rises by a constant step; if it is a time or an index, "
        "it is not data.", path, labels[np.all(rises, axis=0)].tolist())
  is_binary = np.isin(values, [0., 1.]).all()
  return SeriesInfo(
      values.mean(axis=0), None if is_binary else values.std(axis=0), names)


def find_constants(sequences):
  """Finds constant columns of real arrays `[T, D]`; returns bools `[D]`."""
  values = np.concatenate(sequences)
  return (values.ptp(axis=0) == 0.) & ~np.isin(values, [0., 1.]).all()


def check_fits(path, split, sequences, names, info):
  """Raises a UserError for a split that does not fit the training data."""
  values = np.concatenate(sequences)
  found, wanted = values.shape[1], len(info.mean)
  if names and info.names:
    found, wanted = names, info.names
  if found != wanted:
    raise UserError("%s: the columns of split '%s' are %s; those of the "
                    "training data are %s" % (path, split, found, wanted))
  is_wrong = info.is_binary & ~np.isin(values, [0., 1.])
  for row, column in np.argwhere(is_wrong)[:1]:
    raise UserError("%s: %s_values[%d, %d] is not 0 or 1, as the training data"
                    % (path, split, row, column))
