"""Tests of what training maximizes, and of the charts that come with it."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.config import config as config_lib
from fivo.models import vrnn
from fivo.system import errors
from fivo.training import objectives
from fivo.training import optimization
from tests import toy


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
    optimization.Optimizer(.25, clip).minimize(loss, "fivo")
    assert _summaries() == {
        "training/gradient_norm": pytest.approx(5.),
        "training/learning_rate": .25}


def _objective(config, model):
  """The objective of all toy sequences, its gradient, and the global step."""
  tf.compat.v1.set_random_seed(config.random_seed)
  step = tf.compat.v1.train.get_or_create_global_step()
  inputs, targets, lengths = toy.batch(range(5))
  if config.kl_warmup_steps:
    objectives.warm_up(model, config.kl_warmup_steps)
  value = objectives.bound_of_config(
      config, model, (tf.constant(inputs), tf.constant(targets)),
      tf.constant(lengths)).log_p_hat
  gradient = tf.concat([tf.reshape(g, [-1]) for g, _ in (
      optimization.compute_gradients(-tf.reduce_mean(value)))], axis=0)
  return tf.reduce_mean(value), gradient, step


@pytest.mark.parametrize("bound, model", [
    ("elbo", "srnn"), ("fivo-aux", "vrnn"),
    pytest.param("elbo", "vrnn", marks=pytest.mark.slow),
    pytest.param("fivo-aux", "srnn", marks=pytest.mark.slow)])
def test_warm_up(bound, model):
  """Linear in the step with the ELBO; afterwards what it is by default."""
  results = {}
  for warm_up_steps, steps in ((None, [0, 3]), (8, [0, 2, 4, 8, 20])):
    config = config_lib.from_object(types.SimpleNamespace(
        bound=bound, model=model, num_samples=3, random_seed=5,
        kl_warmup_steps=warm_up_steps))
    with tf.Graph().as_default():
      value, gradient, step = _objective(config, toy.create_model(config))
      variables = tf.compat.v1.trainable_variables()
      for now in steps:
        with tf.compat.v1.Session() as session:  # The same noise for each.
          session.run(tf.compat.v1.global_variables_initializer())
          for i, variable in enumerate(variables):
            variable.load(np.random.RandomState(i).normal(
                scale=.3, size=variable.shape), session)
          step.load(now, session)
          results[warm_up_steps, now] = session.run([value, gradient])
  for other in ((None, 3), (8, 8), (8, 20)):
    for found, expected in zip(results[other], results[None, 0]):
      np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
  assert results[8, 0][0] > results[8, 4][0] > results[8, 8][0] + .1
  if bound == "elbo":
    for which in (0, 1):
      zero, quarter, half, full = [
          results[8, now][which] for now in (0, 2, 4, 8)]
      np.testing.assert_allclose(half, (zero + full) / 2., rtol=1e-4, atol=1e-5)
      np.testing.assert_allclose(
          quarter, .75 * zero + .25 * full, rtol=1e-4, atol=1e-5)


def test_warm_up_refuses_weights_of_its_own():

  class Weighing(vrnn.TrainableVRNN):

    def propose_and_weight(self, state, t):
      return super(Weighing, self).propose_and_weight(state, t)

  for model_class in (Weighing, object):
    with pytest.raises(errors.UserError, match="--kl_warmup_steps=8: needs"):
      objectives.warm_up(model_class.__new__(model_class), 8)
