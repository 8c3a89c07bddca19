"""Reads time series in the two forms that training takes.

An .npz file holds, for each split, `SPLIT_values`, the sequences one after
another, numbers `[sum T, D]`, and `SPLIT_lengths`, integers `[num_sequences]`;
it may hold `names`, D strings. A directory holds `train`, `valid` and `test`,
and in each a CSV file for each sequence: a line per timestep of D numbers. Of
all else `fivo/data/create_series_dataset.py` makes an .npz file.
"""

import contextlib
import glob
import os

import numpy as np

from fivo.formats import reading
from fivo.formats import tables
from fivo.system.errors import UserError

_REMEDY = ("; fivo/data/create_series_dataset.py makes of it what training "
           "takes, see docs/data.md")


def read_split(path, split):
  """Returns float64 arrays `[T, D]`, and D names of columns or None."""
  if os.path.isdir(path):
    return _read_directory(path, split), None
  with open_npz(path) as archive:
    sequences = get_sequences(path, archive, split)
    return sequences, get_names(archive, sequences[0].shape[1])


@contextlib.contextmanager
def open_npz(path):
  """Opens an .npz file; what goes wrong in it is a `UserError`."""
  if not os.path.isfile(path):  # A pipe would be waited for.
    raise UserError("%s: no such file or directory" % path)
  with reading.complaining(path, "a complete .npz file", _REMEDY):
    with np.load(path, allow_pickle=False) as archive:
      yield archive


def get_names(archive, width):
  """Returns the names of `width` columns, a list of str, or None if unknown."""
  names = archive["names"] if "names" in archive else np.zeros([])
  return list(map(str, names)) if names.shape == (width,) else None


def get_sequences(path, archive, split):
  """Returns the sequences `[T, D]` of a split of an open .npz file."""
  for name in (split + "_values", split + "_lengths"):
    if name not in archive:
      raise UserError("%s: has no %s, only %s%s" % (
          path, name, ", ".join(map(repr, archive.files[:10])), _REMEDY))
  values, lengths = archive[split + "_values"], archive[split + "_lengths"]
  if values.ndim == 1:
    values = values[:, np.newaxis]
  if values.ndim != 2 or not values.size or values.dtype.kind not in "biuf":
    raise UserError(
        "%s: %s_values has shape %s and type %s; must be numbers [sum T, D]"
        % (path, split, list(values.shape), values.dtype))
  if (lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not lengths.size
      or lengths.min() < 1 or lengths.max() > len(values)
      or lengths.sum() != len(values)):
    raise UserError(
        "%s: %s_lengths must be positive integers whose sum is the %d rows of "
        "%s_values" % (path, split, len(values), split))
  sequences = np.split(values.astype(np.float64), np.cumsum(lengths)[:-1])
  for index, sequence in enumerate(sequences):
    with np.errstate(over="ignore"):
      wrong = np.argwhere(~np.isfinite(sequence.astype(np.float32)))
    for step, column in wrong[:1]:
      raise UserError(
          "%s: %s_values, sequence %d, step %d: number %d is %s, not a finite "
          "number of 32 bits" % (path, split, index, step, column,
                                 sequence[step, column]))
  return sequences


def _read_directory(path, split):
  """Reads a split of a directory of CSV files, in the order of their names."""
  paths = sorted(glob.glob(
      os.path.join(glob.escape(path), split, "*.[cC][sS][vV]")))
  if not paths:
    raise UserError("%s: has no split '%s', which would be the files %s%s" % (
        path, split, os.path.join(path, split, "*.csv"), _REMEDY))
  contents = []
  for file_path in paths:
    try:
      (sequence,), names, left_out = tables.read(file_path, is_plain=True)
    except UserError as error:
      raise UserError("%s%s" % (error, _REMEDY)) from error
    if names or left_out:
      raise UserError("%s: has a header, dates or names of rows%s" % (
          file_path, _REMEDY))
    contents.append(sequence)
    if sequence.shape[1] != contents[0].shape[1]:
      raise UserError("%s: has %d columns; must have %d, as %s" % (
          file_path, sequence.shape[1], contents[0].shape[1], paths[0]))
  return contents
