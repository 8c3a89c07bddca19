"""Samples of one checkpoint after another, in one graph."""

import numpy as np
import tensorflow as tf

from fivo.data import feeding
from fivo.logdir import checkpoints
from fivo.logdir import result_files
from fivo.sampling import continuations
from fivo.system import errors
from fivo.system import log
from fivo.system import sessions


class Sampler(object):
  """Continues the same prefixes by any checkpoint of a run.

  It has a graph of its own, so that it may stand beside one that trains.

  Attributes:
    prefixes: A float array `[prefix_length, B, D]`.
  """

  def __init__(self, create_dataset_and_model, batch_size, prefix_length,
               sample_length, num_samples, split="train", graph_seed=None,
               **kwargs):
    """Builds the graph and draws prefixes.

    `create_dataset_and_model(shuffle, repeat)` gives the data of the split and
    the model as `runners.create_dataset_and_model` does. B is `batch_size`, and
    N is `num_samples`. Further arguments are those of `sample_continuations`.
    """
    with tf.Graph().as_default() as self._graph:
      tf.compat.v1.set_random_seed(graph_seed)
      tf.compat.v1.train.get_or_create_global_step()
      inputs, targets, lengths, model, mean = create_dataset_and_model(
          shuffle=True, repeat=False)
      data_size = tf.compat.dimension_value(targets.shape[2])
      if data_size is not None:
        row = batch_size * data_size * targets.dtype.size
        result_files.check_size(
            "sample_length", sample_length, row * num_samples,
            "--batch_size or --num_samples", row * prefix_length)
      held = [tf.compat.v1.placeholder(
          x.dtype, [prefix_length, batch_size, targets.shape[2]])
              for x in (inputs, targets)]
      self._samples = continuations.sample_continuations(
          model, held[0], held[1], mean, num_samples=num_samples,
          sample_length=sample_length, **kwargs)
      self._saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
      # A caller's data or model may need them.
      self._initialize = [tf.compat.v1.local_variables_initializer(),
                          tf.compat.v1.tables_initializer()]
    self._graph.finalize()
    with self._open_session() as session:
      session.run(self._initialize)
      values = draw_prefixes(
          feeding.batches(session, (inputs, targets, lengths)), batch_size,
          prefix_length, split)
    self._feed = feeding.feed(held, values)
    self.prefixes = values[1]

  def sample(self, path):
    """Samples how the prefixes go on by a checkpoint.

    Gives a float array `[sample_length, B, N, D]`: entry `[:, b, n]` continues
    prefix b. With a random seed, of the same noise each time.
    """
    with self._open_session() as session:
      checkpoints.restore(session, path, self._saver)
      log.info("Running local_init_op.")  # As the original says.
      session.run(self._initialize)
      log.info("Done running local_init_op.")
      return session.run(self._samples, self._feed)

  def _open_session(self):
    return tf.compat.v1.Session(graph=self._graph, config=sessions.options())


def draw_prefixes(batches, batch_size, prefix_length, split):
  """Takes prefixes from the first sequences that are long enough.

  Takes an iterator over batches `(inputs, targets, lengths)` in random order;
  gives inputs and targets, float arrays `[prefix_length, B, D]` each. If fewer
  than B sequences are long enough, some come more than once.

  Raises:
    UserError: If no sequence is long enough.
  """
  drawn = []
  longest = 0
  for inputs, targets, lengths in batches:
    longest = max(longest, lengths.max())
    drawn.extend((inputs[:prefix_length, b], targets[:prefix_length, b])
                 for b in np.flatnonzero(lengths >= prefix_length))
    if len(drawn) >= batch_size:
      break
  if not drawn:
    raise errors.UserError(
        "--prefix_length=%d: no sequence of the %s split is that long; must be "
        "at most %d" % (prefix_length, split, longest))
  if len(drawn) < batch_size:
    log.warning(
        "Only %d sequences have %d timesteps: some prefixes come more than "
        "once in the batch of %d.", len(drawn), prefix_length, batch_size)
  chosen = [drawn[b % len(drawn)] for b in range(batch_size)]
  return [np.stack(x, axis=1) for x in zip(*chosen)]
