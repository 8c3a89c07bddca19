"""Reads tables of text as pandas, R, Excel and instruments write them.

Comments (#), blank lines, separators at the ends of lines, and what stands
above the names of columns or between them and the numbers, are left out. What
could be read in two ways is refused.
"""

import collections
import csv
import gzip
import re

from absl import logging
import numpy as np

from fivo.formats import reading
from fivo.system.errors import UserError

_MAX_BYTES = 1 << 30
_INTEGER = re.compile(r"[+-]?\d+")
# Decimal commas between spaces.
_SPACED = re.compile(r"\s*([-+\d,eE]*\d\s+)+[-+\d,eE]*\d\s*")
_NUMBER = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|true|false|inf", re.IGNORECASE)
_DATE = r".*(\d[-/]\d|\d:\d|\d\.\d+\.\d|[A-Za-z]{3})"
# What is no name of a column: a date, a time, an integer.
_VALUE = re.compile(r".*\d[-/:.]\d|\d+$")
# Comments, but for Excel's #N/A, its line about separators, and blank lines.
_IGNORED = re.compile(r'\s*(#(?!n/?a\b)|%|"?sep=.)| *$', re.IGNORECASE)
_MISSING = ("", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#na",
            "-nan", "?", "-", "--", ".")
_SEPARATORS = ("\t", ";", ",", "|")


def read(path, id_column=None, time_column=None, drop_columns=(), missing=None,
         decimal=None, header=None, is_plain=False):
  """Reads a table, plain or gzip, as create_series_dataset.py's flags say.

  Returns float64 arrays `[T, D]`, D names or None, and the names of the columns
  left out: dates and names of rows. With `is_plain`, what is in doubt is read
  as numbers between commas, with a warning.
  """
  frame, has_names, decimal = _read_cells(path, decimal, header, is_plain)
  dropped = {id_column, time_column, *drop_columns} - {None}
  for name in dropped - {*frame}:
    raise UserError("%s: has no column %r, only %s" % (
        path, name, ", ".join(map(repr, frame.columns[:20]))))
  columns = {
      name: _to_numbers(path, frame[name], decimal, is_first=not index)
      for index, name in enumerate(frame) if name not in dropped}
  numbers = {name: c for name, c in columns.items() if c is not None}
  if not numbers:
    raise UserError("%s: has no column of numbers" % path)
  pandas = _import_pandas()
  ids = pandas.Series("one", frame.index)
  if id_column is not None:
    ids = frame[id_column]
    _refuse(path, ids, ids.str.lower().isin(_MISSING), "the id is missing")
  frame = pandas.DataFrame(numbers)
  num_missing = frame.isna().values.sum()
  if num_missing and missing:
    logging.warning("%s: %d numbers are missing: --missing=%s.", path,
                    num_missing, missing)
    frame = frame.dropna() if missing == "drop_rows" else frame.groupby(
        ids, sort=False).transform(
            lambda column: column.interpolate(limit_direction="both"))
  for name in frame:
    _refuse(path, frame[name].astype(str), frame[name].isna(),
            "the number is missing; see --missing and --drop_columns")
  sequences = [group.values for _, group in frame.groupby(ids, sort=False)]
  if not sequences:
    raise UserError("%s: no line is complete" % path)
  return (sequences, list(numbers) if has_names else None,
          [name for name in columns if name not in numbers])


def _import_pandas():
  return reading.import_extra("pandas", "it reads tables", "series")


def _refuse(path, column, is_wrong, words):
  """Raises a `UserError` that names the first wrong line of a column."""
  for line in column.index[is_wrong][:1]:
    raise UserError("%s, line %d, column %r: %s" % (
        path, line, column.name, words.replace("{}", column[line][:40])))


def _to_numbers(path, cells, decimal, is_first):
  """Returns a column as floats, NaN where missing; None if it is no data."""
  pandas = _import_pandas()
  texts = cells.where(~cells.str.lower().isin(_MISSING))
  if set(texts.dropna().str.lower()) <= {"true", "false"}:
    texts = texts.str.lower().map({"true": "1", "false": "0"})
  if decimal == ",":
    texts = texts.str.translate(str.maketrans(",.", ".x"))
  values = pandas.to_numeric(texts, errors="coerce").astype(np.float64)
  is_wrong = values.isna() & texts.notna()
  wrong, words = cells[is_wrong], "'{}' is not a number"
  if len(wrong) and values.isna().all():
    are_dates = wrong.str.match(_DATE).all() and pandas.to_datetime(
        wrong[:100], errors="coerce", utc=True).notna().all()
    if are_dates or is_first and (
        wrong.is_unique and wrong.str.match(r"[^\W\d]").all()):
      return None
    words += ("; --drop_columns leaves a column out, --id_column makes a "
              "sequence of each of its values")
  _refuse(path, cells, is_wrong, words)
  with np.errstate(over="ignore"):
    _refuse(path, cells, np.isinf(values.astype(np.float32)),
            "{} is not a finite number of 32 bits")
  is_row_number = is_first and cells.name in ("", "Unnamed: 0") and (
      len(values) > 1 and (np.diff(values) == 1).all())
  return None if is_row_number else values


def _read_cells(path, decimal, header, is_plain):
  """Returns a frame of str by line, if it has a header, and its decimal."""
  numbers, lines = _read_lines(path)
  separator, rows = _split(path, lines)
  patterns = [tuple(bool(_NUMBER.fullmatch(cell)) or cell.lower() in _MISSING
                    for cell in row) for row in rows[:1000]]
  if not any(_NUMBER.fullmatch(cell) for row in rows for cell in row):
    raise UserError("%s: has no line of numbers" % path)
  start = patterns.index(
      collections.Counter(filter(any, patterns)).most_common(1)[0][0])
  found = (_has_integer_header(rows) if not start else
           None if any(re.match(r"[-+.]?\d", cell)
                       for cell in rows[start - 1]) else True)
  start = max(start, _settle(
      header, found, is_plain and not start,
      "%s, line %d: %.40s may be a header or numbers; "
      "say --header or --noheader" % (path, numbers[0], lines[0])))
  titles, rows, numbers = rows[:start], rows[start:], numbers[start:]
  if separator == "," and all(len(title) != 2 for title in titles):
    joins = _has_decimal_commas(rows)
    # R quotes the names of rows, and has no title for them.
    if joins is None and 1 in map(len, titles):
      joins = lines[start][0] != '"'
    told = None if decimal is None or joins is False else decimal == ","
    if _settle(told, joins, is_plain, "%s, line %d: %s may be one number or "
               "two; say --decimal=, or --decimal=." % (
                   path, numbers[0], lines[start])):
      rows = [[",".join(row)] for row in rows]
  width = collections.Counter(map(len, rows)).most_common(1)[0][0]
  for number, row in zip(numbers, rows):
    if len(row) != width:
      raise UserError("%s, line %d: %d cells; must be %d, as in most lines" % (
          path, number, len(row), width))
  names = _find_names(titles, width)
  if len(titles) > len(names[:1]):
    logging.warning("%s: of the lines above line %d, that of the numbers, only "
                    "the names %s are read.", path, numbers[0], names)
  if decimal is None:
    has_points = any("." in cell and _NUMBER.fullmatch(cell)
                     for row in rows for cell in row)
    decimal = "." if has_points else ","
  frame = _import_pandas().DataFrame(
      rows, numbers, names or map(str, range(width)))
  return frame, bool(names), decimal


def _settle(told, found, is_plain, doubt):
  """Returns what was told, else what was found; refuses or warns of None."""
  if told is None and found is None:
    if not is_plain:
      raise UserError(doubt)
    logging.warning("%s", doubt)
  return bool(found if told is None else told)


def _read_lines(path):
  """Returns the numbers and texts of the lines but comments and blank ones."""
  data = reading.read_bytes(path, _MAX_BYTES)
  if data[:2] == b"\x1f\x8b":
    with reading.complaining(path, "a complete gzip file"):
      data = gzip.decompress(data)
  encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else (
      "utf-8-sig", "cp1252", "latin-1")
  for encoding in encodings:
    try:
      text = data.decode(encoding)
      break
    except UnicodeDecodeError:
      text = "\0"
  if "\0" in text or data[:2] == b"PK":
    raise UserError("%s: is not text; save a workbook as CSV" % path)
  lines = [(number, line) for number, line in enumerate(
      re.split("\r\n|\r|\n", text), 1) if not _IGNORED.match(line)]
  while lines and not lines[-1][1].strip(" \t,;|"):
    del lines[-1]  # As Excel leaves below a table.
  if not lines:
    raise UserError("%s: is empty" % path)
  return map(list, zip(*lines))


def _split(path, lines):
  """Returns the separator, and the cells of each line."""
  sample = lines[-200:]
  separator = next((s for s in _SEPARATORS if sum(
      s in line for line in sample) > len(sample) / 2), " ")
  if separator == "," and all(map(_SPACED.fullmatch, sample)):
    separator = " "
  if separator == " ":
    lines = [" ".join(line.split()) for line in lines]
  with reading.complaining(path, "a table"):
    rows = [[cell.strip() for cell in row] for row in csv.reader(
        lines, delimiter=separator, skipinitialspace=True)]
  if len(rows) != len(lines):
    raise UserError("%s: a quoted cell goes on over the end of a line" % path)
  width = max(map(len, rows))
  while width > 1 and all(len(row) < width or not row[-1] for row in rows):
    width -= 1  # A separator at the ends of lines.
    rows = [row[:width] for row in rows]
  return separator, rows


def _has_integer_header(rows):
  """Finds out if the first row is a header: True, False, or None in doubt."""
  names = rows[0][1:] if rows[0][0] == "" else rows[0]
  are_integers = [bool(_INTEGER.fullmatch(cell))
                  for row in rows[1:] for cell in row]
  if not are_integers or not all(map(_INTEGER.fullmatch, names)):
    return False
  if names == list(map(str, range(len(names)))):  # As of pandas.
    is_sure = (not all(are_integers) if len(names) > 2 else
               not any(are_integers) and len(rows) > 3)
    return is_sure or names != rows[0] or None
  may_be_names = (len(rows) > 3 and not any(are_integers)
                  and len(set(names)) == len(names) > 1)
  return None if may_be_names else False


def _has_decimal_commas(rows):
  """Finds out if commas precede decimals: True, False, or None in doubt."""
  cells = {cell for row in rows for cell in row}
  widths = set(map(len, rows))
  if widths == {1} or not all(map(_INTEGER.fullmatch, cells)):
    return False
  has_zeros = any(re.match(r"0\d", cell) for row in rows for cell in row[1:])
  if max(widths) > 2:
    return None if has_zeros else False
  if has_zeros or min(widths) == 1 or any(row[0] == "-0" for row in rows):
    return True
  return False if cells <= {"0", "1"} else None


def _find_names(titles, width):
  """Returns the names of columns in the rows above the numbers, or []."""
  names = []
  for row in titles:
    if len(titles) > 1 and any(map(_VALUE.match, row)):
      names = []  # A row of values is above the names.
    elif not names and len(row) in (width, width - 1):
      names = ([""] + row)[-width:]  # R does not name the names of rows.
  # As pandas names columns of one name: x, x.1.
  counts = [names[:index].count(name) for index, name in enumerate(names)]
  return ["%s.%d" % (name, count) if count else name
          for name, count in zip(names, counts)]
