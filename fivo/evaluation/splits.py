"""Evaluating a split, checkpoint after checkpoint, in one graph."""

import functools

import tensorflow as tf

from fivo import bounds
from fivo import nested_utils as nested
from fivo.data import feeding
from fivo.evaluation import averages
from fivo.evaluation import diagnosis
from fivo.evaluation import summaries
from fivo.logdir import checkpoints
from fivo.resampling import criteria
from fivo.system import log
from fivo.system import sessions

# Batches at a time: the loop of one leaves a core idle, and two of similar
# length, as they come, end together.
_NUM_THREADS = 2


class Evaluator(object):
  """All bounds of a model over all sequences of a split.

  The graph is its own, so that it may stand beside one that trains. Each
  evaluation has a session of its own: the data starts from the beginning, and
  with a random seed so does the noise, which leaves less of it in a comparison.
  """

  def __init__(self, config, create_dataset_and_model_fn, can_diagnose=False):
    """Builds the graph.

    Args:
      config: A `Config`; `split` says what to evaluate.
      create_dataset_and_model_fn: A callable like
        `runners.create_dataset_and_model`.
      can_diagnose: Whether `diagnose` will be called.

    Raises:
      UserError: If the options do not fit each other, or the data is bad.
    """
    # The order does not matter to an average.
    config = config._replace(sort_by_length=True)
    self._num_repeats = config.eval_repeats
    self._show_bar = config.progress
    # Two batches at a time would share the random stream by chance.
    self._num_threads = _NUM_THREADS if config.random_seed is None else 1
    self._graph = tf.Graph()
    with self._graph.as_default():
      tf.compat.v1.set_random_seed(config.random_seed)
      self._global_step = tf.compat.v1.train.get_or_create_global_step()
      inputs, targets, lengths, model, _ = create_dataset_and_model_fn(
          config, split=config.split, shuffle=False, repeat=False)
      self._batch = nested.map_nested(
          tf.convert_to_tensor, (inputs, targets, lengths))
      self._held_batch = nested.map_nested(
          feeding.placeholder_like, self._batch)
      of_batch = functools.partial(
          _bound_of_batch, config, model, self._held_batch)
      self._bounds = of_batch(bounds.all_bounds, has_twist=config.uses_twist)
      self._diagnosis = None
      if can_diagnose:
        self._diagnosis = diagnosis.tensors(
            of_batch(bounds.sixo if config.uses_twist else bounds.fivo),
            self._held_batch[2])
      self._saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
    self._graph.finalize()

  def evaluate(self, path, before_batch=None):
    """Evaluates a checkpoint.

    Args:
      path: The checkpoint's path.
      before_batch: None, or a callable without arguments, called before each
        batch; what it raises ends the evaluation.

    Returns:
      step: The checkpoint's global step.
      result: An `averages.EvalResult`.

    Raises:
      UserError: If the checkpoint is not of this model, is damaged or gone
        (`checkpoints.UnreadableError`), the data is bad, or a bound is NaN
        (`errors.NonFiniteError`).
    """
    with tf.compat.v1.Session(
        graph=self._graph, config=sessions.options()) as session:
      checkpoints.restore(session, path, self._saver)
      step = int(session.run(self._global_step))
      log.info("Model restored from step %d, evaluating.", step)

      def evaluate_batch(values):
        if before_batch:
          before_batch()
        return session.run(
            self._bounds, feeding.feed(self._held_batch, values))

      return step, averages.average(
          feeding.batches(session, self._batch), evaluate_batch,
          self._num_repeats, self._num_threads, self._show_bar)

  def diagnose(self, path):
    """The arrays of `diagnosis.tensors` of a checkpoint, of one batch."""
    with tf.compat.v1.Session(
        graph=self._graph, config=sessions.options()) as session:
      checkpoints.restore(session, path, self._saver)
      # The last has the longest sequences.
      *_, batch = feeding.batches(session, self._batch)
      return session.run(
          self._diagnosis, feeding.feed(self._held_batch, batch))


def _bound_of_batch(config, model, batch, create_bound, **kwargs):
  """A bound as it is evaluated, of a batch `(inputs, targets, lengths)`."""
  return create_bound(
      model, batch[:2], batch[2], num_samples=config.num_samples,
      parallel_iterations=config.parallel_iterations,
      random_seed=config.noise_seed,
      resampling_criterion=criteria.by_name(
          config.resampling_criterion, config.ess_threshold),
      resampling_type=config.eval_resampling_type, **kwargs)


class Reporter(object):
  """Evaluates checkpoints of a run and reports each."""

  def __init__(self, config, create_dataset_and_model_fn):
    """Builds the graph; for arguments see `Evaluator`."""
    self._config = config
    self._evaluator = Evaluator(
        config, create_dataset_and_model_fn, can_diagnose=config.diagnostics)
    self._summaries = summaries.of_split(config)

  def evaluate(self, path):
    """Evaluates a checkpoint and gives its `averages.EvalResult`."""
    step, result = self._evaluator.evaluate(path)
    averages.report(result, self._config, step, self._summaries)
    if self._config.diagnostics:
      diagnosis.write(self._config, self._config.split,
                      self._evaluator.diagnose(path))
    return result

  def close(self):
    """Closes the file of summaries."""
    self._summaries.close()
