"""Averaging the bounds over a dataset, and reporting them."""

import collections
from concurrent import futures
import contextlib
import os

import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo.system import errors
from fivo.system import faults
from fivo.system import log
from fivo.system import progress

# ll_per_t and ll_per_seq are float64 arrays [repeats, 3], in nats, in the order
# of `bounds.AllBounds`.
EvalResult = collections.namedtuple(
    "EvalResult", ("ll_per_t", "ll_per_seq", "num_sequences"))
_UNITS = (("t", "ll_per_t"), ("seq", "ll_per_seq"))


class NanError(errors.UserError):
  """A bound is NaN."""


class Summaries(object):
  """Writes summaries into one file, which is made with the first of them."""

  def __init__(self, directory):
    """Creates the writer.

    Args:
      directory: The directory of the summaries.
    """
    self._directory = directory
    self._writer = None

  def add(self, values, step):
    """Writes scalars, so that others can read them at once.

    Where they cannot be written, which is logged, the log has them still: a run
    of somebody else's may be evaluated too.

    Args:
      values: An iterable of pairs of a tag and a float.
      step: The global step.
    """
    try:
      self._write(values, step)
    except (OSError, tf.errors.OpError) as e:
      reason = faults.explain(e)
      if reason is None:
        raise
      log.warning("The summaries cannot be written: %s", reason)

  def _write(self, values, step):
    """Writes scalars; for arguments see `add`."""
    if self._writer is None:
      self._writer = tf.compat.v1.summary.FileWriter(self._directory)
    summary = tf.compat.v1.Summary()
    for tag, value in values:
      summary.value.add(tag=tag, simple_value=value)
    self._writer.add_summary(summary, global_step=step)
    self._writer.flush()

  def close(self):
    """Closes the file."""
    if self._writer is not None:
      self._writer.close()
      self._writer = None


def evaluate(batches, evaluate_batch, num_repeats=1, num_threads=1):
  """Averages the three bounds over sequences.

  Args:
    batches: An iterable of batches `(..., lengths)`.
    evaluate_batch: A callable that takes a batch and gives a
      `bounds.AllBounds` of arrays `[B]`.
    num_repeats: How often to evaluate each batch.
    num_threads: How many batches to evaluate at a time.

  Returns:
    An `EvalResult`: per timestep, the sum of the bounds over the number of
    timesteps; per sequence, over the number of sequences.

  Raises:
    UserError: If there are no sequences, or a bound is NaN (`NanError`).
  """
  totals = np.zeros([num_repeats, len(bounds.AllBounds._fields)])
  num_sequences = num_timesteps = 0
  for lengths, values in _map_in_order(
      lambda batch: (batch[-1], np.array(
          [evaluate_batch(batch) for _ in range(num_repeats)],
          dtype=np.float64)),
      progress.track(batches, "Evaluating", unit="batche"), num_threads):
    if np.isnan(values).any():
      _, bound, b = np.argwhere(np.isnan(values))[0]
      raise NanError(
          "the %s bound of sequence %d is NaN" % (
              bounds.AllBounds._fields[bound], num_sequences + b))
    totals += values.sum(axis=2)
    num_sequences += len(lengths)
    num_timesteps += lengths.sum()
  if not num_sequences:
    raise errors.UserError("the data to evaluate has no sequences")
  return EvalResult(
      totals / num_timesteps, totals / num_sequences, num_sequences)


def _map_in_order(function, items, num_threads):
  """Yields a function's values in order, with few items at hand at a time."""
  with futures.ThreadPoolExecutor(num_threads) as executor:
    pending = collections.deque()
    for item in items:
      pending.append(executor.submit(function, item))
      if len(pending) == num_threads:
        yield pending.popleft().result()
    while pending:
      yield pending.popleft().result()


def create_summaries(config):
  """The `Summaries` of a configuration's split, in its logdir."""
  return Summaries(os.path.join(config.logdir, config.split))


def report(result, config, step, summaries=None):
  """Logs the bounds and writes them as summaries.

  Args:
    result: An `EvalResult`.
    config: A `Config`.
    step: The checkpoint's global step.
    summaries: A `Summaries`. None: they go into a file of their own.
  """
  for unit, name in _UNITS:
    values = getattr(result, name)
    log.info(
        "%s elbo ll/%s: %f, iwae ll/%s: %f fivo ll/%s: %f", config.split,
        *[x for mean in values.mean(axis=0) for x in (unit, mean)])
    if len(values) > 1:
      standard_errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
      log.info(
          "%s standard errors over %d repeats, ll/%s: elbo %f, iwae %f, fivo "
          "%f", config.split, len(values), unit, *standard_errors)
  if summaries is not None:
    summarize(result, config, step, summaries)
    return
  with contextlib.closing(create_summaries(config)) as summaries:
    summarize(result, config, step, summaries)


def summarize(result, config, step, summaries):
  """Writes the bounds as summaries; arguments as of `report`."""
  summaries.add([
      ("%s/%s_%s" % (config.split, bound, name), mean)
      for _, name in _UNITS
      for bound, mean in zip(
          bounds.AllBounds._fields, getattr(result, name).mean(axis=0))], step)
