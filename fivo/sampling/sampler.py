"""Samples of a checkpoint, and of one after another, in one graph."""

import tensorflow as tf

from fivo.data import feeding
from fivo.logdir import checkpoints
from fivo.sampling import continuations
from fivo.sampling import prefixes
from fivo.sampling import sample_files
from fivo.system import sessions


class Sampler(object):
  """Continues the same prefixes by any checkpoint of a run.

  The graph is its own, so that it may stand beside one that trains.

  Attributes:
    prefixes: A float array `[prefix_length, B, D]`.
  """

  def __init__(self, config, create_dataset_and_model_fn):
    """Builds the graph and draws the prefixes.

    Args:
      config: A `Config`; `split` says where prefixes come from.
      create_dataset_and_model_fn: A callable like
        `runners.create_dataset_and_model`.

    Raises:
      UserError: If the options do not fit each other, the data is bad, no
        sequence is as long as the prefix, the samples are too large, or the
        model cannot sample.
    """
    self._graph = tf.Graph()
    with self._graph.as_default():
      tf.compat.v1.set_random_seed(config.random_seed)
      tf.compat.v1.train.get_or_create_global_step()
      inputs, targets, lengths, model, mean = create_dataset_and_model_fn(
          config, split=config.split, shuffle=True, repeat=False)
      sample_files.check_size(config, targets)
      held = [tf.compat.v1.placeholder(
          x.dtype, [config.prefix_length, config.batch_size, targets.shape[2]])
              for x in (inputs, targets)]
      self._samples = continuations.sample_continuations(
          model, held[0], held[1], mean, config.bound,
          config.num_samples, config.sample_length,
          parallel_iterations=config.parallel_iterations,
          random_seed=config.noise_seed)
      self._variables = tf.compat.v1.global_variables()
      self._scaffold = tf.compat.v1.train.Scaffold(
          saver=tf.compat.v1.train.Saver(self._variables)).finalize()
    with tf.compat.v1.Session(
        graph=self._graph, config=sessions.options()) as session:
      session.run(self._scaffold.local_init_op)  # A caller's data may need it.
      values = prefixes.draw(
          feeding.batches(session, (inputs, targets, lengths)), config)
    self._feed = feeding.feed(held, values)
    self.prefixes = values[1]

  def sample(self, path):
    """Samples how the prefixes go on.

    Args:
      path: The path of a checkpoint.

    Returns:
      A float array `[sample_length, B, N, D]`: entry `[:, b, n]` continues
      prefix b. With a random seed, of the same noise each time.

    Raises:
      UserError: If the checkpoint is not of this model, is damaged or gone
        (`checkpoints.UnreadableError`).
    """
    checkpoints.check_compatible(path, self._variables)
    with self._graph.as_default():
      try:
        session = tf.compat.v1.train.MonitoredSession(
            tf.compat.v1.train.ChiefSessionCreator(
                self._scaffold, config=sessions.options(),
                checkpoint_filename_with_path=path))
      except (tf.errors.OpError, ValueError) as e:
        raise checkpoints.UnreadableError(
            "%s: damaged: %s" % (path, str(e).splitlines()[0])) from e
      with session:
        return session.run(self._samples, self._feed)
