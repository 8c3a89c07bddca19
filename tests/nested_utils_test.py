"""Tests of operations on nested Tensors."""

import collections

import numpy as np
import pytest
import tensorflow as tf

from fivo import nested_utils
from tests.smc_test import evaluate

_Pair = collections.namedtuple("_Pair", ("first", "second"))

_ROWS = np.arange(12.).reshape([3, 4])
_IDS = np.array([1, 2, 3])
_STRUCTURES = {
    "leaf": _ROWS,
    "list": [_ROWS, _IDS],
    "tuple": (_ROWS, (_IDS,)),
    "namedtuple": _Pair(_ROWS, _Pair(_IDS, [_ROWS])),
    "dict": {"a": _ROWS, "b": (_IDS,)},
    "empty part": _Pair(_ROWS, ()),
    "lstm": tf.compat.v1.nn.rnn_cell.LSTMStateTuple(_ROWS, _IDS),
}


@pytest.fixture(params=sorted(_STRUCTURES))
def nested(request):
  """Arrays with three rows each, nested in some way."""
  return _STRUCTURES[request.param]


def constants(nested):
  return tf.nest.map_structure(tf.constant, nested)


def assert_maps(result, nested, expected_fn):
  """Asserts that a result is `expected_fn` of every leaf."""
  tf.nest.assert_same_structure(nested, result)
  tf.nest.map_structure(
      lambda x, y: np.testing.assert_array_equal(x, expected_fn(y)), result,
      nested)


def test_map_nested(nested):
  result = nested_utils.map_nested(lambda x: 2 * x, nested)
  assert type(result) is type(nested)
  assert_maps(result, nested, lambda x: 2 * x)


def test_map_nested_of_python_numbers():
  assert nested_utils.map_nested(
      lambda x: x + 1, _Pair(1, [2, (3, 4)])) == _Pair(2, [3, (4, 5)])


def test_tile_tensors_pads_multiples(nested):
  result = evaluate(
      lambda: nested_utils.tile_tensors(constants(nested), [2]))
  assert_maps(result, nested, lambda x: np.concatenate([x, x]))


def test_tile_tensors_along_the_second_axis():
  """Particle-major, as the observations are tiled."""
  x = np.arange(12.).reshape([2, 3, 2])
  y = np.arange(6).reshape([2, 3])
  tiled = evaluate(
      lambda: nested_utils.tile_tensors([x, (y,)], [1, tf.constant(4)]))
  assert tiled[0].shape == (2, 12, 2)
  for n in range(4):
    np.testing.assert_array_equal(tiled[0][:, n * 3:(n + 1) * 3], x)
    np.testing.assert_array_equal(tiled[1][0][:, n * 3:(n + 1) * 3], y)


def test_where_tensors_chooses_rows(nested):
  condition = np.array([True, False, True])
  result = evaluate(lambda: nested_utils.where_tensors(
      tf.constant(condition), constants(nested),
      tf.nest.map_structure(lambda x: -tf.constant(x), nested)))
  signs = np.where(condition, 1, -1)
  assert_maps(
      result, nested, lambda x: x * signs.reshape([-1] + [1] * (x.ndim - 1)))


def test_where_tensors_of_rank_3_and_of_ints():
  x = np.arange(12).reshape([2, 3, 2])
  result = evaluate(lambda: nested_utils.where_tensors(
      tf.constant([False, True]), tf.constant(x), tf.constant(-x)))
  np.testing.assert_array_equal(result, np.stack([-x[0], x[1]]))


def test_where_tensors_shuts_nan_out():
  """Masks that multiply let a NaN through."""
  result = evaluate(lambda: nested_utils.where_tensors(
      tf.constant([True, False]), tf.constant([1., 2.]),
      tf.constant([np.nan, 3.])))
  np.testing.assert_array_equal(result, [1., 3.])


def test_where_tensors_refuses_other_structures():
  with tf.Graph().as_default(), pytest.raises((TypeError, ValueError)):
    x = tf.zeros([2])
    nested_utils.where_tensors(tf.constant([True, False]), [x, x], [x])


def test_gather_tensors(nested):
  indices = np.array([2, 0, 0, 1])
  result = evaluate(
      lambda: nested_utils.gather_tensors(constants(nested), indices))
  assert_maps(result, nested, lambda x: x[indices])


def test_tensor_arrays_there_and_back(nested):
  def build():
    tas = nested_utils.tas_for_tensors(
        constants(nested), tf.constant(3), clear_after_read=False)
    # Twice, which needs the keyword.
    return [nested_utils.read_tas(tas, t) for t in (tf.constant(0), 2, 2)]

  for result, t in zip(evaluate(build), (0, 2, 2)):
    assert_maps(result, nested, lambda x, t=t: x[t])


def test_tensor_arrays_in_a_loop_of_unknown_length():
  x = np.arange(6.).reshape([3, 2])

  def build():
    data = tf.compat.v1.placeholder_with_default(x, [None, 2])
    tas = nested_utils.tas_for_tensors({"x": data}, tf.shape(data)[0])
    return tf.while_loop(
        lambda t, _: t < tf.shape(data)[0],
        lambda t, total: (t + 1,
                          total + nested_utils.read_tas(tas, t)["x"]),
        (0, tf.zeros([2], tf.float64)))[1]

  np.testing.assert_array_equal(evaluate(build), x.sum(axis=0))
