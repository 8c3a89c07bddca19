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
  """Creates a dataset of time series, as `datasets.create_pianoroll_dataset`.

  `path` is an .npz file or a directory of CSV files, see `formats.series`.

  Real data is standardised, and its mean zero. Raises a `UserError` if the data
  is missing or bad.
  """
  path = os.fsdecode(path)
  info = options and options.series or series_info.read(path)
  with errors.naming_flag("dataset_path"):
    sequences, names = series_files.read_split(path, split)
    _check_fits(path, split, sequences, names, info)
  sequences = batching.in_memory(
      list(map(info.standardize, sequences)),
      info.mean if info.is_binary else np.zeros([info.width]))
  return batching.batches(sequences, batch_size, num_parallel_calls, shuffle,
                          repeat, options)


def _check_fits(path, split, sequences, names, info):
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
