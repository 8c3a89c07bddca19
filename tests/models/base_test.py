"""Tests of the model interface and the conditional distributions."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from fivo.models import base

_X, _Y, _MU = [
    np.random.RandomState(size).normal(size=[4, size]).astype(np.float32)
    for size in (2, 3, 5)]


def variables_of(session):
  """The values of all variables by name, set to something random first."""
  rng = np.random.RandomState(7)
  variables = tf.compat.v1.global_variables()
  for variable in variables:
    variable.load(.5 * rng.normal(size=variable.shape.as_list()), session)
  return {v.op.name: session.run(v) for v in variables}


def mlp(variables, name, x):
  """A multilayer perceptron with one hidden layer, in NumPy."""
  hidden = np.maximum(0., x @ variables[name + "/linear_0/w"] +
                      variables[name + "/linear_0/b"])
  return (hidden @ variables[name + "/linear_1/w"] +
          variables[name + "/linear_1/b"])


def softplus(x):
  return np.log1p(np.exp(x))


def _run(fetches):
  """Fetches, and the MLP named p_fcnet of _X and _Y by the same variables."""
  with tf.compat.v1.Session() as session:
    variables = variables_of(session)
    results = session.run(fetches)
  return results, mlp(variables, "p_fcnet", np.concatenate([_X, _Y], axis=1))


@pytest.mark.parametrize("sigma_min", [0., .8])
@pytest.mark.parametrize("raw_sigma_bias", [.25, -1.])
def test_conditional_normal(sigma_min, raw_sigma_bias):
  dist = base.ConditionalNormalDistribution(
      5, [6], sigma_min=sigma_min, raw_sigma_bias=raw_sigma_bias, name="p")
  # It takes a proposal's options too, and can stand in for one.
  p = dist(tf.constant(_X), tf.constant(_Y), prior_mu=tf.constant(_MU))
  results, outputs = _run(
      [p.mean(), p.stddev(), *dist.condition([_X, _Y])])
  expected_sigma = np.maximum(softplus(outputs[:, 5:] + raw_sigma_bias),
                              sigma_min)
  for result, expected in zip(results, [outputs[:, :5], expected_sigma] * 2):
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
  assert (expected_sigma == sigma_min).any() == (sigma_min > 0.)
  assert dist.size == 5


@pytest.mark.parametrize("bias_init", [
    0., -1, np.arange(5., dtype=np.float32),
    lambda: tf.constant(np.arange(5.), tf.float32)])
def test_conditional_bernoulli(bias_init):
  bias = bias_init() if callable(bias_init) else bias_init
  dist = base.ConditionalBernoulliDistribution(
      5, [6], bias_init=bias, name="p")
  (logits, same_logits, bias), outputs = _run(
      [dist(tf.constant(_X), tf.constant(_Y)).logits,
       dist.condition([_X, _Y]), bias + tf.zeros([5])])
  np.testing.assert_allclose(logits, outputs + bias, rtol=1e-5, atol=1e-6)
  np.testing.assert_array_equal(same_logits, logits)
  assert dist.size == 5


@pytest.mark.parametrize("smoothing", [False, True])
def test_approximate_posterior_corrects_the_prior(smoothing):
  """In the original, smoothing extended the tuple of arguments."""
  dist = base.NormalApproximatePosterior(5, [6], smoothing=smoothing, name="p")
  x, y = tf.constant(_X), tf.constant(_Y)
  if smoothing:
    q = dist(x, prior_mu=tf.constant(_MU), smoothing_tensors=[y])
  else:
    q = dist(x, y, prior_mu=tf.constant(_MU))
  (mu, sigma), outputs = _run([q.mean(), q.stddev()])
  np.testing.assert_allclose(mu, outputs[:, :5] + _MU, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(
      sigma, softplus(outputs[:, 5:] + .25), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("distribution_class, num_outputs, name", [
    (base.ConditionalNormalDistribution, 4, "conditional_normal"),
    (base.ConditionalBernoulliDistribution, 2, "conditional_bernoulli"),
    (base.NormalApproximatePosterior, 4, "conditional_normal")])
def test_options_of_the_mlp(distribution_class, num_outputs, name):
  dist = distribution_class(
      2, (3, 4), hidden_activation_fn=tf.nn.tanh, initializers={
          "w": tf.compat.v1.constant_initializer(.5),
          "b": tf.compat.v1.constant_initializer(-.25)})
  outputs = dist.fcnet(tf.constant(_X))
  with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    outputs = session.run(outputs)
  hidden = np.tanh(_X.sum(axis=1) * .5 - .25)
  hidden = np.tanh(3 * hidden * .5 - .25)
  np.testing.assert_allclose(
      outputs, np.tile((4 * hidden * .5 - .25)[:, np.newaxis], num_outputs),
      rtol=1e-4)
  assert {v.op.name.split("/")[0]
          for v in tf.compat.v1.trainable_variables()} == {
              name + "_distribution_fcnet"}


def test_defaults_are_the_contracts():
  def parameters(cls):
    return [(p.name, p.default) for p in inspect.signature(
        cls).parameters.values() if p.default is not p.empty]

  normal = [("sigma_min", 0.), ("raw_sigma_bias", .25),
            ("hidden_activation_fn", tf.nn.relu), ("initializers", None)]
  name = [("name", "conditional_normal_distribution")]
  assert parameters(base.ConditionalNormalDistribution) == normal + name
  assert parameters(base.NormalApproximatePosterior) == normal + [
      ("smoothing", False)] + name
  assert parameters(base.ConditionalBernoulliDistribution) == normal[2:] + [
      ("bias_init", 0.), ("name", "conditional_bernoulli_distribution")]
