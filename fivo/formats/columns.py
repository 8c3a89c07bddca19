"""Makes sequences of numbers of tables, and leaves out what is no number."""

from typing import NamedTuple
from typing import Optional
from typing import Tuple

from absl import logging
import numpy as np

from fivo.formats import tables
from fivo.system.errors import UserError

_FLOAT32_MAX = np.finfo(np.float32).max
_DATE = r".*(\d[-/]\d|\d:\d|\d\.\d+\.\d|[A-Za-z]{3})"


class Choice(NamedTuple):
  """What to do with the columns of tables, by their names.

  Attributes:
    id_column: The column whose values tell sequences apart.
    time_column: A column that is no data.
    drop_columns: Others.
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
  """Makes sequences, float64 arrays `[T, D]`, of a `tables.Table`.

  Returns a list of them, the names of their D columns, and of columns that
  are left out as dates, times or names of rows. Raises a `UserError` if a cell
  is missing or no number, which names its line and column.
  """
  dropped = [name for name in (choice.id_column, choice.time_column)
             + tuple(choice.drop_columns) if name is not None]
  for name in dropped:
    if name not in table.names:
      raise UserError("%s: has no column %r, only %s" % (
          table.path, name, ", ".join(map(repr, table.names[:20]))))
  numbers, left_out = {}, []
  for index, name in enumerate(table.names):
    if name not in dropped:
      values = _to_numbers(table, index)
      if values is None:
        left_out.append(name)
      else:
        numbers[name] = values
  if not numbers:
    raise UserError("%s: has no column of numbers" % table.path)
  ids = (np.zeros([len(table.frame)]) if choice.id_column is None else
         table.frame[table.names.index(choice.id_column)])
  _check_order(table, [choice.time_column or (left_out or [None])[0]], ids)
  frame = tables.import_pandas().DataFrame(numbers)
  groups = [_complete(table, choice, group, str(key))
            for key, group in frame.groupby(ids, sort=False)]
  num_missing = frame.isna().values.sum()
  if num_missing:
    logging.warning("%s: %d numbers are missing: --missing=%s.", table.path,
                    num_missing, choice.missing)
  sequences = [group.values for group in groups if len(group)]
  if not sequences:
    raise UserError("%s: no line is complete" % table.path)
  return sequences, list(numbers), left_out


def _complete(table, choice, group, key):
  """Returns the rows of a sequence with nothing missing, or refuses them."""
  line = group.index[0]
  if key.lower() in tables.MISSING:
    raise UserError("%s, line %d, column %r: the id is missing" % (
        table.path, line, choice.id_column))
  if choice.missing == "interpolate":
    group = group.interpolate(limit_direction="both")
  elif choice.missing == "drop_rows":
    group = group.dropna()
  missing = np.argwhere(group.isna().values)
  if missing.size:
    row, column = missing[0]
    raise UserError("%s, line %d, column %r: the number is missing%s" % (
        table.path, group.index[row], group.columns[column],
        "; --drop_columns leaves the column out" if choice.missing else
        "; see --missing=drop_rows and --missing=interpolate"))
  return group


def _to_numbers(table, index):
  """Returns a column as floats, NaN where missing; None if it is no data."""
  pandas = tables.import_pandas()
  cells, place = table.frame[index], "%s, line %d, column %r: "
  is_missing = cells.str.lower().isin(tables.MISSING)
  texts = cells.where(~is_missing)
  if set(texts.dropna().str.lower()) <= {"true", "false"}:
    texts = texts.str.lower().map({"true": "1", "false": "0"})
  if table.decimal == ",":
    texts = texts.where(~texts.str.contains(".", regex=False, na=False), "x")
    texts = texts.str.replace(",", ".", regex=False)
  values = pandas.to_numeric(texts, errors="coerce").astype(np.float64)
  wrong = cells[values.isna() & ~is_missing]
  if len(wrong):
    if values.isna().all() and (_are_dates(wrong) or (
        index == 0 and wrong.is_unique and wrong.str.match(r"[^\W\d]").all())):
      return None
    raise UserError((place + "%.40r is not a number%s") % (
        table.path, wrong.index[0], table.names[index], wrong.iloc[0],
        "; --drop_columns leaves a column out, --id_column makes a sequence of "
        "each of its values" if values.isna().all() else ""))
  large = cells[values.abs() > _FLOAT32_MAX]
  if len(large):
    raise UserError((place + "%s is not a finite number of 32 bits") % (
        table.path, large.index[0], table.names[index], large.iloc[0]))
  is_row_number = (index == 0 and table.has_header and len(values) > 1
                   and table.names[0] in ("", "Unnamed: 0")
                   and (np.diff(values) == 1).all())
  return None if is_row_number else values


def _are_dates(cells):
  """Tells dates and times by their looks, and by whether pandas reads them."""
  return cells.str.match(_DATE).all() and tables.import_pandas().to_datetime(
      cells[:100], errors="coerce", utc=True).notna().all()


def _check_order(table, names, ids):
  """Warns of times, numbers or ISO dates, that do not rise in a sequence."""
  for name in set(names) & set(table.names):
    times = table.frame[table.names.index(name)]
    if times.str.fullmatch(r"\d+").all():
      times = times.astype(float)
    elif not times.str.match(r"\d{4}-\d\d").all():
      continue
    if not times.groupby(ids).is_monotonic_increasing.all():
      logging.warning("%s: the lines are not in the order of column %r.",
                      table.path, name)
