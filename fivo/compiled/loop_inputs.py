"""What the body of a loop takes from outside it: weights and timesteps.

A gradient loop that knows these two can do without TensorFlow's own, see
`rematerialization.py`. Nothing here costs anything where nobody records.
"""

import collections
import contextlib

import tensorflow as tf

from fivo.system import errors

Product = collections.namedtuple("Product", ("inputs", "outputs", "w", "b"))
Read = collections.namedtuple("Read", ("source", "value"))

_recorders = []
_are_series_recorded = [False]


class Recorder(object):
  """Records the products and reads while it is entered.

  Attributes:
    products: A list of `Product`: each call of `linear`, with its Tensors
      `[rows, size]` and its two variables.
    reads: A list of `Read`: each value that was read of a `Series` that needs
      a gradient, and the Series' Tensor.
  """

  def __init__(self, t):
    """Creates a recorder.

    Args:
      t: The timestep at which a Series may be read, a scalar int32 Tensor.
    """
    self.products = []
    self.reads = []
    self._t = t

  def __enter__(self):
    _recorders.append(self)
    return self

  def __exit__(self, *unused_exception):
    _recorders.pop()

  def add_read(self, source, value, t):
    """Records a read of a Series."""
    if t is not self._t:
      raise errors.UserError(
          "%s: may be read at timestep t only in a rematerialized loop" % (
              source.name))
    self.reads.append(Read(source, value))


def is_recording():
  """Whether a recorder is active."""
  return bool(_recorders)


@contextlib.contextmanager
def creating_series(are_recorded):
  """Says whether each Series created in the block is for a recorded loop."""
  _are_series_recorded.append(are_recorded)
  try:
    yield
  finally:
    _are_series_recorded.pop()


def linear(inputs, w, b):
  """A linear layer.

  Args:
    inputs: A float Tensor `[rows, input_size]`.
    w: A variable `[input_size, size]`.
    b: A variable `[size]`.

  Returns:
    A float Tensor `[rows, size]`.
  """
  outputs = tf.nn.bias_add(tf.matmul(inputs, w), b)
  if _recorders:
    _recorders[-1].products.append(Product(inputs, outputs, w, b))
  return outputs


class Series(object):
  """A Tensor `[T, ...]` that a loop reads one timestep of at a time.

  Attributes:
    tensor: The Tensor.
  """

  def __init__(self, tensor, needs_gradient=True):
    """Creates a series; call this outside the loop, see also `creating_series`.

    Args:
      tensor: A Tensor `[T, ...]`.
      needs_gradient: Whether something that is trained depends on it.
    """
    self.tensor = tensor
    self._needs_gradient = needs_gradient
    # The gradient of an array's reads is an array, that of gathers a sum.
    self._array = None
    if needs_gradient and not _are_series_recorded[-1]:
      self._array = tf.TensorArray(
          tensor.dtype, tf.shape(tensor)[0], clear_after_read=False,
          element_shape=tensor.shape[1:]).unstack(tensor)

  def read(self, t):
    """One timestep, a Tensor `[...]`.

    Args:
      t: A scalar int32 Tensor.
    """
    if self._array is not None:
      return self._array.read(t)
    value = tf.gather(self.tensor, t)
    if self._needs_gradient and _recorders:
      _recorders[-1].add_read(self.tensor, value, t)
    return value
