"""The bounds of one checkpoint after another, in one graph."""

import tensorflow as tf

from fivo import bounds
from fivo import nested_utils as nested
from fivo.data import feeding
from fivo.evaluation import averages
from fivo.evaluation import diagnostics_file
from fivo.logdir import checkpoints
from fivo.system import log
from fivo.system import sessions

# Batches at a time: the loop of one leaves a core idle, and two of similar
# length, as they come, end together.
_NUM_THREADS = 2


class Evaluator(object):
  """Computes all bounds of a model over all sequences of a split.

  It has a graph of its own, so that it may stand beside one that trains. Each
  evaluation has a session of its own: it begins the data anew, and with a
  random seed the noise too, so that checkpoints compare.
  """

  def __init__(self, create_dataset_and_model, bound_options, has_twist=False,
               num_repeats=1, graph_seed=None, show_bar=True,
               can_diagnose=False):
    """Builds the graph; `can_diagnose` says whether `diagnose` will be called.

    `create_dataset_and_model(shuffle, repeat)` is as that of `runners.py`, for
    one split; `bound_options` are arguments of `bounds.all_bounds`.
    """
    self._num_repeats = num_repeats
    self._show_bar = show_bar
    # Two batches at a time would share the random stream by chance.
    self._num_threads = _NUM_THREADS if graph_seed is None else 1
    with tf.Graph().as_default() as self._graph:
      tf.compat.v1.set_random_seed(graph_seed)
      self._global_step = tf.compat.v1.train.get_or_create_global_step()
      inputs, targets, lengths, model, _ = create_dataset_and_model(
          shuffle=False, repeat=False)
      self._batch = nested.map_nested(
          tf.convert_to_tensor, (inputs, targets, lengths))
      self._held_batch = nested.map_nested(
          feeding.placeholder_like, self._batch)
      arguments = (model, self._held_batch[:2], self._held_batch[2])
      self._bounds = bounds.all_bounds(
          *arguments, has_twist=has_twist, **bound_options)
      if can_diagnose:
        create_bound = bounds.sixo if has_twist else bounds.fivo
        self._diagnosis = diagnostics_file.tensors(
            create_bound(*arguments, **bound_options), self._held_batch[2])
      self._saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
    self._graph.finalize()

  def evaluate(self, path, before_batch=lambda: None):
    """Evaluates a checkpoint; gives its global step and an `EvalResult`.

    `before_batch` is called before each batch, and may raise to end it all.
    """
    with self._restored(path) as session:
      step = int(session.run(self._global_step))
      log.info("Model restored from step %d, evaluating.", step)

      def evaluate_batch(values):
        before_batch()
        return session.run(
            self._bounds, feeding.feed(self._held_batch, values))

      return step, averages.average(
          feeding.batches(session, self._batch), evaluate_batch,
          self._num_repeats, self._num_threads, self._show_bar)

  def diagnose(self, path):
    """Gives arrays for `diagnostics_file.write`, of one batch."""
    with self._restored(path) as session:
      # The last has the longest sequences.
      *_, batch = feeding.batches(session, self._batch)
      return session.run(
          self._diagnosis, feeding.feed(self._held_batch, batch))

  def _restored(self, path):
    """A session with the variables of a checkpoint."""
    session = tf.compat.v1.Session(graph=self._graph, config=sessions.options())
    checkpoints.restore(session, path, self._saver)
    return session
