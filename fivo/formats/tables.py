"""Reads tables of text as pandas, R, Excel and instruments write them.

Comments (#), blank lines, quotes, separators at the ends of lines, and lines
above the numbers that are neither numbers nor names are dealt with; the log
says what is left out. What could be read in two ways is refused.
"""

import collections
import csv
import gzip
import re
from typing import Any
from typing import List
from typing import NamedTuple

from absl import logging

from fivo.formats import reading
from fivo.system.errors import UserError

_MAX_BYTES = 1 << 30
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(
    r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?|true|false|inf", re.IGNORECASE)
# Comments, but for Excel's #N/A, and blank lines.
_IGNORED = re.compile(r"\s*(#(?!n/?a\b)|%)| *$", re.IGNORECASE)
# What stands for a missing number, in lower case.
MISSING = frozenset([
    "", "na", "n/a", "nan", "null", "none", "<na>", "#n/a", "#na", "-nan", "?",
    "-", "--", "."])
_SEPARATORS = ("\t", ";", ",", "|")


class Table(NamedTuple):
  """The cells of a file.

  Attributes:
    path: The file.
    names: The names of the D columns, their numbers where it has no header.
    has_header: Whether it has.
    decimal: What stands before the decimals, "." or ",".
    frame: A pandas `DataFrame` of D columns of str, indexed by line numbers.
  """

  path: str
  names: List[str]
  has_header: bool
  decimal: str
  frame: Any


def import_pandas():
  """Returns pandas, which is an extra, or raises a `UserError`."""
  try:
    import pandas  # pylint: disable=import-outside-toplevel
  except ImportError as error:
    raise UserError("pandas is not installed; it reads tables: "
                    "pip install fivo[series]") from error
  return pandas


def read(path, decimal=None, header=None):
  """Reads a file, compressed by gzip or not.

  Args:
    path: The file.
    decimal: "." or ","; None: what the numbers show.
    header: Whether the first line is a header; None: what it shows.

  Returns:
    A `Table`, or raises a `UserError`.
  """
  pandas = import_pandas()
  lines = _split_lines(path)
  separator, rows = _split_cells(path, lines)
  start = _find_start(path, lines, rows, header)
  titles, rows = rows[:start], rows[start:]
  numbers = [number for number, _ in lines]
  if separator == "," and all(len(title) != 2 for title in titles):
    joins = has_decimal_commas(rows)
    if joins is None and any(len(title) == 1 for title in titles):
      joins = lines[start][1][0] != '"'  # R quotes the names of rows.
    if decimal is not None:
      joins = joins is not False and decimal == ","
    if joins is None:
      raise UserError("%s, line %d: %s may be one number or two; say "
                      "--decimal=, or --decimal=." % (path, *lines[start]))
    if joins:
      decimal, rows = ",", [[",".join(row)] for row in rows]
  width = collections.Counter(map(len, rows)).most_common(1)[0][0]
  for number, row in zip(numbers[start:], rows):
    if len(row) != width:
      raise UserError("%s, line %d: %d cells; must be %d, as in most lines" % (
          path, number, len(row), width))
  names = _find_names(path, titles, width, numbers)
  # As pandas numbers names that come again: x, x.1.
  unique = ["%s.%d" % (name, count) if count else name for name, count in (
      (name, names[:index].count(name)) for index, name in enumerate(names))]
  return Table(path, unique or list(map(str, range(width))), bool(names),
               decimal or _find_decimal(rows),
               pandas.DataFrame(rows, index=numbers[start:]))


def has_integer_header(rows):
  """Finds out if the first row of str is a header of integers, as of pandas.

  Returns True, False, or None where it could be both.
  """
  first, *rest = [[cell.strip() for cell in row] for row in rows]
  is_index = first[0] == ""
  first = first[is_index:]
  cells = {cell for row in rest for cell in row[is_index:]}
  has_integers = any(map(_INTEGER.fullmatch, cells))
  if not rest or not all(map(_INTEGER.fullmatch, first)):
    return False
  if first == [str(number) for number in range(len(first))]:
    if is_index or cells <= {"0", "1"} and len(first) > 2:
      return True
    if all(map(_INTEGER.fullmatch, cells)):
      return None
    return len(first) > 2 or len(rest) > 2 and not has_integers or None
  # Years, wavelengths: integers above what has none.
  if has_integers or len(rest) < 3 or len(set(first)) < max(2, len(first)):
    return False
  return (first == sorted(first, key=int) and len(first) > 2) or None


def has_decimal_commas(rows):
  """Finds out if rows were split at the commas of decimals, as in 0,806.

  Returns True, False, or None where it could be both.
  """
  rows = [[cell.strip() for cell in row] for row in rows]
  widths = {len(row) for row in rows}
  if widths == {1} or not all(
      _INTEGER.fullmatch(cell) for row in rows for cell in row):
    return False
  if not widths <= {1, 2}:
    return None if any(re.match(r"0\d", cell) for row in rows
                       for cell in row) else False
  if any(len(row) == 1 or row[0] == "-0" or re.match(r"0\d|\d{10}", row[1])
         for row in rows):
    return True
  return False if {cell for row in rows for cell in row} <= {"0", "1"} else None


def _split_lines(path):
  """Returns pairs of line numbers and lines, without comments and blanks."""
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
      re.split("\r\n|\r|\n", text), 1)
           if not _IGNORED.match(line)]
  while lines and not lines[-1][1].strip(" \t,;|"):
    del lines[-1]  # As Excel leaves below a table.
  if not lines:
    raise UserError("%s: is empty" % path)
  return lines


def _split_cells(path, lines):
  """Finds the separator; returns it, and the rows of the lines, lists of str.

  `lines` loses the line by which Excel is told the separator.
  """
  told = re.fullmatch(r'"?sep=(.)"?', lines[0][1].strip(" "))
  if told:
    del lines[0]
  texts = [line for _, line in lines]
  sample = texts[-200:]
  separator = told.group(1) if told else next(
      (separator for separator in _SEPARATORS
       if sum(separator in line for line in sample) > len(sample) / 2), " ")
  if separator == "," and all(
      re.fullmatch(r"\s*[-+\d.,eE]+([ \t]+[-+\d.,eE]+)+\s*", line)
      and not re.search(r",\s|\s,", line) for line in sample):
    separator = " "  # Between decimal commas.
  if separator == " ":
    texts = [" ".join(line.split()) for line in texts]
  with reading.complaining(path, "a table"):
    rows = [[cell.strip() for cell in row] for row in csv.reader(
        texts, delimiter=separator, skipinitialspace=True)]
  if len(rows) != len(texts):
    raise UserError("%s: a quoted cell goes on over the end of a line" % path)
  width = max(map(len, rows))
  while width > 1 and all(len(row) < width or row[-1] == "" for row in rows):
    width -= 1  # A separator at the ends of lines.
    rows = [row[:width] for row in rows]
  return separator, rows


def _find_start(path, lines, rows, header):
  """Returns the index of the first row that is like most rows with numbers."""
  patterns = [tuple(bool(_NUMBER.fullmatch(cell)) or cell.lower() in MISSING
                    for cell in row) for row in rows[:1000]]
  counts = collections.Counter(filter(any, patterns))
  if not counts or not any(map(_has_number, rows)):
    raise UserError("%s: has no line of numbers" % path)
  start = patterns.index(counts.most_common(1)[0][0])
  if header is None:
    header = (has_integer_header(rows) if not start else
              None if _has_number(rows[start - 1]) else True)
  if header is None:
    raise UserError("%s, line %d: %s may be a header or numbers; say --header "
                    "or --noheader" % (path, lines[0][0], lines[0][1][:40]))
  return max(start, int(header))


def _has_number(row):
  return any(map(_NUMBER.fullmatch, row))


def _find_names(path, titles, width, numbers):
  """Returns the row that names the columns, [] if none above the numbers."""
  # A blank line, or one with a value, is above the header.
  first = max([index + 1 for index, row in enumerate(titles[:-1])
               if numbers[index + 1] > numbers[index] + 1 or any(
                   re.search(r"\d[-/:.]\d|^\d+$", cell) for cell in row)],
              default=0)
  found = [index for size in (width, width - 1)  # R names no row names.
           for index in range(first, len(titles))
           if len(titles[index]) == size][:1]
  left_out = [str(number) for index, number in enumerate(numbers[:len(titles)])
              if index not in found]
  if left_out:
    logging.warning("%s: left out line %s, above the numbers and no header.",
                    path, ", ".join(left_out[:10]))
  return ([""] + titles[found[0]])[-width:] if found else []


def _find_decimal(rows):
  """Returns "," if that is what stands before decimals, and no point."""
  cells = [cell for row in rows for cell in row if _NUMBER.fullmatch(cell)]
  has_points = any("." in cell for cell in cells)
  return "," if not has_points and any("," in cell for cell in cells) else "."
