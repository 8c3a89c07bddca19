"""Reading batches out of one graph to feed them into another."""

import tensorflow as tf

from fivo.data import batching


def placeholder_like(tensor):
  """A placeholder of a Tensor's type and static shape."""
  return tf.compat.v1.placeholder(tensor.dtype, tensor.shape)


def feed(placeholders, values):
  """A feed_dict of nested placeholders."""
  return dict(zip(tf.nest.flatten(placeholders), tf.nest.flatten(values)))


def batches(session, batch):
  """Yields the values of nested Tensors of the next batch until data ends."""
  while True:
    try:
      values = session.run(batch)
    except tf.errors.OutOfRangeError:
      return
    except tf.errors.InvalidArgumentError as e:
      raise (batching.find_user_error(e) or e) from e
    yield values


class Feeder(tf.compat.v1.train.SessionRunHook):
  """Reads data in this process for a session that runs in another.

  The servers of a user's cluster do not run the Python that reads data. Nested
  `placeholders` of the default graph stand for the data.
  """

  def __init__(self, create_batch, random_seed):
    """Builds a graph for the nested Tensors that `create_batch` returns."""
    with tf.Graph().as_default() as graph:
      tf.compat.v1.set_random_seed(random_seed)
      batch = tf.nest.map_structure(tf.convert_to_tensor, create_batch())
    self.placeholders = tf.nest.map_structure(placeholder_like, batch)
    self._session = tf.compat.v1.Session(graph=graph, target="")
    self._batches = batches(self._session, batch)

  def before_run(self, run_context):
    """Feeds the next batch, or ends training if there is none."""
    values = next(self._batches, None)
    if values is None:
      raise tf.errors.OutOfRangeError(None, None, "The data has ended.")
    return tf.compat.v1.train.SessionRunArgs(
        [], feed_dict=feed(self.placeholders, values))

  def end(self, session):
    """Closes the session."""
    self._session.close()
