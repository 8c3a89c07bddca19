"""Reads multivariate time series in the two plain forms that training takes.

An .npz file holds, for each split, `SPLIT_values`, the sequences one after
another, numbers `[sum T, D]`, and `SPLIT_lengths`, integers `[num_sequences]`;
it may hold `names`, D strings:

  np.savez("data.npz", train_values=np.concatenate(train),
           train_lengths=[len(sequence) for sequence in train], ...)

A directory holds a directory for each split, `train`, `valid` and `test`, and
in it one CSV file for each sequence, in the order of the names: a line per
timestep of D numbers, separated by commas, semicolons, tabs or spaces, without
a header. Of all else `fivo/data/create_series_dataset.py` makes an .npz file.
"""

import glob
import os
import zipfile

from absl import logging
import numpy as np

from fivo.formats import reading
from fivo.formats import tables
from fivo.system.errors import UserError

REMEDY = ("fivo/data/create_series_dataset.py makes of it what training takes, "
          "see docs/data.md")
_MAX_BYTES = 1 << 30
_SEPARATORS = (",", ";", "\t")


def read_split(path, split):
  """Reads a split, a list of float64 arrays `[T, D]`, T > 0, of finite numbers.

  Raises a `UserError` if it is missing, empty or not of this form, which names
  the file, and in it the line, or the sequence and its step.
  """
  if os.path.isdir(path):
    return _read_directory(path, split)
  values, lengths = split + "_values", split + "_lengths"
  arrays = read_npz(path, (values, lengths))
  return cut(path, split, arrays[values], arrays[lengths])


def read_names(path, width):
  """Returns the names of `width` columns, a list of str, or None if unknown."""
  names = None if os.path.isdir(path) else read_npz(path, ()).get("names")
  if names is None or names.shape != (width,):
    return None
  return [str(name) for name in names]


def read_npz(path, required=None):
  """Returns the arrays of an .npz file, a dictionary.

  Args:
    path: The file.
    required: The names of arrays that must be there, and alone are read beside
      the names of the columns. None: all are read.
  """
  if not os.path.isfile(path):  # A pipe would be waited for.
    raise UserError("%s: no such file or directory" % path)
  if not zipfile.is_zipfile(path):
    raise UserError("%s: not a complete .npz file; %s" % (path, REMEDY))
  with reading.complaining(path, "a complete .npz file", "; " + REMEDY):
    with np.load(path, allow_pickle=False) as archive:
      for name in required or ():
        if name not in archive:
          raise UserError("%s: has no %s, only %s; %s" % (
              path, name, ", ".join(map(repr, archive.files[:10])) or "nothing",
              REMEDY))
      return {name: archive[name] for name in archive.files
              if required is None or name in required + ("names",)}


def cut(path, split, values, lengths):
  """Returns the sequences `[T, D]` of a split of an .npz file."""
  if values.ndim == 1:
    values = values[:, np.newaxis]
  if values.ndim != 2 or not values.size or values.dtype.kind not in "biuf":
    raise UserError("%s: %s_values has shape %s and type %s; must be numbers "
                    "[sum T, D]" % (path, split, list(values.shape),
                                    values.dtype))
  if (lengths.ndim != 1 or lengths.dtype.kind not in "iu" or not lengths.size
      or lengths.min() < 1 or lengths.max() > len(values)
      or lengths.sum() != len(values)):
    raise UserError(
        "%s: %s_lengths must be positive integers whose sum is the %d rows of "
        "%s_values" % (path, split, len(values), split))
  ends = np.cumsum(lengths, dtype=np.int64)
  with np.errstate(over="ignore"):
    wrong = np.argwhere(~np.isfinite(values.astype(np.float32)))
  if wrong.size:
    row, column = wrong[0]
    index = np.searchsorted(ends, row, side="right")
    step = row - (ends[index] - int(lengths[index]))
    raise UserError("%s: %s_values, sequence %d, step %d: number %d is %s, not "
                    "a finite number of 32 bits" % (
                        path, split, index, step, column, values[row, column]))
  return np.split(values.astype(np.float64), ends[:-1])


def _read_directory(path, split):
  """Reads a split of a directory of CSV files."""
  pattern = os.path.join(glob.escape(path), split, "*.[cC][sS][vV]")
  names = sorted(glob.glob(pattern))
  if not names:
    raise UserError("%s: has no split '%s', which would be the files %s; %s" % (
        path, split, os.path.join(path, split, "*.csv"), REMEDY))
  sequences = [_read_csv(name) for name in names]
  width = sequences[0].shape[1]
  for name, sequence in zip(names, sequences):
    if sequence.shape[1] != width:
      raise UserError("%s, line 1: %d numbers; must be %d, as in %s" % (
          name, sequence.shape[1], width, names[0]))
  return sequences


def _read_csv(path):
  """Reads a plain CSV file, a float64 array `[T, D]`."""
  data = reading.read_bytes(path, _MAX_BYTES)
  with reading.complaining(path, "text in UTF-8", "; " + REMEDY):
    lines = data.decode("utf-8-sig").rstrip().split("\n")
  separator = next((s for s in _SEPARATORS if s in lines[0]), None)
  rows = [line.strip("\r").split(separator) for line in lines]
  values = []
  for number, row in enumerate(rows, 1):
    place = "%s, line %d: " % (path, number)
    try:
      values.append([float(cell) for cell in row])
    except ValueError as error:
      raise UserError("%s%s; %s" % (place, error, REMEDY)) from None
    if len(row) != len(rows[0]) or not row:
      raise UserError("%s%d numbers; must be %d, as in line 1; %s" % (
          place, len(row), len(rows[0]), REMEDY))
    with np.errstate(over="ignore"):
      is_finite = np.isfinite(np.float32(values[-1])).all()
    if not is_finite or "_" in lines[number - 1]:
      raise UserError("%snot all are finite numbers of 32 bits; %s"
                      % (place, REMEDY))
  for doubt, what in ((tables.has_integer_header(rows), "a header"),
                      (separator == "," and tables.has_decimal_commas(rows),
                       "decimal commas")):
    if doubt:
      raise UserError("%s, line 1: %s is %s; %s" % (
          path, lines[0].strip()[:40], what, REMEDY))
    if doubt is None:
      logging.warning("%s, line 1: %s is read as numbers, and could be %s.",
                      path, lines[0].strip()[:40], what)
  return np.array(values, np.float64)
