"""Tests of the stochastic recurrent neural network alone."""

import tensorflow as tf

from fivo import bounds
from tests.models import recurrent_test


def test_the_recurrent_network_runs_before_the_filter():
  """Once per sequence, not once per particle."""
  bounds.fivo(
      recurrent_test.create("srnn"), recurrent_test.observations(),
      recurrent_test.LENGTHS, num_samples=7)
  [cell] = [op for op in tf.compat.v1.get_default_graph().get_operations()
            if op.type == "LSTMBlockCell"]
  assert cell.inputs[0].shape.as_list()[0] == len(recurrent_test.LENGTHS)
