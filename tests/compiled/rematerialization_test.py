"""Tests of loops with a gradient loop of their own."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.compiled import rematerialization
from fivo.models import base

_LENGTHS = [4, 1, 3]
_MAX_STEPS = 6


def _linear(x, w, b):
  return tf.nn.bias_add(tf.matmul(x, w), b)


def _scan(step, initial_state, record, num_steps, max_num_steps, rematerialize):
  """`rematerialization.scan`, or what TensorFlow makes of the same step."""
  if rematerialize:
    return rematerialization.scan(
        step, initial_state, record, tf.constant(num_steps), max_num_steps)
  state, records = initial_state, []
  for t in range(num_steps):
    state, record = step(tf.constant(t), state)
    records.append(record)
  records = [tf.stack(list(x)) for x in zip(*records)]
  return state, [
      tf.pad(x, [[0, max_num_steps - num_steps]] + [[0, 0]] * (
          x.shape.ndims - 1)) for x in records]


@pytest.mark.parametrize("dtype, chunk", [
    (tf.float32, 32), (tf.float64, 3), (tf.float32, 1)])
def test_scan(dtype, chunk, monkeypatch):
  """All ways that a gradient flows, and a state that has none."""
  monkeypatch.setattr(rematerialization, "CHUNK", chunk)

  def run(rematerialize):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      w, b, start, data = [
          tf.compat.v1.get_variable(name, initializer=tf.cast(tf.reshape(
              tf.linspace(low, 1., np.prod(shape)), shape), dtype))
          for name, low, shape in [
              ("w", -1., [3, 3]), ("b", 0., [3]), ("start", -2., [2, 3]),
              ("data", -3., [5, 2, 3])]]
      series = base.ta_for_tensor(data + 0., clear_after_read=False)

      def step(t, state):
        x, count = state
        y = tf.tanh(_linear(x, w, b) + series.read(t))
        x = _linear(y, w, b) * x
        return [x, count + 1], [tf.reduce_sum(y, axis=1), count]

      final_state, records = _scan(
          step, [start + 0., tf.constant(7)],
          [tf.zeros([2], dtype), tf.constant(0)], 4, 5, rematerialize)
      loss = tf.reduce_sum(final_state[0] ** 2) + tf.reduce_sum(
          records[0] * tf.cast(tf.range(10.), dtype)[:5, tf.newaxis])
      gradients = tf.gradients(loss, [w, b, start, data])
      session.run(tf.compat.v1.global_variables_initializer())
      return session.run(
          final_state + records +
          [tf.convert_to_tensor(gradient) for gradient in gradients])

  values = run(True)
  assert values[1] == 11
  np.testing.assert_array_equal(values[3], [7, 8, 9, 10, 0])
  for value, expected in zip(values, run(False)):
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def _no_gradient(w, b, unused_series):
  return lambda t, state: ([_linear(state[0], w, b) + b], [state[0]])


def _no_series(w, unused_b, series):
  hidden = tf.matmul(tf.ones([2, 3]), w)
  return lambda t, state: ([state[0] + hidden], [state[0] + series.read(t)])


def _another_timestep(unused_w, unused_b, series):
  return lambda t, state: ([state[0] + series.read(t + 1)], [state[0]])


def _normals(*unused_args):
  return lambda t, state: ([state[0] + tf.random.normal([2, 3])], state)


def _categories(*unused_args):
  return lambda t, state: ([state[0] + tf.cast(
      tf.random.categorical(tf.ones([2, 3]), 3), tf.float32)], state)


@pytest.mark.parametrize("make_step, message", [
    (_no_gradient, "layer/b: a compiled step may use it in a linear layer "),
    (_no_series, "layer/w: a compiled step may use it in a linear layer only"),
    (_another_timestep, "may read it at its own timestep only"),
    # The gradient's loop would draw others.
    (_normals, "a compiled step must not draw random numbers"),
    (_categories, "a compiled step must not draw random numbers")])
def test_refused(make_step, message):
  with tf.Graph().as_default():
    w = tf.compat.v1.get_variable("layer/w", [3, 3])
    b = tf.compat.v1.get_variable("layer/b", [3])
    series = base.ta_for_tensor(tf.matmul(tf.ones([4, 3]), w))
    with pytest.raises(ValueError, match=message):
      rematerialization.scan(
          make_step(w, b, series), [tf.ones([2, 3])], [tf.ones([2, 3])],
          tf.constant(4), 4)
