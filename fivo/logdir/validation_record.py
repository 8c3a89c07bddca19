"""The record of a run's evaluations on the valid split, kept in its logdir.

From it a resumed run knows the bound to beat, and whether it has stopped early.
"""

import os
from typing import NamedTuple
from typing import Optional

from fivo.system import errors
from fivo.system import files
from fivo.system import log

FILE_NAME = "validation.json"
_FORMAT = 1


class Record(NamedTuple):
  """Evaluations so far."""

  measure: str  # What `best_bound` is a value of, see `Config.measure`.
  best_bound: Optional[float] = None  # In nats.
  best_step: Optional[int] = None  # The global step of its checkpoint.
  last_step: int = 0  # Of the last evaluation; 0 before the first.
  num_worse: int = 0  # Evaluations since that have not been better.


def update(record, step, bound):
  """Adds the bound of a step's evaluation, which is not NaN, to a record."""
  # Minus infinity is worse than nothing: nothing would be kept for it.
  best = -float("inf") if record.best_bound is None else record.best_bound
  if bound > best:
    return record._replace(best_bound=float(bound), best_step=int(step),
                           last_step=int(step), num_worse=0)
  return record._replace(
      last_step=int(step), num_worse=record.num_worse + 1)


def load(logdir):
  """Reads the `Record` of a logdir; None where there is none."""
  path = os.path.join(logdir, FILE_NAME)
  if not os.path.exists(path):
    return None
  try:
    kept = files.read_json(path, _FORMAT)
    return Record(*[kept[name] for name in Record._fields])
  except (OSError, ValueError, TypeError, KeyError) as e:
    raise errors.UserError(
        "--logdir=%s: its %s is no record that this program wrote (%s: %s); "
        "restore it, or delete it to forget the best bound so far" % (
            logdir, FILE_NAME, type(e).__name__, e)) from e


def save(logdir, record):
  """Keeps a record in a logdir; an OSError if it cannot be written to."""
  files.write_json(os.path.join(logdir, FILE_NAME),
                   [("format", _FORMAT)] + list(record._asdict().items()))


def resume(logdir, measure, step):
  """The record of a run that goes on from a step; a new one if that is 0."""
  record = load(logdir)
  if record is None:
    return Record(measure)
  if step and record.measure == measure:
    # The steps after the checkpoint, if there were any, are taken again.
    return record._replace(last_step=min(record.last_step, step))
  if step:
    log.info(
        "The best so far is of the %s, which does not compare with the %s: "
        "the next will be the best.", record.measure, measure)
  elif record.last_step:
    log.info("%s is of an earlier run that has no checkpoint any more: it "
             "begins anew.", os.path.join(logdir, FILE_NAME))
  return Record(measure)


def stopped_step(logdir, measure, patience):
  """The global step at which a run has stopped early, by what it wants now."""
  record = None if patience is None else load(logdir)
  has_stopped = (record is not None and record.measure == measure and
                 record.num_worse >= patience)
  return record.last_step if has_stopped else None


def is_finished(config, step):
  """True, and logged, if a run has nothing to do after its newest `step`.

  A process that died may have left its last step to be evaluated.
  """
  stopped = stopped_step(
      config.logdir, config.measure, config.early_stop_patience)
  if step and stopped is not None:
    log.info(
        "Stopped early at step %d: nothing to do; a larger "
        "--early_stop_patience than %d goes on.", stopped,
        config.early_stop_patience)
    return True
  if step < config.max_steps:
    return False
  if config.eval_every is not None and config.task == 0 and step:
    record = load(config.logdir)
    if record is None or record.last_step < step:
      return False
  log.info("Already at step %d of --max_steps=%d: nothing to do.", step,
           config.max_steps)
  return True
