"""Tests of the fused LSTM cell against TensorFlow's."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.models import lstm

_INPUTS, _UNITS, _STEPS = 3, 4, 5


def _run(cell_class, dtype=tf.float32, batch=2):
  """Outputs of a few steps in a loop, their gradients, variables' names."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    rng = np.random.RandomState(0)
    inputs = tf.constant(
        rng.normal(size=[_STEPS, batch, _INPUTS]), dtype)
    cell = cell_class(
        _UNITS, initializer=tf.compat.v1.constant_initializer(
            rng.normal(size=[_INPUTS + _UNITS, 4 * _UNITS])))
    outputs, state = tf.compat.v1.nn.dynamic_rnn(
        cell, inputs, dtype=dtype, time_major=True)
    variables = tf.compat.v1.trainable_variables()
    loss = tf.reduce_sum(tf.square(outputs)) + tf.reduce_sum(state.c * state.h)
    gradients = tf.gradients(loss, variables + [inputs])
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run([outputs, state, gradients]), [
        v.op.name for v in variables]


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_values_gradients_and_names(dtype):
  ours, our_names = _run(lstm.LSTMCell, dtype)
  theirs, their_names = _run(tf.compat.v1.nn.rnn_cell.LSTMCell, dtype)
  assert our_names == their_names == [
      "rnn/lstm_cell/kernel", "rnn/lstm_cell/bias"]
  for x, y in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs)):
    np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)
