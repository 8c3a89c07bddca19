"""Nested structures of Tensors: lists, tuples, namedtuples and dicts.

Model states and observations are nested; `tf.nest` decides what a leaf is.
Results have the structure of the first nested argument.
"""

import tensorflow as tf


def map_nested(map_fn, nested):
  """Applies a function to every leaf."""
  return tf.nest.map_structure(map_fn, nested)


def tile_tensors(tensors, multiples):
  """Tiles every Tensor.

  Args:
    tensors: Nested Tensors.
    multiples: A list of ints or scalar Tensors, the number of repetitions of
      each leading dimension; padded with ones up to each Tensor's rank.

  Returns:
    Nested Tensors.
  """
  def tile(x):
    x = tf.convert_to_tensor(x)
    return tf.tile(x, list(multiples) + [1] * (x.shape.ndims - len(multiples)))
  return map_nested(tile, tensors)


def where_tensors(condition, x_tensors, y_tensors):
  """Takes rows `[batch, ...]` of x where a bool `[batch]` is true, else y's."""
  return tf.nest.map_structure(
      lambda x, y: tf.compat.v1.where(condition, x, y), x_tensors, y_tensors)


def gather_tensors(tensors, indices):
  """Gathers rows of nested Tensors `[batch, ...]` at integers `[rows]`."""
  return map_nested(lambda x: tf.gather(x, indices), tensors)


def tas_for_tensors(tensors, length, **kwargs):
  """Unstacks every Tensor into a TensorArray.

  Args:
    tensors: Nested Tensors `[>= length, ...]`; later entries are dropped.
    length: The number of entries, an int or scalar Tensor.
    **kwargs: Passed on to `tf.TensorArray`, e.g. `clear_after_read=False`.

  Returns:
    Nested TensorArrays.
  """
  def unstack(x):
    x = tf.convert_to_tensor(x)
    return tf.TensorArray(x.dtype, length, **kwargs).unstack(x[:length])
  return map_nested(unstack, tensors)


def read_tas(tas, index):
  """Reads one entry of nested TensorArrays, or of objects that have `read`."""
  return map_nested(lambda ta: ta.read(index), tas)


def float_dtype(nested):
  """The dtype of the first float leaf; float32 if there is none."""
  for leaf in tf.nest.flatten(nested):
    if leaf.dtype.is_floating:
      return leaf.dtype
  return tf.float32
