"""Tests of the charts that come with what training maximizes."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.training import objectives
from fivo.training import optimization


def _summaries():
  """The values of all charts in the default graph."""
  with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    data = session.run(tf.compat.v1.summary.merge_all())
  return {value.tag: float(tf.make_ndarray(value.tensor))
          for value in tf.compat.v1.Summary.FromString(data).value}


def test_particles():
  """Timesteps past a sequence's end do not count."""
  log_weights = np.log([
      [[1., 1.], [1., 3.]], [[1., 1e-30], [2., 2.]], [[7., 1.], [5., 5.]]])
  with tf.Graph().as_default():
    bound = bounds.FIVOBound(
        None, tf.constant(log_weights, tf.float32),
        tf.constant([[0., 1.], [1., 0.], [0., 0.]]), None)
    objectives.summarize_particles(bound, tf.constant([2, 3]))
    found = _summaries()
  sizes = [2., 16. / 10., 1., 2., 2.]
  assert found["particles/effective_sample_size"] == pytest.approx(
      np.mean(sizes))
  assert found["particles/resampling_rate"] == pytest.approx(2 / 5)


@pytest.mark.parametrize("clip", [None, .1])
def test_gradient(clip):
  """Before it is clipped."""
  with tf.Graph().as_default():
    x = tf.compat.v1.get_variable("x", initializer=[3., 0.])
    y = tf.compat.v1.get_variable("y", initializer=4.)
    loss = tf.reduce_sum(tf.square(x)) / 2. + tf.square(y) / 2.
    optimization.create_train_op(loss, "fivo", .25, clip)
    assert _summaries() == {
        "training/gradient_norm": pytest.approx(5.),
        "training/learning_rate": .25}
