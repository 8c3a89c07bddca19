"""Datasets of multivariate time series, real or binary, see `series_info`."""

import os

import numpy as np

from fivo.data import batching
from fivo.data import series_info
from fivo.formats import series as series_files
from fivo.system import errors
from fivo.system.errors import UserError


def create_series_dataset(path, split, batch_size,
                          num_parallel_calls=batching.DEFAULT_PARALLELISM,
                          shuffle=False, repeat=False, options=None):
  """Creates a dataset of time series.

  Args:
    path: The path of an .npz file or of a directory of CSV files, see
      `formats.series`.
    split: "train", "valid" or "test".
    batch_size: B, the number of sequences per batch.
    num_parallel_calls: As of `datasets.create_pianoroll_dataset`, like all
      that follow.
    shuffle: Whether each epoch is a new permutation of the split.
    repeat: Whether to go on without end.
    options: None, or a `batching.Options`.

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
  info = options and options.series or series_info.read(path)
  with errors.naming_flag("dataset_path"):
    sequences = series_files.read_split(path, split)
    _check_fits(path, split, sequences, info)
  standardized = [info.standardize(sequence) for sequence in sequences]
  sequences = batching.Sequences(
      list(map(len, standardized)), standardized.__getitem__, info.width,
      info.mean if info.is_binary else np.zeros([info.width]))
  return batching.batches(sequences, batch_size, num_parallel_calls, shuffle,
                          repeat, options)


def _check_fits(path, split, sequences, info):
  """Raises a UserError for a split that is unlike the training data."""
  names = series_files.read_names(path, info.width)
  if names and info.names and names != info.names:
    raise UserError("%s: the columns are %s; those of the training data are %s"
                    % (path, ", ".join(names), ", ".join(info.names)))
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
