"""Tests of the distributions against TensorFlow Probability's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.models import distributions

_LOC = np.linspace(-3., 4., 12).reshape(3, 4)
_SCALE = np.linspace(.1, 5., 12).reshape(3, 4)


def _evaluate(fn):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(1)
    return session.run(fn())


@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5),
                                         (np.float64, 1e-12)])
def test_normal_density(dtype, rtol):
  x = np.random.RandomState(0).normal(size=[3, 4]).astype(dtype)
  ours, theirs = _evaluate(lambda: [
      cls(_LOC.astype(dtype), _SCALE.astype(dtype)).log_prob(x)
      for cls in (distributions.Normal, tfp.distributions.Normal)])
  assert ours.dtype == dtype
  np.testing.assert_allclose(ours, theirs, rtol=rtol)


def test_normal_draws_the_same_numbers():
  """The contract's golden values rest on this."""
  def build():
    loc, scale = _LOC.astype(np.float32), _SCALE.astype(np.float32)
    ours = distributions.Normal(loc, scale)
    return (distributions.sample_with_log_prob(ours, seed=5)[0],
            ours.sample(seed=5),
            tfp.distributions.Normal(loc, scale).sample(seed=5))
  together, ours, theirs = _evaluate(build)
  np.testing.assert_array_equal(together, theirs)
  np.testing.assert_array_equal(ours, theirs)


def test_density_of_a_draw_and_its_gradient():
  def build():
    loc, scale = tf.constant(_LOC), tf.constant(_SCALE)
    sample, log_prob = distributions.sample_with_log_prob(
        distributions.Normal(loc, scale), 3)
    expected = tfp.distributions.Normal(loc, scale).log_prob(sample)
    return [(x, tf.gradients(x, [scale]),
             tf.gradients(x + tf.square(sample), [loc]))
            for x in (log_prob, expected)]
  ours, theirs = _evaluate(build)
  for x, y in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs)):
    np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("logit", [-90., -5., 0., .3, 40., 200.])
@pytest.mark.parametrize("event", [0., 1., .25])
def test_bernoulli_density(logit, event):
  ours, theirs = _evaluate(lambda: [
      cls(logits=np.float32(logit)).log_prob(np.float32(event))
      for cls in (distributions.Bernoulli, tfp.distributions.Bernoulli)])
  np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_any_distribution_will_do():
  def build():
    laplace = tfp.distributions.Laplace(0., 1.)
    sample, log_prob = distributions.sample_with_log_prob(laplace, seed=2)
    return sample, log_prob, laplace.sample(seed=2), laplace.log_prob(sample)
  sample, log_prob, expected_sample, expected = _evaluate(build)
  assert sample == expected_sample
  assert log_prob == expected


@pytest.mark.filterwarnings("ignore")
def test_old_code_computes_divergences():
  """It knows the Normal of tf.contrib, which is tf.distributions'."""
  old = tf.compat.v1.distributions

  def build():
    q = distributions.Normal([1., 2.], [1., .5])
    prior = old.Normal(0., 1.)
    assert isinstance(q, old.Normal)
    assert isinstance(q, old.Distribution)
    assert isinstance(distributions.Bernoulli(logits=[0.]), old.Bernoulli)
    standard = tfp.distributions.Normal(0., 1.)
    to_prior = [
        old.kl_divergence(q, prior), q.kl_divergence(prior),
        old.kl_divergence(q, standard), q.kl_divergence(standard)]
    from_prior = [
        old.kl_divergence(prior, q), prior.kl_divergence(q),
        standard.kl_divergence(q)]
    return to_prior, from_prior, old.kl_divergence(q, q)

  to_prior, from_prior, zeros = _evaluate(build)
  mean, variance = np.array([1., 2.]), np.array([1., .25])
  for divergence in to_prior:
    np.testing.assert_allclose(
        divergence, .5 * (variance + mean**2 - 1 - np.log(variance)), rtol=1e-6)
  for divergence in from_prior:
    np.testing.assert_allclose(
        divergence,
        .5 * ((1 + mean**2) / variance - 1 + np.log(variance)), rtol=1e-6)
  np.testing.assert_array_equal(zeros, [0., 0.])
