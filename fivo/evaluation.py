"""Averaging the bounds over a dataset, and reporting them."""

import collections
import os

from absl import logging
import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo import errors
from fivo import progress

# ll_per_t and ll_per_seq are float64 arrays [repeats, 3], in nats, in the order
# of `bounds.AllBounds`.
EvalResult = collections.namedtuple(
    "EvalResult", ("ll_per_t", "ll_per_seq", "num_sequences"))


def evaluate(batches, evaluate_batch, num_repeats=1):
  """Averages the three bounds over sequences.

  Args:
    batches: An iterable of batches `(..., lengths)`.
    evaluate_batch: A callable that takes a batch and gives a
      `bounds.AllBounds` of arrays `[B]`.
    num_repeats: How often to evaluate each batch.

  Returns:
    An `EvalResult`: per timestep, the sum of the bounds over the number of
    timesteps; per sequence, over the number of sequences.

  Raises:
    UserError: If there are no sequences, or a bound is NaN.
  """
  totals = np.zeros([num_repeats, len(bounds.AllBounds._fields)])
  num_sequences = num_timesteps = 0
  for batch in progress.track(batches, "Evaluating", unit="batche"):
    lengths = batch[-1]
    values = np.array(
        [evaluate_batch(batch) for _ in range(num_repeats)], dtype=np.float64)
    if np.isnan(values).any():
      _, bound, b = np.argwhere(np.isnan(values))[0]
      raise errors.UserError(
          "the %s bound of sequence %d is NaN" % (
              bounds.AllBounds._fields[bound], num_sequences + b))
    totals += values.sum(axis=2)
    num_sequences += len(lengths)
    num_timesteps += lengths.sum()
  if not num_sequences:
    raise errors.UserError("the data to evaluate has no sequences")
  return EvalResult(
      totals / num_timesteps, totals / num_sequences, num_sequences)


def report(result, config, step):
  """Logs the bounds and writes them as summaries.

  Args:
    result: An `EvalResult`.
    config: A `Config`.
    step: The checkpoint's global step.
  """
  directory = os.path.join(config.logdir, config.split)
  summary = tf.compat.v1.Summary()
  for unit, name in (("t", "ll_per_t"), ("seq", "ll_per_seq")):
    values = getattr(result, name)
    means = values.mean(axis=0)
    logging.info(
        "%s elbo ll/%s: %f, iwae ll/%s: %f fivo ll/%s: %f",
        config.split, unit, means[0], unit, means[1], unit, means[2])
    if len(values) > 1:
      standard_errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
      logging.info(
          "%s standard errors over %d repeats, ll/%s: elbo %f, iwae %f, fivo "
          "%f", config.split, len(values), unit, *standard_errors)
    for bound, mean in zip(bounds.AllBounds._fields, means):
      summary.value.add(tag="%s/%s_%s" % (config.split, bound, name),
                        simple_value=mean)
  with tf.compat.v1.summary.FileWriter(directory) as writer:
    writer.add_summary(summary, global_step=step)
