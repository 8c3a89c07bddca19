"""Reading batches out of one place in a graph to feed them into another."""

import tensorflow as tf

from fivo.data import batching


def placeholder_like(tensor):
  """A placeholder of a Tensor's type and static shape."""
  return tf.compat.v1.placeholder(tensor.dtype, tensor.shape)


def feed(placeholders, values):
  """A feed_dict of nested placeholders."""
  return dict(zip(tf.nest.flatten(placeholders), tf.nest.flatten(values)))


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
