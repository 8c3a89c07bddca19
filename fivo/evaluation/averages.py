"""Averaging the bounds over a dataset, and reporting them."""

import collections
from concurrent import futures

import numpy as np

from fivo import bounds
from fivo.system import errors
from fivo.system import log
from fivo.system import progress

# ll_per_t and ll_per_seq are float64 arrays [repeats, 3], in nats, in the order
# of `bounds.AllBounds`; of a model with a twist [repeats, 4], with SIXO.
EvalResult = collections.namedtuple(
    "EvalResult", ("ll_per_t", "ll_per_seq", "num_sequences"))
_NAMES = bounds.AllBoundsAndSIXO._fields


def average(batches, evaluate_batch, num_repeats=1, num_threads=1,
            show_bar=True):
  """Averages the bounds over all sequences of batches; gives an `EvalResult`.

  The last entry of a batch is its lengths `[B]`. `evaluate_batch` gives the
  `bounds.AllBounds` or `bounds.AllBoundsAndSIXO` of a batch, arrays `[B]`.
  Without sequences there is a UserError, and a NonFiniteError where one is NaN.
  """
  def evaluate(batch):
    return batch[-1], np.array(
        [evaluate_batch(batch) for _ in range(num_repeats)], dtype=np.float64)

  totals = num_sequences = num_timesteps = 0
  for lengths, values in _map_in_order(
      evaluate, progress.track(
          batches, "Evaluating", unit="batches", show_bar=show_bar),
      num_threads):
    if np.isnan(values).any():
      _, bound, b = np.argwhere(np.isnan(values))[0]
      raise errors.NonFiniteError(
          "the %s bound of sequence %d is NaN" % (
              _NAMES[bound], num_sequences + b))
    totals = totals + values.sum(axis=2)
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


def report(result, split, step, writer):
  """Logs the `EvalResult` of a split, and writes it by a `Summaries`."""
  for unit, values in (("t", result.ll_per_t), ("seq", result.ll_per_seq)):
    means = values.mean(axis=0)
    log.info(
        "%s elbo ll/%s: %f, iwae ll/%s: %f fivo ll/%s: %f" +
        " sixo ll/%s: %f" * (len(means) - 3), split,
        *[x for mean in means for x in (unit, mean)])
    if len(values) > 1:
      standard_errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
      log.info(
          "%s standard errors over %d repeats, ll/%s: elbo %f, iwae %f, fivo "
          "%f" + ", sixo %f" * (len(means) - 3), split, len(values), unit,
          *standard_errors)
  summarize(result, split, step, writer)


def summarize(result, split, step, writer):
  """Writes the `EvalResult` of a split as summaries of a global step."""
  scalars = []
  for name, chart in (("ll_per_t", "timestep"), ("ll_per_seq", "sequence")):
    for bound, mean in zip(_NAMES, getattr(result, name).mean(axis=0)):
      scalars += [("%s/%s_%s" % (split, bound, name), mean),
                  ("bound_per_%s/%s" % (chart, bound), mean)]
  writer.add(scalars, step)
