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


def test_each_applies_to_every_leaf(nested):
  condition = np.array([True, False, True])
  indices = np.array([2, 0, 0, 1])

  def build():
    x = constants(nested)
    tas = nested_utils.tas_for_tensors(
        x, tf.constant(2), clear_after_read=False)
    return [
        nested_utils.map_nested(lambda x: 2 * x, x),
        nested_utils.tile_tensors(x, [2]),
        nested_utils.where_tensors(
            condition, x, tf.nest.map_structure(tf.negative, x)),
        nested_utils.gather_tensors(x, indices),
        nested_utils.read_tas(tas, tf.constant(0)),
        nested_utils.read_tas(tas, 1),
        nested_utils.read_tas(tas, 1)]  # Again, which needs the keyword.

  signs = np.where(condition, 1, -1)
  for result, expected in zip(evaluate(build), [
      lambda x: 2 * x, lambda x: np.concatenate([x, x]),
      lambda x: x * signs.reshape([-1] + [1] * (x.ndim - 1)),
      lambda x: x[indices], lambda x: x[0], lambda x: x[1], lambda x: x[1]]):
    tf.nest.assert_same_structure(nested, result)
    tf.nest.map_structure(
        lambda x, y, fn=expected: np.testing.assert_array_equal(x, fn(y)),
        result, nested)
