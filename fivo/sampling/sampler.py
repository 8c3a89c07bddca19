"""Sampling continuations of observed prefixes from the checkpoints of a run."""

import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo.config import catalogue
from fivo.data import feeding
from fivo.logdir import checkpoints
from fivo.logdir import result_files
from fivo.models import roll_outs
from fivo.system import errors
from fivo.system import log
from fivo.system import sessions


class Sampler(object):
  """Continues fixed prefixes from any checkpoint of a run.

  It has its own graph. Its `prefixes` are a float array `[P, B, D]`.
  """

  def __init__(self, create_dataset_and_model, batch_size, prefix_length,
               sample_length, num_samples, split="train", graph_seed=None,
               **kwargs):
    """Builds the graph and draws B = `batch_size` prefixes.

    `create_dataset_and_model` is that of `runners.py` for one split; other
    arguments are those of `sample_continuations`.
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
      placeholders = [tf.compat.v1.placeholder(
          x.dtype, [prefix_length, batch_size, targets.shape[2]])
              for x in (inputs, targets)]
      self._samples = sample_continuations(
          model, *placeholders, mean=mean, num_samples=num_samples,
          sample_length=sample_length, **kwargs)
      self._saver = tf.compat.v1.train.Saver(tf.compat.v1.global_variables())
      # A caller's data or model may need them.
      self._initialize = [tf.compat.v1.local_variables_initializer(),
                          tf.compat.v1.tables_initializer()]
    self._graph.finalize()
    with self._open_session() as session:
      session.run(self._initialize)
      values = _draw_prefixes(
          feeding.batches(session, (inputs, targets, lengths)), batch_size,
          prefix_length, split)
    self._feed = feeding.feed(placeholders, values)
    self.prefixes = values[1]

  def sample(self, path):
    """Samples an array `[sample_length, B, N, D]` from a checkpoint."""
    with self._open_session() as session:
      checkpoints.restore(session, path, self._saver)
      log.info("Running local_init_op.")  # As the original says.
      session.run(self._initialize)
      log.info("Done running local_init_op.")
      return session.run(self._samples, self._feed)

  def _open_session(self):
    return tf.compat.v1.Session(graph=self._graph, config=sessions.options())


def sample_continuations(model, inputs, targets, mean, bound_name, num_samples,
                         sample_length, parallel_iterations=30,
                         random_seed=None):
  """Samples S steps `[S, B, N, D]` that follow prefixes `[P, B, D]`.

  Inputs are the targets minus the mean `[D]`, if any, shifted one step later.
  The N particles of a bound's filter at the end of a prefix, resampled by their
  final weights, approximate the posterior of the latent state. With the ELBO,
  which has a single trajectory, N unweighted draws from the proposal do.
  """
  prefix_length, batch_size, data_size = tf.unstack(tf.shape(targets))
  one_particle = catalogue.BOUNDS[bound_name].one_particle
  result = bounds.create_bound(
      "iwae" if one_particle else bound_name, model, (inputs, targets),
      tf.fill([batch_size], prefix_length), num_samples=num_samples,
      parallel_iterations=parallel_iterations, random_seed=random_seed)
  state = result.final_state
  if not one_particle:
    state = bounds.resample_by_final_weights(
        result, num_samples, batch_size, random_seed=random_seed)
  rows = roll_outs.roll_out(
      model, state, tf.tile(targets[-1], [num_samples, 1]),
      0. if mean is None else mean, prefix_length + tf.range(sample_length),
      record=lambda unused_state, observation: observation)
  # Rows are particle-major, see smc.py.
  by_particle = tf.reshape(
      rows, [sample_length, num_samples, batch_size, data_size])
  return tf.transpose(by_particle, [0, 2, 1, 3])


def _draw_prefixes(batches, batch_size, prefix_length, split):
  """Inputs and targets `[prefix_length, B, D]` of long enough sequences."""
  drawn, longest = [], 0
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
        "Only %d sequences have %d timesteps: some prefixes are repeated in "
        "the batch of %d.", len(drawn), prefix_length, batch_size)
  chosen = [drawn[b % len(drawn)] for b in range(batch_size)]
  return [np.stack(x, axis=1) for x in zip(*chosen)]
