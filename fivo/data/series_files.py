"""Reads multivariate time series from an .npz file or from CSV files.

An .npz file holds, for each split, `SPLIT_values`, the sequences one after
another, numbers `[sum T, D]`, and `SPLIT_lengths`, integers `[num_sequences]`:

  np.savez("data.npz", train_values=np.concatenate(train),
           train_lengths=[len(sequence) for sequence in train], ...)

A directory holds a directory for each split, `train`, `valid` and `test`, and
in it one CSV file for each sequence, in the order of the names: a line per
timestep of D numbers, separated by commas, semicolons, tabs or spaces, without
a header.

Nothing in a file is run. Every mistake in one is a `UserError` whose message
begins with the path.
"""

import functools
import glob
import operator
import os
import reprlib
import zipfile

import numpy as np

from fivo.formats import reading
from fivo.formats.reading import describe
from fivo.system import files
from fivo.system.errors import UserError

# A gigabyte as float64.
_MAX_VALUES = 1 << 27
_SEPARATORS = (",", ";", "\t")


def read_split(path, split):
  """Reads the sequences of a split.

  Args:
    path: The path of an .npz file or of a directory.
    split: "train", "valid" or "test".

  Returns:
    A list of float64 arrays `[T, D]`, T > 0, of finite numbers.

  Raises:
    UserError: If the split is missing, empty or not of this form: names the
      file, and in it the line, or the sequence and its step.
  """
  if os.path.isdir(path):
    return _read_directory(path, split)
  return _read_npz(path, split)


def _read_npz(path, split):
  """Reads a split of an .npz file."""
  if not os.path.exists(path):
    raise UserError("%s: no such file or directory" % path)
  if not os.path.isfile(path):  # A pipe would be waited for.
    raise UserError("%s: is neither a file nor a directory" % path)
  try:
    with zipfile.ZipFile(path) as archive:
      values = _read_array(archive, split + "_values", path)
      lengths = _read_array(archive, split + "_lengths", path)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror or error)) from error
  except UserError:
    raise
  except Exception as error:  # pylint: disable=broad-except
    # A damaged one raises almost anything.
    raise UserError("%s: is not a complete .npz file (%s); give one, or a "
                    "directory of CSV files" % (
                        path, reading.one_line(error))) from error
  if values.ndim == 1:
    values = values[:, np.newaxis]
  if values.ndim != 2 or not values.size:
    raise UserError("%s: %s_values has shape %s; must be [sum T, D]"
                    % (path, split, list(values.shape)))
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


def _read_array(archive, name, path):
  """Reads one array of numbers of an .npz file, or raises a UserError."""
  try:
    info = archive.getinfo(name + ".npy")
  except KeyError:
    raise UserError("%s: has no %s, only %s" % (
        path, name, ", ".join(
            describe(os.path.splitext(other)[0])
            for other in archive.namelist()[:10]) or "nothing")) from None
  with archive.open(info) as stream:
    version = np.lib.format.read_magic(stream)
    read_header = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                   else np.lib.format.read_array_header_2_0)
    shape, _, dtype = read_header(stream)
  if dtype.kind not in "biuf":
    raise UserError("%s: %s is of type %s; must be numbers"
                    % (path, name, dtype))
  size = functools.reduce(operator.mul, shape, 1)
  if not 0 <= size <= min(_MAX_VALUES, info.file_size // dtype.itemsize):
    raise UserError("%s: %s has shape %s; must be at most %d numbers, all of "
                    "them in the file" % (path, name, reprlib.repr(list(shape)),
                                          _MAX_VALUES))
  with archive.open(info) as stream:
    return np.lib.format.read_array(stream, allow_pickle=False)


def _read_directory(path, split):
  """Reads a split of a directory of CSV files."""
  pattern = os.path.join(glob.escape(path), split, "*.[cC][sS][vV]")
  names = sorted(glob.glob(pattern))
  if not names:
    raise UserError("%s: has no split '%s', which would be the files %s" % (
        path, split, os.path.join(path, split, "*.csv")))
  sequences = []
  num_values = 0
  for name in names:
    sequences.append(_read_csv(name))
    width = sequences[0].shape[1]
    if sequences[-1].shape[1] != width:
      raise UserError("%s, line 1: %d numbers; must be %d, as in %s" % (
          name, sequences[-1].shape[1], width, names[0]))
    num_values += sequences[-1].size
    if num_values > _MAX_VALUES:
      raise UserError("%s: more than %d numbers so far" % (name, _MAX_VALUES))
  return sequences


def _read_csv(path):
  """Reads a CSV file, a float64 array `[T, D]`."""
  try:
    text = files.read_bytes(path, 8 * _MAX_VALUES)
    lines = text.decode("utf-8-sig").rstrip().split("\n")  # Excel's mark.
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror)) from error
  except UnicodeDecodeError as error:
    raise UserError("%s: is not text in UTF-8" % path) from error
  except ValueError as error:
    raise UserError("%s: is %s" % (path, error)) from error
  if lines == [""]:
    raise UserError("%s: is empty; remove it" % path)
  separator = next((s for s in _SEPARATORS if s in lines[0]), None)
  rows = [_parse_line(line, separator, "%s, line %d" % (path, number))
          for number, line in enumerate(lines, 1)]
  for number, row in enumerate(rows, 1):
    if len(row) != len(rows[0]):
      raise UserError("%s, line %d: %d numbers; must be %d, as in line 1"
                      % (path, number, len(row), len(rows[0])))
  return np.array(rows, dtype=np.float64)


def _parse_line(line, separator, place):
  """Returns the numbers of a line, or raises a UserError."""
  cells = line.split(separator)
  row = []
  for cell in cells:
    try:
      if "_" in cell:  # Which Python would ignore.
        raise ValueError()
      row.append(float(cell))
    except ValueError:
      hint = ("; remove the header" if place.endswith(", line 1") else "")
      raise UserError("%s: %s is not a number%s" % (
          place, describe(cell.strip()), hint)) from None
    if not abs(row[-1]) <= np.finfo(np.float32).max:
      raise UserError("%s: number %d is %s, not a finite number of 32 bits"
                      % (place, len(row) - 1, row[-1]))
  if not row:
    raise UserError("%s: is an empty line" % place)
  return row
