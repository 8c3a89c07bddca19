"""Gradient estimators against exact enumeration of all ancestors.

The statistical tests have an error rate of 6e-5 each (4 standard errors) under
a random seed; the seeds are fixed.
"""

import itertools

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from fivo import smc
from tests.smc_test import evaluate

_N, _T = 2, 3
_THETA = .7
_REPEATS = 20000
# Latents move by fixed noise, so that nothing is random but the ancestors.
_NOISE = np.random.RandomState(1).normal(size=[_T, _N])
_XS = np.array([.3, -1., 1.5])


def _numpy_step(theta, z, t):
  """New latents `[N]` and log weights of them, in NumPy."""
  z = theta * z + _NOISE[t]
  return z, -.5 * (_XS[t] - z) ** 2


def _enumerate(theta):
  """Every course that the filter can take: probability and log Z_hat."""
  courses = [(1., 0., np.zeros(_N))]
  for t in range(_T):
    extended = []
    for probability, log_z, z in courses:
      z, log_weights = _numpy_step(theta, z, t)
      weights = np.exp(log_weights)
      log_z = log_z + np.log(weights.mean())
      weights /= weights.sum()
      for ancestors in itertools.product(range(_N), repeat=_N):
        extended.append((probability * weights[list(ancestors)].prod(),
                         log_z, z[list(ancestors)]))
    courses = extended
  return courses


def _derivative(expectation, step=1e-5):
  return (expectation(_THETA + step) - expectation(_THETA - step)) / (2 * step)


def _expected_log_z(theta):
  return sum(p * log_z for p, log_z, _ in _enumerate(theta))


def _expected_z(theta):
  return sum(p * np.exp(log_z) for p, log_z, _ in _enumerate(theta))


def _gradients(resampling_gradients, resampling_fn=smc.multinomial_resampling,
               lengths=None, repeats=_REPEATS, noise=None):
  """log Z_hat and its gradient by theta, of many independent filters."""
  lengths = np.full([repeats], _T) if lengths is None else lengths

  def build():
    theta = tf.fill([repeats], np.float64(_THETA))
    noise_of_steps = tf.constant(
        np.repeat(_NOISE, repeats, axis=1) if noise is None else noise)

    def transition(state, t):
      if state is None:
        return tf.zeros([_N * repeats], tf.float64)
      new = tf.tile(theta, [_N]) * state + noise_of_steps[t]
      return -.5 * tf.square(tf.constant(_XS)[t] - new), new

    log_z_hat = smc.smc(
        transition, lengths, _N, smc.always_resample_criterion, resampling_fn,
        resampling_gradients=resampling_gradients).log_z_hat
    return log_z_hat, tf.gradients(log_z_hat, theta)[0]

  return evaluate(build, seed=1)


def _deviation(samples, expected):
  """How many standard errors a mean is off."""
  return abs(samples.mean() - expected) / (
      samples.std() / np.sqrt(len(samples)))


def test_enumeration():
  courses = _enumerate(_THETA)
  assert sum(p for p, _, _ in courses) == pytest.approx(1.)
  log_z, _ = _gradients("none")
  assert _deviation(log_z, _expected_log_z(_THETA)) < 4.


def test_the_score_has_the_gradient_of_the_bound():
  """That which is left out by default is visibly missing there."""
  expected = _derivative(_expected_log_z)
  log_z, gradient = _gradients("score")
  assert _deviation(gradient, expected) < 4.
  plain_log_z, plain = _gradients("none")
  assert _deviation(plain, expected) > 10.
  np.testing.assert_allclose(log_z, plain_log_z, rtol=1e-12)


def test_the_score_of_sequences_of_mixed_lengths():
  """Its baseline must not bias it."""
  lengths = np.tile([_T, 2], _REPEATS // 2)
  _, gradient = _gradients("score", lengths=lengths)
  assert _deviation(gradient[::2], _derivative(_expected_log_z)) < 4.


def test_the_score_of_a_lone_sequence_has_no_baseline():
  values = np.array([_gradients("score", repeats=1)[1]])
  assert np.isfinite(values).all()


def test_stop_gradient_has_the_gradient_of_the_likelihood():
  expected = _derivative(_expected_z)
  log_z, gradient = _gradients("stop_gradient")
  assert _deviation(np.exp(log_z) * gradient, expected) < 4.
  plain_log_z, plain = _gradients("none")
  assert _deviation(np.exp(plain_log_z) * plain, expected) > 10.
  np.testing.assert_allclose(log_z, plain_log_z, rtol=1e-12)


def _exact_z(theta):
  """The likelihood of the Gaussian model that normal noise makes."""
  powers = np.array([[theta ** (t - s) if s <= t else 0. for s in range(_T)]
                     for t in range(_T)])
  covariance = powers.dot(powers.T) + np.eye(_T)
  return (2. * np.pi) ** (_T / 2.) * stats.multivariate_normal(
      cov=covariance).pdf(_XS)


@pytest.mark.parametrize("resampling_fn", [
    smc.stratified_resampling, smc.systematic_resampling,
    smc.residual_resampling])
def test_stop_gradient_of_other_schemes(resampling_fn):
  """Their ancestors depend on the place, so the noise must be exchangeable."""
  log_z, gradient = _gradients(
      "stop_gradient", resampling_fn,
      noise=np.random.RandomState(2).normal(size=[_T, _N * _REPEATS]))
  assert _deviation(np.exp(log_z), _exact_z(_THETA)) < 4.
  assert _deviation(np.exp(log_z) * gradient, _derivative(_exact_z)) < 4.
