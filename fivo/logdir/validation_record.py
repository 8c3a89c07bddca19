"""What a run remembers of its evaluations on the valid split.

It is kept in the logdir, so that a resumed run knows what there is to beat and
whether it has stopped early.
"""

import collections
import os

from fivo.config import options
from fivo.system import errors
from fivo.system import files
from fivo.system import log

FILE_NAME = "validation.json"
_FORMAT = 1

# measure: What `best_bound` is a value of, see `measure`.
# best_bound: The best bound, in nats, or None if there is none yet.
# best_step: The global step of its checkpoint, or None.
# last_step: The global step of the last evaluation, 0 before the first.
# num_worse: How many evaluations since have not been better.
Record = collections.namedtuple(
    "Record", "measure best_bound best_step last_step num_worse")


def measure(config):
  """What the bounds of a record have in common: else they do not compare.

  Args:
    config: A `Config`.

  Returns:
    A str.
  """
  bound = "fivo" if config.bound == "fivo-aux" else config.bound
  return "%s bound per %s with --num_samples=%d" % (
      bound, "timestep" if config.normalize_by_seq_len else "sequence",
      config.num_samples)


def empty(config):
  """The record of a run without evaluations."""
  return Record(measure(config), None, None, 0, 0)


def update(record, step, bound):
  """Adds an evaluation to a record.

  Args:
    record: A `Record`.
    step: The global step.
    bound: The bound of the valid split, a float that is not NaN.

  Returns:
    A `Record`.
  """
  # Minus infinity is worse than nothing: nothing would be kept for it.
  best = -float("inf") if record.best_bound is None else record.best_bound
  if bound > best:
    return record._replace(best_bound=float(bound), best_step=int(step),
                           last_step=int(step), num_worse=0)
  return record._replace(
      last_step=int(step), num_worse=record.num_worse + 1)


def load(logdir):
  """Reads the record of a logdir.

  Args:
    logdir: A directory, which need not exist.

  Returns:
    A `Record`, or None where there is none.

  Raises:
    UserError: If the file cannot be understood.
  """
  path = os.path.join(logdir, FILE_NAME)
  if not os.path.exists(path):
    return None
  try:
    stored = files.read_json(path, _FORMAT)
    record = Record(*[stored[name] for name in Record._fields])
    _check(record)
  except OSError as e:
    raise errors.UserError("--logdir=%s: its %s cannot be read: %s" % (
        logdir, FILE_NAME, e.strerror)) from e
  except (ValueError, TypeError, KeyError) as e:
    raise errors.UserError(
        "--logdir=%s: its %s is no record that this program wrote (%s: %s); "
        "restore it, or delete it to forget the best bound so far" % (
            logdir, FILE_NAME, type(e).__name__, e)) from e
  return record


def _check(record):
  """Raises a ValueError or TypeError unless the fields have their types."""
  if not isinstance(record.measure, str):
    raise TypeError("measure must be text")
  for name in ("last_step", "num_worse", "best_step"):
    value = getattr(record, name)
    if name == "best_step" and record.best_bound is None:
      continue
    if not options.is_integer(value) or value < 0:
      raise TypeError("%s must be an integer from 0" % name)
  bound = record.best_bound
  if bound is not None and not (
      options.is_number(bound) and abs(bound) < float("inf")):
    raise TypeError("best_bound must be a finite number")


def save(logdir, record):
  """Keeps a record in a logdir; an OSError if it cannot be written to."""
  files.write_json(os.path.join(logdir, FILE_NAME),
                   [("format", _FORMAT)] + list(record._asdict().items()))


def resume(config, step):
  """The record with which a run goes on.

  Args:
    config: A `Config`.
    step: The global step of the checkpoint that it goes on from.

  Returns:
    A `Record`. It begins anew where the run does, or where it measures
    something else now, which is logged.

  Raises:
    UserError: If the logdir's record cannot be understood.
  """
  record = load(config.logdir)
  if record is None or (not step and not record.last_step):
    return empty(config)
  if not step:
    log.info("%s is of an earlier run that has no checkpoint any more: it "
             "begins anew.", os.path.join(config.logdir, FILE_NAME))
    return empty(config)
  if record.measure != measure(config):
    log.info(
        "The best so far is of the %s, which does not compare with the %s: "
        "the next will be the best.", record.measure, measure(config))
    return empty(config)
  # The steps after the checkpoint, if there were any, are taken again.
  return record._replace(last_step=min(record.last_step, step))


def has_lost_patience(config, record):
  """Whether a record calls for an early stop."""
  return (config.early_stop_patience is not None and record is not None and
          record.measure == measure(config) and
          record.num_worse >= config.early_stop_patience)


def stopped_step(config):
  """The global step at which a run has stopped early.

  Args:
    config: A `Config`.

  Returns:
    An int, or None: the run has not stopped early, or may go on, since its
    flags have changed.

  Raises:
    UserError: If the logdir's record cannot be understood.
  """
  if config.early_stop_patience is None:
    return None
  record = load(config.logdir)
  return record.last_step if has_lost_patience(config, record) else None
