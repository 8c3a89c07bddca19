"""What a run must know of the time series that it is trained on.

Data whose training split holds nothing but zeros and ones is binary, for a
Bernoulli emission. All other data is real, for a Normal one, and standardised:
each column by its mean and standard deviation over all timesteps of the train
split. A bound on it is that of the standardised data, in nats; the bound of the
data itself is lower by sum(log std) per timestep.
"""

import collections

import numpy as np

from fivo.data import series_files
from fivo.system import errors
from fivo.system.errors import UserError


class SeriesInfo(collections.namedtuple("SeriesInfo", ["mean", "std"])):
  """What a run must know of its training data.

  Attributes:
    mean: The mean of the train split, a float64 array `[D]`.
    std: Its standard deviation, a float64 array `[D]`; None for binary data.
  """

  __slots__ = ()

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
    """Returns what a model samples in the units of the data.

    Args:
      values: A float array `[..., D]`.

    Returns:
      A float32 array `[..., D]`.
    """
    values = np.asarray(values)
    if not self.is_binary:
      values = values * self.std + self.mean
    return values.astype(np.float32)

  def to_json(self):
    """Returns plain data that `from_json` understands."""
    return {"mean": self.mean.tolist(),
            "std": None if self.is_binary else self.std.tolist()}


def from_json(values):
  """Makes a `SeriesInfo` of what `to_json` returned.

  Args:
    values: Anything.

  Returns:
    A `SeriesInfo`.

  Raises:
    ValueError, TypeError, KeyError: If it is nothing of the kind.
  """
  mean = np.array(values["mean"], np.float64)
  std = values["std"] if values["std"] is None else np.array(
      values["std"], np.float64)
  if mean.ndim != 1 or not np.isfinite(mean).all():
    raise ValueError("the mean of a series must be a list of finite numbers")
  if std is not None and (std.shape != mean.shape
                          or not (np.isfinite(std) & (std > 0.)).all()):
    raise ValueError("the deviation of a series must be as many positive "
                     "numbers as the mean")
  return SeriesInfo(mean, std)


def read(path):
  """Reads the train split of a dataset.

  Args:
    path: See `series_files`.

  Returns:
    A `SeriesInfo`.

  Raises:
    UserError: If the train split is missing or bad, or a column of real data
      is constant.
  """
  with errors.naming_flag("dataset_path"):
    values = np.concatenate(series_files.read_split(path, "train"))
    mean = values.mean(axis=0)
    if ((values == 0.) | (values == 1.)).all():
      return SeriesInfo(mean, None)
    std = values.std(axis=0)
    constant = np.flatnonzero((values.min(axis=0) == values.max(axis=0))
                              | (std.astype(np.float32) == 0.))
    if constant.size:
      raise UserError(
          "%s: split 'train': column %d is %s throughout; remove it: the "
          "density of a constant has no bound" % (
              path, constant[0], values[0, constant[0]]))
    return SeriesInfo(mean, std)
