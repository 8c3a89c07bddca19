"""Averaging the bounds over a dataset, and reporting them."""

import collections
from concurrent import futures

import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo import nested_utils as nested
from fivo.data import feeding
from fivo.evaluation import diagnostics_file
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import log
from fivo.system import progress
from fivo.system import sessions

# ll_per_t and ll_per_seq are float64 arrays [repeats, 3], in nats, in the order
# of `bounds.AllBounds`; with a twist [repeats, 4], SIXO last. Further fields
# of `bounds.all_bounds` are averaged, logged and charted in the same way.
EvalResult = collections.namedtuple(
    "EvalResult", ("ll_per_t", "ll_per_seq", "num_sequences"))
_NAMES = bounds.AllBoundsAndSIXO._fields
# Batches at a time: the loop of one leaves a core idle, and successive batches,
# of similar length, end together.
_NUM_THREADS = 2


class Evaluator(object):
  """Computes all bounds of a model over all sequences of a split.

  It has its own graph. Each evaluation has its own session, which restarts the
  data and, given a random seed, the noise, so that checkpoints are comparable.
  """

  def __init__(self, create_dataset_and_model, bound_options, has_twist=False,
               num_repeats=1, graph_seed=None, show_bar=True,
               can_diagnose=False):
    """Builds the graph; `can_diagnose` says whether `diagnose` will be called.

    `create_dataset_and_model` is that of `runners.py` for one split, and
    `bound_options` are arguments of `bounds.all_bounds`.
    """
    self._num_repeats = num_repeats
    self._show_bar = show_bar
    # Two concurrent batches would share the random stream unpredictably.
    self._num_threads = _NUM_THREADS if graph_seed is None else 1
    with tf.Graph().as_default() as self._graph:
      tf.compat.v1.set_random_seed(graph_seed)
      self._global_step = tf.compat.v1.train.get_or_create_global_step()
      inputs, targets, lengths, model, _ = create_dataset_and_model(
          shuffle=False, repeat=False)
      self._batch = nested.map_nested(
          tf.convert_to_tensor, (inputs, targets, lengths))
      self._placeholders = nested.map_nested(
          feeding.placeholder_like, self._batch)
      arguments = (model, self._placeholders[:2], self._placeholders[2])
      self._bounds = bounds.all_bounds(
          *arguments, has_twist=has_twist, **bound_options)
      if can_diagnose:
        create_bound = bounds.sixo if has_twist else bounds.fivo
        self._diagnosis = diagnostics_file.tensors(
            create_bound(*arguments, **bound_options), self._placeholders[2])
      self._saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
    self._graph.finalize()

  def evaluate(self, path, before_batch=lambda: None):
    """Evaluates a checkpoint; returns its global step and an `EvalResult`."""
    with self._restored(path) as session:
      step = int(session.run(self._global_step))
      log.info("Model restored from step %d, evaluating.", step)

      def evaluate_batch(values):
        before_batch()
        return session.run(
            self._bounds, feeding.feed(self._placeholders, values))

      return step, average(
          feeding.batches(session, self._batch), evaluate_batch,
          self._num_repeats, self._num_threads, self._show_bar)

  def diagnose(self, path):
    """Returns arrays of one batch for `diagnostics_file.write`."""
    with self._restored(path) as session:
      # The last batch has the longest sequences, if they are sorted.
      *_, batch = feeding.batches(session, self._batch)
      return session.run(
          self._diagnosis, feeding.feed(self._placeholders, batch))

  def _restored(self, path):
    """A session with the variables of a checkpoint."""
    session = tf.compat.v1.Session(graph=self._graph, config=sessions.options())
    checkpoints.restore(session, path, self._saver)
    return session


def average(batches, evaluate_batch, num_repeats=1, num_threads=1,
            show_bar=True):
  """Averages the bounds over the sequences of batches, into an `EvalResult`.

  The last entry of a batch is its lengths `[B]`. `evaluate_batch` returns the
  `bounds.AllBounds` or `bounds.AllBoundsAndSIXO` of a batch, arrays `[B]`. A
  `NonFiniteError` if one is NaN, a `UserError` if there are no sequences.
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
          "the %s bound of sequence %d in the order of evaluation, of %d "
          "timesteps, is NaN" % (
              _NAMES[bound], num_sequences + b, lengths[b]))
    totals = totals + values.sum(axis=2)
    num_sequences += len(lengths)
    num_timesteps += lengths.sum()
  if not num_sequences:
    raise errors.UserError("the data to evaluate has no sequences")
  return EvalResult(
      totals / num_timesteps, totals / num_sequences, num_sequences)


def _map_in_order(function, items, num_threads):
  """Yields a function's values in order, with few items pending at a time."""
  with futures.ThreadPoolExecutor(num_threads) as executor:
    pending = collections.deque()
    for item in items:
      pending.append(executor.submit(function, item))
      if len(pending) == num_threads:
        yield pending.popleft().result()
    while pending:
      yield pending.popleft().result()


def report(result, split, step, writer):
  """Logs the `EvalResult` of a split, and writes it with a `Summaries`."""
  for unit, values in (("t", result.ll_per_t), ("seq", result.ll_per_seq)):
    # With one comma, as the original.
    first, *others = ["%s ll/%s: %f" % (name, unit, mean)
                      for name, mean in zip(_NAMES, values.mean(axis=0))]
    log.info("%s %s, %s", split, first, " ".join(others))
    if len(values) > 1:
      standard_errors = values.std(axis=0, ddof=1) / np.sqrt(len(values))
      log.info("%s standard errors over %d repeats, ll/%s: %s", split,
               len(values), unit, ", ".join(
                   "%s %f" % pair for pair in zip(_NAMES, standard_errors)))
  summarize(result, split, step, writer)


def summarize(result, split, step, writer):
  """Writes the `EvalResult` of a split as summaries of a global step."""
  scalars = []
  for name, chart in (("ll_per_t", "timestep"), ("ll_per_seq", "sequence")):
    for bound, mean in zip(_NAMES, getattr(result, name).mean(axis=0)):
      scalars += [("%s/%s_%s" % (split, bound, name), mean),
                  ("bound_per_%s/%s" % (chart, bound), mean)]
  writer.add(scalars, step)
