"""Makes sequences of numbers of tables, and leaves out what is no number."""

from typing import NamedTuple
from typing import Optional
from typing import Tuple

from absl import logging
import numpy as np

from fivo.formats import tables
from fivo.system.errors import UserError

_FLOAT32_MAX = np.finfo(np.float32).max


class Choice(NamedTuple):
  """What to do with the columns of tables.

  Attributes:
    id_column: The name of the column whose values tell sequences apart.
    time_column: The name of a column that is no data.
    drop_columns: The names of others.
    missing: None, "drop_rows" or "interpolate": what to do with missing cells.
    decimal: See `tables.read`.
    header: See `tables.read`.
  """

  id_column: Optional[str] = None
  time_column: Optional[str] = None
  drop_columns: Tuple[str, ...] = ()
  missing: Optional[str] = None
  decimal: Optional[str] = None
  header: Optional[bool] = None


def to_sequences(table, choice):
  """Makes sequences of a table.

  Args:
    table: A `tables.Table`.
    choice: A `Choice`.

  Returns:
    A list of float64 arrays `[T, D]`, the names of their D columns, and whether
    these are of the file's header.

  Raises:
    UserError: If a cell is missing or no number: names its line and column.
  """
  named = [name for name in (choice.id_column, choice.time_column)
           if name is not None]
  for name in named + list(choice.drop_columns):
    if name not in table.names:
      raise UserError("%s: has no column %r, only %s" % (
          table.path, name, ", ".join(map(repr, table.names[:20]))))
  pandas = tables.import_pandas()
  ids = (np.zeros([len(table.frame)]) if choice.id_column is None else
         table.frame[table.names.index(choice.id_column)].values)
  numbers, left_out = {}, []
  for index, name in enumerate(table.names):
    if name in named or name in choice.drop_columns:
      continue
    values = _to_numbers(table, index, pandas)
    if values is None or _is_row_number(table, index, values):
      left_out.append(index)
    else:
      numbers[index] = values
  if left_out:
    logging.warning(
        "%s: left out column %s: dates, times or row numbers.", table.path,
        ", ".join(repr(table.names[index]) for index in left_out))
  if not numbers:
    raise UserError("%s: has no column of numbers" % table.path)
  _check_order(table, choice, left_out, ids)
  frame = pandas.DataFrame(numbers)
  sequences = []
  for key, group in frame.groupby(ids, sort=False):
    if choice.missing == "interpolate":
      group = group.interpolate(limit_direction="both")
    elif choice.missing == "drop_rows":
      group = group.dropna()
    missing = np.argwhere(group.isna().values)
    if missing.size:
      row, column = missing[0]
      raise UserError(
          "%s, line %d, column %r: the number is missing%s" % (
              table.path, group.index[row],
              table.names[group.columns[column]],
              "" if choice.missing else "; --missing=drop_rows or "
              "--missing=interpolate, or --drop_columns"))
    if choice.id_column is not None and key.lower() in tables.MISSING:
      raise UserError("%s, line %d, column %r: the id is missing" % (
          table.path, group.index[0] if len(group) else 0, choice.id_column))
    if len(group):
      sequences.append(group.values.astype(np.float64))
  num_missing = int(frame.isna().values.sum())
  if num_missing:
    logging.warning("%s: %d numbers are missing: --missing=%s.", table.path,
                    num_missing, choice.missing)
  if not sequences:
    raise UserError("%s: no line is complete" % table.path)
  return (sequences, [table.names[index] for index in numbers],
          table.has_header)


def _to_numbers(table, index, pandas):
  """Returns a column as floats, NaN where missing; None if it is of dates."""
  cells = table.frame[index]
  is_missing = cells.str.lower().isin(tables.MISSING)
  texts = cells.where(~is_missing)
  if set(texts.dropna().str.lower()) <= {"true", "false"}:
    texts = texts.str.lower().map({"true": "1", "false": "0"})
  if table.decimal == ",":
    texts = texts.where(~texts.str.contains(".", regex=False, na=False), "x")
    texts = texts.str.replace(",", ".", regex=False)
  values = pandas.to_numeric(texts, errors="coerce").astype(np.float64)
  wrong = np.flatnonzero(values.isna() & ~is_missing)
  if wrong.size:
    some = cells[~is_missing]
    if values.isna().all() and (
        pandas.to_datetime(some[:100], errors="coerce", utc=True).notna().all()
        or index == 0 and some.is_unique):
      return None
    raise UserError("%s, line %d, column %r: %.40r is not a number%s" % (
        table.path, cells.index[wrong[0]], table.names[index],
        cells.iloc[wrong[0]],
        "; --drop_columns leaves a column out, --id_column makes a sequence of "
        "each of its values" if values.isna().all() else ""))
  large = np.flatnonzero(values.abs() > _FLOAT32_MAX)
  if large.size:
    raise UserError("%s, line %d, column %r: %s is not a finite number of 32 "
                    "bits" % (table.path, cells.index[large[0]],
                              table.names[index], cells.iloc[large[0]]))
  return values


def _is_row_number(table, index, values):
  """Tells row numbers, as pandas and R write them, by header and values."""
  return (index == 0 and table.has_header and len(values) > 1
          and table.names[0] in ("", "Unnamed: 0")
          and (np.diff(values) == 1).all())


def _check_order(table, choice, left_out, ids):
  """Warns of sequences whose times, numbers or ISO dates, do not rise."""
  names = [choice.time_column] if choice.time_column else [
      table.names[index] for index in left_out[:1]]
  for name in names:
    times = table.frame[table.names.index(name)]
    if times.str.fullmatch(r"\d+").all():
      times = times.astype(float)
    elif not times.str.match(r"\d{4}-\d\d").all():
      continue
    for _, group in times.groupby(ids):
      if not group.is_monotonic_increasing:
        logging.warning("%s, line %d: the lines are not in the order of column "
                        "%r.", table.path, group.index[0], name)
        return
