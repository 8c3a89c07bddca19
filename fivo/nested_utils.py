"""Nested structures of Tensors: lists, tuples, namedtuples and dicts.

Model states and observations are nested; `tf.nest` decides what a leaf is.
"""

import tensorflow as tf


def map_nested(map_fn, nested):
  """Applies `map_fn` to every leaf.

  Args:
    map_fn: A callable of one leaf.
    nested: A leaf, or leaves nested in lists, tuples, namedtuples or dicts.

  Returns:
    The results of `map_fn` in the structure of `nested`.
  """
  return tf.nest.map_structure(map_fn, nested)


def tile_tensors(tensors, multiples):
  """Tiles every Tensor.

  Args:
    tensors: Nested Tensors.
    multiples: A list of ints or scalar Tensors, the number of repetitions of
      each leading dimension; padded with ones up to each Tensor's rank.

  Returns:
    The tiled Tensors in the structure of `tensors`.
  """
  def tile(x):
    x = tf.convert_to_tensor(x)
    return tf.tile(x, list(multiples) + [1] * (x.shape.ndims - len(multiples)))
  return map_nested(tile, tensors)


def where_tensors(condition, x_tensors, y_tensors):
  """Chooses rows of nested Tensors.

  Args:
    condition: A bool Tensor of shape `[batch]`.
    x_tensors: Nested Tensors of shape `[batch, ...]`, taken where `condition`
      is true.
    y_tensors: Tensors of the same structure and shapes, taken elsewhere.

  Returns:
    The chosen Tensors in the structure of `x_tensors`.
  """
  return tf.nest.map_structure(
      lambda x, y: tf.compat.v1.where(condition, x, y), x_tensors, y_tensors)


def gather_tensors(tensors, indices):
  """Gathers rows of nested Tensors.

  Args:
    tensors: Nested Tensors of shape `[batch, ...]`.
    indices: An integer Tensor of shape `[rows]`.

  Returns:
    Tensors of shape `[rows, ...]` in the structure of `tensors`.
  """
  return map_nested(lambda x: tf.gather(x, indices), tensors)


def tas_for_tensors(tensors, length, **kwargs):
  """Unstacks every Tensor into a TensorArray.

  Args:
    tensors: Nested Tensors of shape `[>= length, ...]`; later entries are left
      out.
    length: The number of entries of each TensorArray, an int or scalar Tensor.
    **kwargs: Passed on to the TensorArrays' constructor, e.g.
      `clear_after_read=False`.

  Returns:
    TensorArrays in the structure of `tensors`.
  """
  def unstack(x):
    x = tf.convert_to_tensor(x)
    return tf.TensorArray(x.dtype, length, **kwargs).unstack(x[:length])
  return map_nested(unstack, tensors)


def read_tas(tas, index):
  """Reads one entry of every TensorArray.

  Args:
    tas: Nested TensorArrays, or whatever else can `read`.
    index: The entry, an int or scalar Tensor.

  Returns:
    The entries in the structure of `tas`.
  """
  return map_nested(lambda ta: ta.read(index), tas)


def float_dtype(nested):
  """The dtype of the first float leaf; float32 where there is none.

  Args:
    nested: Nested Tensors or TensorArrays.

  Returns:
    A `tf.DType`.
  """
  for leaf in tf.nest.flatten(nested):
    if leaf.dtype.is_floating:
      return leaf.dtype
  return tf.float32
