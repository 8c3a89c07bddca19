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
    "namedtuple": _Pair(_ROWS, _Pair(_IDS, (_ROWS,))),
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
  tiled, (other,) = evaluate(
      lambda: nested_utils.tile_tensors([x, (y,)], [1, tf.constant(4)]))
  np.testing.assert_array_equal(tiled, np.concatenate([x] * 4, axis=1))
  np.testing.assert_array_equal(other, np.concatenate([y] * 4, axis=1))


def test_where_tensors_chooses_rows(nested):
  condition = np.array([True, False, True])
  result = evaluate(lambda: nested_utils.where_tensors(
      tf.constant(condition), constants(nested),
      tf.nest.map_structure(lambda x: -tf.constant(x), nested)))
  signs = np.where(condition, 1, -1)
  assert_maps(
      result, nested, lambda x: x * signs.reshape([-1] + [1] * (x.ndim - 1)))


def test_where_tensors_shuts_nan_out():
  """Masks that multiply let a NaN through."""
  result = evaluate(lambda: nested_utils.where_tensors(
      tf.constant([True, False]), tf.constant([1., 2.]),
      tf.constant([np.nan, 3.])))
  np.testing.assert_array_equal(result, [1., 3.])


def test_gather_tensors(nested):
  indices = np.array([2, 0, 0, 1])
  result = evaluate(
      lambda: nested_utils.gather_tensors(constants(nested), indices))
  assert_maps(result, nested, lambda x: x[indices])


def test_tensor_arrays_there_and_back(nested):
  def build():
    tas = nested_utils.tas_for_tensors(
        constants(nested), tf.constant(2), clear_after_read=False)
    # Twice, which needs the keyword.
    return [nested_utils.read_tas(tas, t) for t in (tf.constant(0), 1, 1)]

  for result, t in zip(evaluate(build), (0, 1, 1)):
    assert_maps(result, nested, lambda x, t=t: x[t])
