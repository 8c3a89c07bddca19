"""The record of a run's evaluations on the valid split, kept in its logdir.

It tells a resumed run the bound to beat, and whether it has stopped early.
"""

import os
from typing import NamedTuple
from typing import Optional

from fivo.system import errors
from fivo.system import files

FILE_NAME = "validation.json"
_FORMAT = 1


class Record(NamedTuple):
  """Evaluations so far."""

  measure: str  # The kind of `best_bound`, see `Config.measure`.
  best_bound: Optional[float] = None  # In nats.
  best_step: Optional[int] = None  # The global step of its checkpoint.
  last_step: int = 0  # Of the last evaluation; 0 before the first.
  num_worse: int = 0  # Evaluations since the best one.

  def updated(self, step, bound):
    """Adds the bound of a step's evaluation, which is not NaN."""
    # Minus infinity is never the best: no checkpoint is kept for it.
    best = -float("inf") if self.best_bound is None else self.best_bound
    if bound > best:
      return self._replace(best_bound=float(bound), best_step=int(step),
                           last_step=int(step), num_worse=0)
    return self._replace(last_step=int(step), num_worse=self.num_worse + 1)


def load(logdir):
  """Reads the `Record` of a logdir; None if there is none."""
  path = os.path.join(logdir, FILE_NAME)
  if not os.path.exists(path):
    return None
  try:
    kept = files.read_json(path, _FORMAT)
    return Record(*[kept[name] for name in Record._fields])
  except (OSError, ValueError, TypeError, KeyError) as e:
    raise errors.UserError(
        "--logdir=%s: its %s is not a record from this program (%s: %s); "
        "restore it, or delete it to forget the best bound so far" % (
            logdir, FILE_NAME, type(e).__name__, e)) from e


def save(logdir, record):
  """Keeps a record in a logdir; an OSError if it cannot be written to."""
  files.write_json(os.path.join(logdir, FILE_NAME),
                   [("format", _FORMAT)] + list(record._asdict().items()))
