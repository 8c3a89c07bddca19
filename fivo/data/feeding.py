"""Reading batches out of one place in a graph to feed them into another."""

import tensorflow as tf

from fivo.data import batching


def placeholder_like(tensor):
  """A placeholder of a Tensor's type and static shape."""
  return tf.compat.v1.placeholder(tensor.dtype, tensor.shape)


def feed(placeholders, values):
  """A feed_dict of nested placeholders."""
  return dict(zip(tf.nest.flatten(placeholders), tf.nest.flatten(values)))


class Feeder(tf.compat.v1.train.SessionRunHook):
  """Reads data in this process for a session that runs in another.

  The Python that reads data does not run in the servers of a user's cluster.

  Attributes:
    placeholders: Nested placeholders, to be used in place of the data.
  """

  def __init__(self, config, create_batch):
    """Builds a graph for the data, and placeholders in the default graph.

    Args:
      config: A `Config`.
      create_batch: A callable that gives nested Tensors of the next batch.
    """
    with tf.Graph().as_default() as self._graph:
      tf.compat.v1.set_random_seed(config.random_seed)
      self._batch = tf.nest.map_structure(tf.convert_to_tensor, create_batch())
    self.placeholders = tf.nest.map_structure(placeholder_like, self._batch)
    self._session = None
    self._batches = None

  def begin(self):
    """Opens a session of this process."""
    self._session = tf.compat.v1.Session(graph=self._graph, target="")
    self._batches = batches(self._session, self._batch)

  def before_run(self, run_context):
    """Feeds the next batch, or ends training where there is none."""
    values = next(self._batches, None)
    if values is None:
      raise tf.errors.OutOfRangeError(None, None, "The data has ended.")
    return tf.compat.v1.train.SessionRunArgs(
        [], feed_dict=feed(self.placeholders, values))

  def end(self, session):
    """Closes the session."""
    self._session.close()


def feeder(config, create_batch):
  """What feeds a training run whose session is in a server of the user's.

  Args:
    config: A `Config`.
    create_batch: A callable that gives nested Tensors of the next batch.

  Returns:
    A `Feeder`; None where the session is of this process, or of a server that
    was started here for a cluster.
  """
  if not config.master or config.job_name:
    return None
  return Feeder(config, create_batch)


def batches(session, batch):
  """Iterates over the values of a batch until the data ends.

  Args:
    session: A Session.
    batch: Nested Tensors that hold the next batch each time they are run.

  Yields:
    Nested arrays.

  Raises:
    UserError: If the data is bad.
  """
  while True:
    try:
      values = session.run(batch)
    except tf.errors.OutOfRangeError:
      return
    except tf.errors.InvalidArgumentError as e:
      raise (batching.find_user_error(e) or e) from e
    yield values
