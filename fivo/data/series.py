"""Datasets of multivariate time series, real or binary, see `series_files`.

Data whose training split holds nothing but zeros and ones is binary, for a
Bernoulli emission. All other data is real, for a Normal one, and standardised:
each column by its mean and standard deviation over all timesteps of the train
split. A bound on it is that of the standardised data, in nats; the bound of the
data itself is lower by sum(log std) per timestep.
"""

import collections
import os

import numpy as np
import tensorflow as tf

from fivo.data import batching
from fivo.data import series_files
from fivo.system.errors import UserError


class SeriesInfo(collections.namedtuple("SeriesInfo", ["mean", "std"])):
  """What a run must know of the data that it is trained on.

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


def read_info(path):
  """Reads the train split and says what a run must know of it.

  Args:
    path: The path of an .npz file or of a directory of CSV files.

  Returns:
    A `SeriesInfo`.

  Raises:
    UserError: If the train split is missing or bad, or a column of real data
      is constant.
  """
  with batching.naming_dataset_path():
    return _info(path, series_files.read_split(path, "train"))


def create_series_dataset(path, split, batch_size, info=None,
                          num_parallel_calls=batching.DEFAULT_PARALLELISM,
                          shuffle=False, repeat=False, skip=0, seed=None,
                          order=None):
  """Creates a dataset of time series.

  Args:
    path: The path of an .npz file or of a directory of CSV files.
    split: "train", "valid" or "test".
    batch_size: B, the number of sequences per batch.
    info: The `SeriesInfo` of the run. None: that of the data, which then needs
      a train split.
    num_parallel_calls: As of `datasets.create_pianoroll_dataset`, like all
      that follow.
    shuffle: Whether each epoch is a new permutation of the split.
    repeat: Whether to go on without end.
    skip: How many sequences at the start of the stream to leave out.
    seed: The seed of the shuffling. None: the graph's.
    order: One of `batching.ORDERS`. None: what `shuffle` says.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets minus the mean, one step
      later, with zeros first; zero past the end of each sequence.
    targets: A float32 Tensor `[T, B, D]`, standardised if real; zero past the
      end of each sequence.
    lengths: An int32 Tensor `[B]`.
    mean: A float32 Tensor `[D]`, constant, the mean of the train split's
      targets: zeros for real data.

  Raises:
    UserError: If the data is missing or bad, or an argument is out of its
      range.
  """
  path = os.fsdecode(path)
  with batching.naming_dataset_path():
    sequences = series_files.read_split(path, split)
    if info is None:
      info = _info(path, sequences if split == "train" else
                   series_files.read_split(path, "train"))
    _check_fits(path, split, sequences, info)
  sequences = [standardize(sequence, info) for sequence in sequences]
  mean = tf.constant(info.mean if info.is_binary else np.zeros([info.width]),
                     tf.float32, name="train_mean")
  return batching.sequence_batches(
      [len(sequence) for sequence in sequences], sequences.__getitem__,
      info.width, mean, batch_size, order or batching.default_order(shuffle),
      repeat, skip, seed, num_parallel_calls) + (mean,)


def standardize(values, info):
  """Returns values in the units of the model, a float32 array `[..., D]`."""
  if not info.is_binary:
    values = (values - info.mean) / info.std
  return values.astype(np.float32)


def restore(values, info):
  """Returns what a model samples in the units of the data.

  Args:
    values: A float array `[..., D]`.
    info: The `SeriesInfo` of the run.

  Returns:
    A float32 array `[..., D]`.
  """
  values = np.asarray(values)
  if not info.is_binary:
    values = values * info.std + info.mean
  return values.astype(np.float32)


def _info(path, sequences):
  """Returns the `SeriesInfo` of a train split."""
  values = np.concatenate(sequences)
  mean = values.mean(axis=0)
  if ((values == 0.) | (values == 1.)).all():
    return SeriesInfo(mean, None)
  std = values.std(axis=0)
  constant = np.flatnonzero(
      (values.min(axis=0) == values.max(axis=0)) | (std.astype(np.float32) == 0)
  )
  if constant.size:
    raise UserError(
        "%s: split 'train': column %d is %s throughout; remove it: the density "
        "of a constant has no bound" % (path, constant[0],
                                        values[0, constant[0]]))
  return SeriesInfo(mean, std)


def _check_fits(path, split, sequences, info):
  """Raises a UserError for a split that is unlike the training data."""
  for index, sequence in enumerate(sequences):
    if sequence.shape[1] != info.width:
      raise UserError("%s: split '%s', sequence %d has %d columns; the "
                      "training data has %d" % (
                          path, split, index, sequence.shape[1], info.width))
    if info.is_binary:
      wrong = np.argwhere((sequence != 0.) & (sequence != 1.))
      if wrong.size:
        step, column = wrong[0]
        raise UserError(
            "%s: split '%s', sequence %d, step %d: number %d is %s; must be 0 "
            "or 1, as all of the training data" % (
                path, split, index, step, column, sequence[step, column]))
