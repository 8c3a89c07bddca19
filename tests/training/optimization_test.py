"""Tests of the training step."""


import numpy as np
import pytest
import tensorflow as tf

from fivo.system import errors
from fivo.training import optimization


def _numpy_adam(gradient_fn, values, learning_rate, max_norm, num_steps):
  """Adam (Kingma & Ba, 2015, end of section 2) on clipped gradients."""
  first, second = np.zeros_like(values), np.zeros_like(values)
  for step in range(1, num_steps + 1):
    gradient = gradient_fn(values)
    norm = np.sqrt(np.sum(gradient ** 2))
    gradient = gradient * max_norm / max(norm, max_norm)
    first = .9 * first + .1 * gradient
    second = .999 * second + .001 * gradient ** 2
    rate = learning_rate * np.sqrt(1 - .999 ** step) / (1 - .9 ** step)
    values = values - rate * first / (np.sqrt(second) + 1e-8)
  return values


class TestClipping(object):
  """Of the loss `sum(w * v ** 2) / 2` in two variables, one of them gathered.

  The gradient is `w * v`, whose norm falls from 4.7 to 0.7 in forty steps.
  """

  _START = np.array([1., -2., 1.5, .5, -1.])
  _WEIGHTS = np.array([1., 2., .5, 4., 1.])

  def _run(self, num_steps, max_norm):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      a = tf.compat.v1.get_variable(
          "a", initializer=self._START[:2], dtype=tf.float64)
      b = tf.compat.v1.get_variable(
          "b", initializer=self._START[2:], dtype=tf.float64)
      values = tf.concat([a, tf.gather(b, [0, 1, 2])], axis=0)
      loss = tf.reduce_sum(self._WEIGHTS * values ** 2) / 2
      train_op = optimization.Optimizer(.05, max_norm).minimize(loss, "fivo")
      session.run(tf.compat.v1.global_variables_initializer())
      for _ in range(num_steps):
        session.run(train_op)
      return session.run(values)

  @pytest.mark.parametrize("max_norm", [1e-3, 3., 1e9])
  def test_against_numpy(self, max_norm):
    """Always, at first, and never clipped."""
    expected = _numpy_adam(
        lambda values: self._WEIGHTS * values, self._START, .05, max_norm, 40)
    # TensorFlow's rates are float32 even where variables are float64.
    np.testing.assert_allclose(
        self._run(40, max_norm), expected, rtol=0, atol=1e-6)

  def test_clipping_matters(self):
    """Adam forgets the scale of a gradient, but not a change of scale."""
    assert np.abs(self._run(40, 3.) - self._run(40, None)).max() > 1e-3

  def test_no_ops_without_it(self):
    def ops(*args):
      with tf.Graph().as_default() as graph:
        loss = tf.square(tf.compat.v1.get_variable("v", initializer=1.))
        optimization.Optimizer(.1, *args).minimize(loss, "fivo")
        return [op.name for op in graph.get_operations()]

    assert ops() == ops(None)
    assert len(ops(1.)) > len(ops())


def test_nothing_to_train():
  with tf.Graph().as_default():
    with pytest.raises(errors.UserError, match="nothing to train"):
      optimization.Optimizer(.1).minimize(tf.constant(1.), "fivo")


def _train(num_steps, **kwargs):
  """Trains the squares of a variable; gives its values and a checkpoint's."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    v = tf.compat.v1.get_variable(
        "v", initializer=tf.constant([1., -2.]), use_resource=True)
    train_op = optimization.Optimizer(tf.constant(.05), **kwargs).minimize(
        tf.reduce_sum(v ** 2), "fivo")
    saved = optimization.names_in_checkpoints()
    session.run(tf.compat.v1.global_variables_initializer())
    values = []
    for _ in range(num_steps):
      session.run(train_op)
      values.append(session.run(v))
    return np.array(values), session.run(saved)


class TestAverages(object):

  @pytest.mark.parametrize("decay, num_steps", [(.5, 20), (.999, 20)])
  def test_against_numpy(self, decay, num_steps):
    values, saved = _train(num_steps, average_decay=decay)
    average = np.array([1., -2.])
    for step, value in enumerate(values, 1):
      rate = min(decay, (1. + step) / (10. + step))
      average = rate * average + (1 - rate) * value
    np.testing.assert_allclose(saved["v"], average, rtol=1e-5)
    # What is trained on is kept as well, for the run to go on.
    np.testing.assert_array_equal(
        saved["v/ExponentialMovingAverage"], values[-1])
    assert np.abs(average - values[-1]).max() > .01

  def test_leave_training_alone(self):
    values, saved = _train(5)
    np.testing.assert_array_equal(values, _train(5, average_decay=.9)[0])
    np.testing.assert_array_equal(saved["v"], values[-1])
    assert not any("Average" in name for name in saved)


class TestSchedule(object):

  def _rates(self, steps, *schedule):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      global_step = tf.compat.v1.train.get_or_create_global_step()
      optimizer = optimization.Optimizer(.5, None, None, *schedule)
      rate = tf.convert_to_tensor(optimizer.scheduled_rate())
      return [session.run(rate, {global_step: step}) for step in steps]

  def test_constant(self):
    assert self._rates([0, 1000], "constant", None) == [.5, .5]

  def test_cosine(self):
    steps = np.array([0, 25, 50, 75, 100, 1000])
    expected = .5 * (.01 + .99 * .5 * (
        1 + np.cos(np.pi * np.minimum(steps, 100) / 100)))
    np.testing.assert_allclose(
        self._rates(steps, "cosine", 100), expected, rtol=1e-5)
