"""Tests of the distributions against TensorFlow Probability's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.models import distributions
from tests.models.joint_gaussian import run

_LOC = np.linspace(-3., 4., 12).reshape(3, 4)
_SCALE = np.linspace(.1, 5., 12).reshape(3, 4)


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5),
                                         (np.float64, 1e-12)])
def test_normal(dtype, rtol):
  """The same densities, and the same draws: golden figures rest on these."""
  ours, theirs = [cls(_LOC.astype(dtype), _SCALE.astype(dtype)) for cls in (
      distributions.Normal, tfp.distributions.Normal)]
  x = np.random.RandomState(0).normal(size=[3, 4]).astype(dtype)
  log_probs, samples = run([
      [dist.log_prob(x) for dist in (ours, theirs)],
      [distributions.sample_with_log_prob(ours, seed=5)[0],
       ours.sample(seed=5), theirs.sample(seed=5)]])
  assert log_probs[0].dtype == dtype
  np.testing.assert_allclose(log_probs[0], log_probs[1], rtol=rtol)
  np.testing.assert_array_equal(samples, [samples[0]] * 3)


def test_density_of_a_draw_and_its_gradient():
  loc, scale = tf.constant(_LOC), tf.constant(_SCALE)
  sample, log_prob = distributions.sample_with_log_prob(
      distributions.Normal(loc, scale), 3)
  expected = tfp.distributions.Normal(loc, scale).log_prob(sample)
  ours, theirs = run([
      [x, tf.gradients(x, scale)[0],
       tf.gradients(x + tf.square(sample), loc)[0]]
      for x in (log_prob, expected)])
  np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_bernoulli_density():
  logits = np.array([[-90., -5., 0., .3, 40., 200.]], np.float32)
  events = np.array([[0.], [1.], [.25]], np.float32)
  ours, theirs = run([cls(logits=logits).log_prob(events) for cls in (
      distributions.Bernoulli, tfp.distributions.Bernoulli)])
  np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_old_code_computes_divergences():
  """It knows the Normal of tf.contrib, which is tf.distributions'."""
  old = tf.compat.v1.distributions
  q, prior = distributions.Normal([1., 2.], [1., .5]), old.Normal(0., 1.)
  assert isinstance(q, old.Normal)
  assert isinstance(q, old.Distribution)
  assert isinstance(distributions.Bernoulli(logits=[0.]), old.Bernoulli)
  standard = tfp.distributions.Normal(0., 1.)
  to_prior, from_prior, zeros = run([
      [old.kl_divergence(q, prior), q.kl_divergence(prior),
       old.kl_divergence(q, standard), q.kl_divergence(standard)],
      [old.kl_divergence(prior, q), prior.kl_divergence(q),
       standard.kl_divergence(q)], old.kl_divergence(q, q)])
  mean, variance = np.array([1., 2.]), np.array([1., .25])
  for divergence in to_prior:
    np.testing.assert_allclose(
        divergence, .5 * (variance + mean**2 - 1 - np.log(variance)), rtol=1e-6)
  for divergence in from_prior:
    np.testing.assert_allclose(
        divergence,
        .5 * ((1 + mean**2) / variance - 1 + np.log(variance)), rtol=1e-6)
  np.testing.assert_array_equal(zeros, [0., 0.])
