"""Gradient estimators against exact enumeration of all ancestors.

The statistical tests have an error rate of 6e-5 each (4 standard errors) under
a random seed; the seeds are fixed.
"""

import functools
import itertools

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from fivo import smc
from fivo.config import catalogue
from fivo.resampling import gradients
from fivo.resampling import particles
from tests.smc_test import evaluate

_N, _T = 2, 3
_THETA = .7
_REPEATS = 20000
# Latents move by fixed noise, so that nothing is random but the ancestors.
_NOISE = np.random.RandomState(1).normal(size=[_T, _N])
_XS = np.array([.3, -1., 1.5])


def _expected(fn, theta):
  """The expectation of a function of log Z_hat, by every course of a filter."""
  courses = [(1., 0., np.zeros(_N))]
  for noise, x in zip(_NOISE, _XS):
    extended = []
    for probability, log_z, z in courses:
      z = theta * z + noise
      weights = np.exp(-.5 * (x - z) ** 2)
      log_z = log_z + np.log(weights.mean())
      weights /= weights.sum()
      for ancestors in itertools.product(range(_N), repeat=_N):
        extended.append((probability * weights[list(ancestors)].prod(),
                         log_z, z[list(ancestors)]))
    courses = extended
  assert sum(p for p, _, _ in courses) == pytest.approx(1.)
  return sum(p * fn(log_z) for p, log_z, _ in courses)


def _derivative(fn, at=_THETA, step=1e-5):
  return (fn(at + step) - fn(at - step)) / (2 * step)


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


@pytest.mark.parametrize("kind, fn, weigh", [
    ("score", np.array, np.ones_like), ("stop_gradient", np.exp, np.exp)])
def test_the_gradient_of_the_bound_or_the_likelihood(kind, fn, weigh):
  """That which is left out by default is visibly missing there."""
  expected = _derivative(functools.partial(_expected, fn))
  log_z, gradient = _gradients(kind)
  assert _deviation(log_z, _expected(np.array, _THETA)) < 4.
  assert _deviation(weigh(log_z) * gradient, expected) < 4.
  plain_log_z, plain = _gradients("none")
  assert _deviation(weigh(plain_log_z) * plain, expected) > 10.
  np.testing.assert_allclose(log_z, plain_log_z, rtol=1e-12)


def test_the_score_of_sequences_of_mixed_lengths():
  """Its baseline must not bias it."""
  lengths = np.tile([_T, 2], _REPEATS // 2)
  _, gradient = _gradients("score", lengths=lengths)
  assert _deviation(gradient[::2], _derivative(
      functools.partial(_expected, np.array))) < 4.


@pytest.mark.parametrize("kind, resampling_fn", [
    ("score", smc.systematic_resampling),
    ("stop_gradient", smc.relaxed_resampling)])
def test_a_scheme_that_does_not_suit(kind, resampling_fn):
  with pytest.raises(AssertionError, match=kind + " gradients do not suit"):
    _gradients(kind, functools.partial(resampling_fn, random_seed=1))


def test_the_score_of_a_lone_sequence_has_no_baseline():
  values = np.array([_gradients("score", repeats=1)[1]])
  assert np.isfinite(values).all()


def _exact_z(theta):
  """The likelihood of the Gaussian model that normal noise makes."""
  powers = np.array([[theta ** (t - s) if s <= t else 0. for s in range(_T)]
                     for t in range(_T)])
  covariance = powers.dot(powers.T) + np.eye(_T)
  return (2. * np.pi) ** (_T / 2.) * stats.multivariate_normal(
      cov=covariance).pdf(_XS)


@pytest.mark.parametrize(
    "scheme", catalogue.names(catalogue.SCHEMES, copies=True))
def test_the_likelihood_and_its_gradient_are_unbiased(scheme):
  """Ancestors may depend on the place, so the noise must be exchangeable."""
  log_z, gradient = _gradients(
      "stop_gradient", particles.by_name(scheme),
      noise=np.random.RandomState(2).normal(size=[_T, _N * _REPEATS]))
  assert _deviation(np.exp(log_z), _exact_z(_THETA)) < 4.
  assert _deviation(np.exp(log_z) * gradient, _derivative(_exact_z)) < 4.


def _baseline(returns, past, num_steps=(4, 3, 4, 2, 4)):
  return evaluate(lambda: gradients._baseline(
      tf.constant(returns), tf.constant(past), tf.constant(num_steps)))


def test_the_baseline_does_not_depend_on_the_draw():
  """Else it would bias the gradient."""
  rng = np.random.RandomState(0)
  returns, past = rng.normal(size=[2, 4, 5])
  changed = returns.copy()
  changed[:, 2] += rng.normal(size=4)
  before, after = [_baseline(x, past) for x in (returns, changed)]
  np.testing.assert_allclose(before[:, 2], after[:, 2], rtol=1e-12)
  assert (before[:3, 0] != after[:3, 0]).all()


def test_a_factor_of_the_twist_that_depends_on_x_alone_cancels():
  factors = np.random.RandomState(1).normal(scale=9., size=[4, 5])
  returns = 2. * np.arange(3, -1, -1)[:, np.newaxis] - factors
  advantages = (returns - _baseline(returns, factors, [4] * 5))[:3]
  np.testing.assert_allclose(advantages, np.zeros([3, 5]), atol=1e-6)


# Where a criterion decides ----------------------------------------------------

# Two particles e ~ N(0, 1), two steps: log weights theta e, then
# -3 (e - 1)^2 / 2. They are resampled in between if |e_1 - e_2| is above a
# boundary, which by the effective sample size moves with theta.
_THRESHOLD = .9
_SLOPE = .5


def _boundary(theta):
  """ESS / N = (1 + 1 / cosh(theta (e_1 - e_2))) / 2."""
  return np.arccosh(1. / (2. * _THRESHOLD - 1.)) / theta


def _quadrature(theta, boundary):
  """E[log Z_hat] to ten digits, by the sum and the difference of e_1, e_2."""
  inner = min(boundary / np.sqrt(2.), 7.)
  v, v_weights = np.polynomial.hermite_e.hermegauss(60)
  nodes, node_weights = np.polynomial.legendre.leggauss(60)
  total = 0.
  for low, high in ((-7., -inner), (-inner, inner), (inner, 7.)):
    u = ((high - low) * nodes + high + low) / 2.
    u_weights = (high - low) / 2. * node_weights * np.exp(-u ** 2 / 2.)
    e = np.stack(np.broadcast_arrays(v + u[:, None], v - u[:, None]))
    e = e / np.sqrt(2.)
    weights, later = np.exp(theta * e), np.exp(-1.5 * (e - 1.) ** 2)
    if (low, high) == (-inner, inner):
      log_z = np.log((weights * later).mean(axis=0))
    else:
      shares = weights / weights.sum(axis=0)
      log_z = np.log(weights.mean(axis=0)) + sum(
          shares[a] * shares[b] * np.log((later[a] + later[b]) / 2.)
          for a in range(2) for b in range(2))
    total += u_weights @ log_z @ v_weights
  return total / (2. * np.pi)


def _gradients_by_ess(resampling_gradients):
  """log Z_hat and its gradient by theta, of many independent filters."""
  def build():
    theta = tf.fill([_REPEATS], np.float64(_SLOPE))
    start = tf.random.normal([2 * _REPEATS], seed=1, dtype=tf.float64)

    def transition(state, t):
      if state is None:
        return start
      return tf.cond(
          tf.equal(t, 0), lambda: tf.tile(theta, [2]) * state,
          lambda: -1.5 * tf.square(state - 1.)), state

    log_z_hat = smc.smc(
        transition, [2] * _REPEATS, 2,
        functools.partial(smc.ess_criterion, threshold=_THRESHOLD),
        resampling_gradients=resampling_gradients).log_z_hat
    return log_z_hat, tf.gradients(log_z_hat, theta)[0]

  return evaluate(build, seed=1)


def test_no_gradient_has_the_term_of_the_decision_to_resample():
  """The score's is that of the bound with all decisions as they are."""
  boundary = _boundary(_SLOPE)
  whole = _derivative(
      lambda theta: _quadrature(theta, _boundary(theta)), _SLOPE, 1e-4)
  held = _derivative(
      lambda theta: _quadrature(theta, boundary), _SLOPE, 1e-4)
  log_z, score = _gradients_by_ess("score")
  assert _deviation(log_z, _quadrature(_SLOPE, boundary)) < 4.
  assert _deviation(score, held) < 4.
  assert _deviation(score, whole) > 5.
  _, plain = _gradients_by_ess("none")
  assert min(_deviation(plain, x) for x in (whole, held)) > 5.


def test_stop_gradient_is_right_wherever_it_is_resampled():
  """Z = exp((theta + 3)^2 / 8 - 3 / 2) / 2."""
  expected = np.exp((_SLOPE + 3.) ** 2 / 8. - 1.5) / 2.
  log_z, gradient = _gradients_by_ess("stop_gradient")
  assert _deviation(np.exp(log_z), expected) < 4.
  assert _deviation(
      np.exp(log_z) * gradient, (_SLOPE + 3.) / 4. * expected) < 4.
