"""Reads time series, in the forms for training and from tables of text.

An .npz file has, for each split, `SPLIT_values`, the concatenated sequences,
numbers `[sum T, D]`, and `SPLIT_lengths`, integers `[num_sequences]`; it may
have `names`, D strings. A directory has `train`, `valid` and `test`, and in
each a CSV file per sequence: a line of D numbers per timestep.

Tables may come from pandas, R, Excel and instruments. Comments, blank lines,
separators at the ends of lines, and other lines above the column names or the
numbers are skipped. Ambiguous tables are refused.
"""

import collections
import csv
import glob
import gzip
import os
import re

import numpy as np

from fivo.formats import reading
from fivo.system import log
from fivo.system.errors import UserError

_INTEGER = re.compile(r"[+-]?\d+(e\d+)?")
_NUMBER = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|true|false|inf", re.IGNORECASE)
_THOUSANDS = re.compile(r"[+-]?[1-9]\d?\d?,\d{3}")
# How a date, a time or a number begins, but no column name.
_VALUE = re.compile(r"[-+.]?\d")
# Comments, except Excel's #N/A and #REF!; its first line; blank lines.
_IGNORED = re.compile(
    r'\s*(#(?!n/?a\b|\w[\w/]*[!?])|%|"?sep=.)| *$', re.IGNORECASE)
_MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#na",
            "-nan", "?", "-", "--", ".", r"\n")


def read_split(path, split):
  """Returns float64 arrays `[T, D]`, and D names of columns or None."""
  try:
    if not os.path.isdir(path):
      sources, names = read_npz(path, [split])
    else:
      paths = sorted(glob.glob(
          os.path.join(glob.escape(path), split, "*.[cC][sS][vV]")))
      if not paths:
        raise UserError("%s: has no split '%s' of CSV files" % (path, split))
      sources, names, left_out = read_tables(paths)
      if names or left_out:
        raise UserError("%s: has a header, dates or names of rows" % paths[0])
    return [sequence for _, sequence in sources], names
  except UserError as error:
    raise UserError("%s; fivo/data/create_series_dataset.py makes what training"
                    " takes, see docs/data.md" % error) from error


def read_npz(path, splits=None):
  """Returns pairs of split, by default all, and sequence; names or None."""
  if not os.path.isfile(path):  # Opening a pipe would block.
    raise UserError("%s: no such file or directory" % path)
  with reading.as_user_error(path, "a complete .npz file of series"):
    archive = np.load(path, allow_pickle=False)
    if isinstance(archive, np.ndarray):
      raise UserError("%s: is one array, not an .npz file of series" % path)
    with archive:
      splits = splits or [name[:-len("_lengths")] for name in archive.files
                          if name.endswith("_lengths")] or ["train"]
      sources = [(split, sequence) for split in splits
                 for sequence in _get_sequences(path, archive, split)]
      names = archive["names"] if "names" in archive else np.zeros([])
  width = sources[0][1].shape[1]
  return sources, list(map(str, names)) if names.shape == (width,) else None


def _get_sequences(path, archive, split):
  """Returns the sequences `[T, D]` of a split of an open .npz file."""
  keys = split + "_values", split + "_lengths"
  if not set(keys) <= set(archive.files):
    raise UserError("%s: has no %s and %s, only %s" % (
        (path,) + keys + (", ".join(archive.files[:10]) or "nothing",)))
  values, lengths = (archive[key] for key in keys)
  if values.ndim == 1:
    values = values[:, np.newaxis]
  total = lengths.sum() if lengths.dtype.kind in "iu" else None
  if (values.ndim != 2 or not values.size or values.dtype.kind not in "biuf"
      or lengths.ndim != 1 or total != len(values) or (lengths < 1).any()):
    raise UserError(
        "%s: %s, %s %s, must be numbers [sum T, D], and %s, %s of sum %s, "
        "positive integers of sum T" % (
            path, keys[0], values.dtype, list(values.shape), keys[1],
            lengths.dtype, total))
  values = values.astype(np.float64)
  is_wrong = ~np.isfinite(values.astype(np.float32))
  for row, column in np.argwhere(is_wrong)[:1]:
    raise UserError("%s: %s_values[%d, %d] is %s, not a finite number of 32 "
                    "bits" % (path, split, row, column, values[row, column]))
  return np.split(values, np.cumsum(lengths)[:-1])


def read_tables(paths, **choice):
  """Reads tables with the same columns; see create_series_dataset.py's flags.

  Returns pairs of path and float64 array `[T, D]`, D column names or None, and
  the names of the columns left out of any table, dates and row names, which are
  logged.
  """
  sources, first, all_left_out = [], None, []
  for path in paths:
    sequences, names, left_out = _read_table(path, **choice)
    if not set(left_out) <= set(all_left_out):
      log.warning("%s: left out dates, times or names of rows: %s.", path,
                  ", ".join(map(repr, left_out)))
      all_left_out += left_out
    columns = names or list(map(str, range(sequences[0].shape[1])))
    first = first or (path, columns)
    if columns != first[1]:
      raise UserError("%s: the columns are %s; those of %s are %s" % (
          path, columns[:9], first[0], first[1][:9]))
    sources += [(path, sequence) for sequence in sequences]
  return sources, names, all_left_out


def _read_table(path, id_column=None, time_column=None, drop_columns=(),
                missing=None, decimal=None, header=None):
  """Returns the sequences of a table, and names as `read_tables` does."""
  pandas = reading.import_extra("pandas", "it reads tables", "series")
  numbers, rows, names, decimal = _read_cells(path, decimal, header)
  frame = pandas.DataFrame(
      rows, numbers, names or map(str, range(len(rows[0]))))
  dropped = {id_column, time_column, *drop_columns} - {None}
  for name in dropped - {*frame}:
    raise UserError(
        "%s: has no column %r, only %s" % (path, name, list(frame)[:20]))
  columns = {
      name: _to_numbers(path, frame[name], decimal, is_first=not index)
      for index, name in enumerate(frame) if name not in dropped}
  data = pandas.DataFrame(
      {name: column for name, column in columns.items() if column is not None})
  ids = frame[id_column] if id_column else pandas.Series("one", frame.index)
  _refuse(path, ids, ids.str.lower().isin(_MISSING), "the id is missing")
  if time_column:
    times = pandas.to_numeric(frame[time_column], errors="coerce")
    if (times.groupby(ids).diff() < 0).any():
      log.warning("%s: the times in column %r do not ascend; lines are read in "
                  "their order.", path, time_column)
  if missing == "drop_rows":
    data = data.dropna()
  elif missing == "interpolate":
    data = data.groupby(ids, sort=False).transform(
        pandas.Series.interpolate, limit_direction="both")
  for name in data:
    _refuse(path, data[name].astype(str), data[name].isna(),
            "the number is missing; see --missing and --drop_columns")
  if not data.size:
    raise UserError("%s: has no column of numbers, or no complete line" % path)
  return ([group.values for _, group in data.groupby(ids, sort=False)],
          list(data) if names else None,
          [name for name in columns if name not in data])


def _refuse(path, column, is_wrong, words):
  """Raises a `UserError` that names the first wrong line of a column."""
  for line in column.index[is_wrong][:1]:
    raise UserError("%s, line %d, column %r: %s" % (
        path, line, column.name, words.replace("{}", repr(column[line][:40]))))


def _to_numbers(path, cells, decimal, is_first):
  """Returns a column as floats, NaN if missing; None if it is not data."""
  pandas = reading.import_extra("pandas", "it reads tables", "series")
  texts = cells.str.lower().replace({"true": "1", "false": "0"})
  texts = texts.where(~texts.isin(_MISSING))
  if decimal == ",":
    texts = texts.str.translate(str.maketrans(",.", ".x"))
  values = pandas.to_numeric(texts, errors="coerce").astype(np.float64)
  is_wrong = texts.notna() & ~(values.abs() <= np.finfo(np.float32).max)
  if is_first and (cells.name == "row.names" or cells.name in (
      "", "Unnamed: 0") and len(values) > 1 and (np.diff(values) == 1).all()):
    return None
  wrong = cells[is_wrong][:1000]
  if len(wrong) and values.isna().all():
    no_dates = pandas.to_datetime(wrong, errors="coerce", utc=True).isna()
    if not no_dates.any() or (is_first and wrong.is_unique and
                              wrong.str.match(r"[^\W\d]").all()):
      return None  # Dates, or row names.
    if no_dates.mean() < .5:
      _refuse(path, wrong, no_dates, "{} is neither a date nor a number")
  _refuse(path, cells, is_wrong, "{} is not a finite number; see "
          "--drop_columns and --id_column")
  return values


def _read_cells(path, decimal, header):
  """Returns line numbers, their cells, names or [], and the decimal sign."""
  separator, numbers, rows = _read_rows(path, decimal)
  patterns = [tuple(bool(_NUMBER.fullmatch(cell)) or cell.lower() in _MISSING
                    for cell in row) for row in rows[:1000]]
  common = collections.Counter(filter(any, patterns)).most_common(1)
  if not common:
    raise UserError("%s: holds no line of numbers" % path)
  start, width = patterns.index(common[0][0]), len(common[0][0])
  header = _has_header(rows, start) if header is None else header
  if header is None:
    raise UserError("%s, line %d: may be a header or numbers; say --header or "
                    "--noheader" % (path, numbers[max(start - 1, 0)]))
  start = max(start, header)
  titles, rows, numbers = rows[:start], rows[start:], numbers[start:]
  cells = {cell for row in rows for cell in row}
  decimals = {c for c in cells if _NUMBER.fullmatch(c) and re.search("[.,]", c)}
  has_commas = not any("." in cell for cell in decimals)
  are_thousands = decimals and all(map(_THOUSANDS.fullmatch, decimals))
  may_be_one = (separator == "," and width == 2 and 2 not in map(len, titles)
                and all(map(_INTEGER.fullmatch, cells)) and cells - {"0", "1"})
  if decimal is None and may_be_one and any(
      row[0] == "-0" or re.match(r"0\d", row[-1]) for row in rows):
    return _read_cells(path, ",", header)  # Such as -0,5 and 1,05.
  if decimal is None and (are_thousands or may_be_one):
    raise UserError("%s, line %d: commas may be decimal; say --decimal=, or "
                    "--decimal=." % (path, numbers[0]))
  for number, row in zip(numbers, rows):
    if len(row) != width:
      raise UserError("%s, line %d: %d cells; must be %d, as in most lines" % (
          path, number, len(row), width))
  names = _find_names(titles, width)
  if len(titles) > len(names[:1]):
    log.warning("%s: above line %d, where the numbers begin, only the "
                "names %s are read.", path, numbers[0], names)
  return numbers, rows, names, decimal or ".,"[has_commas]


def _read_rows(path, decimal):
  """Returns the separator, and numbers and cells of the lines that count."""
  data = reading.read_bytes(path, max_bytes=1 << 30)
  if data[:2] == b"\x1f\x8b":
    with reading.as_user_error(path, "a complete gzip file"):
      data = gzip.decompress(data)
  is_wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
  try:
    text = data.decode("utf-16" if is_wide else "utf-8-sig")
  except UnicodeDecodeError:
    text = data.decode("cp1252", "replace")
  lines = [(number, line) for number, line in enumerate(
      re.split("\r\n|\r|\n", text), 1) if not _IGNORED.match(line)]
  while lines and not lines[-1][1].strip(" \t,;|"):
    del lines[-1]  # Excel leaves such lines below a table.
  separator = next((s for s in ("\t;|" if decimal == "," else "\t;,|") if sum(
      s in line for _, line in lines) > len(lines) / 2), " ")
  rows = []
  for number, line in lines:
    if separator == " ":
      line = " ".join(line.split())
    with reading.as_user_error("%s, line %d" % (path, number), "cells in text"):
      rows.append([cell.strip() for cell in next(csv.reader(
          [line], delimiter=separator, skipinitialspace=True, strict=True))])
  width = max(map(len, rows), default=0)
  while width > 1 and all(len(row) < width or not row[-1] for row in rows):
    width -= 1  # A separator at the ends of lines.
    rows = [row[:width] for row in rows]
  return separator, [number for number, _ in lines], rows


def _has_header(rows, start):
  """True if a header is above the first row of numbers; None if in doubt."""
  if start:
    return None if any(map(_VALUE.match, rows[start - 1])) else True
  names = rows[0][rows[0][0] == "":]
  others = {cell for row in rows[1:] for cell in row}
  has_integers = not others or any(map(_INTEGER.fullmatch, others))
  if names == list(map(str, range(len(names)))):  # As pandas writes them.
    is_sure = not has_integers and len(names) + len(others) > 5
    return is_sure or names != rows[0] or None
  may_be_names = (not has_integers and all(map(str.isdecimal, names))
                  and len(set(names)) == len(names) > 1)
  return None if may_be_names else False


def _find_names(titles, width):
  """Returns the names of columns in the rows above the numbers, or []."""
  names = []
  for row in titles:
    if len(titles) > 1 and any(map(_VALUE.match, row)):
      names = []  # A row of values is above the names.
    elif not names and (
        len(row) == width or row is titles[-1] and len(row) == width - 1):
      names = (["row.names"] + row)[-width:]  # R leaves their title out.
  for index, name in enumerate(names):  # As pandas names them: x, x.1.
    options = [name] + ["%s.%d" % (name, count) for count in range(1, width)]
    names[index] = next(n for n in options if n not in names[:index])
  return names
