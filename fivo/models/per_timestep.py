"""Numbers per timestep: from what callers pass to Tensors that are checked."""

import operator

import numpy as np
import tensorflow as tf

from fivo.system import errors


class PerTimestep(object):
  """A Tensor `[steps, ...]` that is read like a list or a TensorArray."""

  def __init__(self, values):
    """Wraps a Tensor `[steps, ...]`, which stays readable as `values`."""
    self.values = values

  def __len__(self):
    return self.values.shape.as_list()[0]

  def __iter__(self):
    return iter(tf.unstack(self.values))

  def __getitem__(self, t):
    return self.values[t]

  def read(self, t):
    """The entry of timestep t, an int or scalar integer Tensor."""
    return tf.gather(self.values, t)

  def stack(self):
    """All entries, `values`."""
    return self.values


def positive_int(name, value):
  """Checks that a value is an int above zero.

  Args:
    name: What the caller calls it.
    value: Anything.

  Returns:
    An int.

  Raises:
    UserError: If it is not.
  """
  try:
    number = operator.index(value)
  except TypeError:
    number = 0
  if number < 1 or isinstance(value, (bool, np.bool_)):
    raise errors.UserError("%s=%s: must be a positive int" % (name, value))
  return number


def float_dtype(dtype):
  """Checks a dtype.

  Args:
    dtype: What `tf.as_dtype` takes.

  Returns:
    A `tf.DType`.

  Raises:
    UserError: If it is not one of floats.
  """
  dtype = tf.as_dtype(dtype)
  if not dtype.is_floating:
    raise errors.UserError("dtype=%s: must be a float dtype" % dtype.name)
  return dtype


def step_index(t, num_timesteps):
  """A timestep as an int, or as an int32 Tensor if its value is not known yet.

  Args:
    t: An int or scalar integer Tensor.
    num_timesteps: T, an int.

  Returns:
    An int from 0 to T - 1, or a scalar int32 Tensor.

  Raises:
    UserError: If t is known and out of range.
  """
  value = tf.get_static_value(t) if tf.is_tensor(t) else t
  if value is None:
    return tf.cast(t, tf.int32)
  step = operator.index(value)
  if not 0 <= step < num_timesteps:
    raise errors.UserError("t=%d: must be from 0 to %d" % (
        step, num_timesteps - 1))
  return step


def to_tensor(x, dtype):
  """A Tensor of any numbers, or of nested lists of numbers or Tensors."""
  if isinstance(x, (list, tuple)) and any(
      tf.is_tensor(leaf) for leaf in tf.nest.flatten(x)):
    return tf.stack([to_tensor(entry, dtype) for entry in x])
  if tf.is_tensor(x):
    return tf.cast(tf.convert_to_tensor(x), dtype)
  return tf.convert_to_tensor(np.asarray(x, dtype.as_numpy_dtype))


def parameter(name, values, length, dtype, positive=False):
  """A parameter over time; what is known of it is checked.

  Args:
    name: What the caller calls it.
    values: A float or `length` floats: numbers, an array, a Tensor, a variable
      or a placeholder, or a list of any of them.
    length: An int.
    dtype: A float dtype.
    positive: Whether only positive values are right.

  Returns:
    A Tensor `[length]`.

  Raises:
    UserError: If `values` is known to be something else.
  """
  try:
    tensor = to_tensor(values, dtype)
  except (TypeError, ValueError):
    tensor = None
  if tensor is None or not _may_be_parameter(tensor, length, positive):
    raise errors.UserError("%s=%s: must be a %s or %d of them" % (
        name, " ".join(str(values).split()),
        "positive float" if positive else "float", length))
  return tf.broadcast_to(tensor, [length])


def _may_be_parameter(tensor, length, positive):
  """Whether shape and values, as far as they are known, are a parameter's."""
  if not any(tensor.shape.is_compatible_with(shape)
             for shape in ([], [length])):
    return False
  known = tf.get_static_value(tensor)
  return known is None or bool(
      np.isfinite(known).all() and (not positive or (known > 0).all()))


def observations(name, xs, min_steps, max_steps, dtype):
  """Checks observations and drops the state's dimension of one.

  Args:
    name: What the caller calls them.
    xs: Floats `[steps]`, `[steps, batch]` or `[steps, batch, 1]`.
    min_steps: The smallest right number of steps, an int.
    max_steps: The largest.
    dtype: A float dtype.

  Returns:
    A Tensor `[steps]` or `[steps, batch]`.

  Raises:
    UserError: If `xs` is known to have another shape.
  """
  xs = to_tensor(xs, dtype)
  if xs.shape.ndims is None or (
      xs.shape.ndims == 3 and xs.shape[1:].is_compatible_with([None, 1])):
    xs = tf.reshape(xs, [tf.shape(xs)[0], -1])
  if xs.shape.ndims not in (1, 2):
    raise errors.UserError(
        "%s has shape %s: must be [timesteps, batch]" % (name, xs.shape))
  num_steps = tf.compat.dimension_value(xs.shape[0])
  if num_steps is not None and not min_steps <= num_steps <= max_steps:
    raise errors.UserError("%s has %d timesteps: must have %s" % (
        name, num_steps, max_steps if min_steps == max_steps else
        "%d to %d" % (min_steps, max_steps)))
  return xs
