"""Tests of the schemes with a low variance.

Statistical tests fail with probability `_ERROR_RATE` each under a random seed;
the seeds are fixed.
"""

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from fivo.resampling import schemes
from tests.smc_test import evaluate
from tests.smc_test import new_session

_ERROR_RATE = 1e-6
_INF = float("inf")
_SCHEMES = (schemes.stratified, schemes.systematic, schemes.residual)
_REPEATS = 20000
_WEIGHTS = np.array([2., .3, 0., 5., 1.7, .9])
_N = len(_WEIGHTS)
_EXPECTED = _N * _WEIGHTS / _WEIGHTS.sum()


def _offspring(scheme, dtype=np.float32):
  """How often each particle is copied, `[_REPEATS, N]`."""
  with np.errstate(divide="ignore"):
    log_weights = np.tile(
        np.log(_WEIGHTS)[:, np.newaxis], [1, _REPEATS]).astype(dtype)
  ancestors = evaluate(
      lambda: scheme(tf.constant(log_weights), random_seed=1), seed=1)
  assert ancestors.dtype == np.int32
  return np.stack([(ancestors == n).sum(axis=0) for n in range(_N)], axis=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scheme", _SCHEMES)
def test_offspring(scheme, dtype):
  """Its mean is N W; its variance is at most that of multinomial offspring."""
  counts = _offspring(scheme, dtype)
  np.testing.assert_array_equal(counts.sum(axis=1), _N)
  assert not counts[:, _WEIGHTS == 0.].any()
  standard_errors = counts.std(axis=0) / np.sqrt(_REPEATS)
  quantile = stats.norm.isf(_ERROR_RATE / (2 * _N))
  np.testing.assert_array_less(
      np.abs(counts.mean(axis=0) - _EXPECTED),
      quantile * standard_errors + 1e-6)
  multinomial = _EXPECTED * (1. - _EXPECTED / _N)
  # The relative error of a variance is about sqrt(2 / n), less for what is
  # bounded.
  assert (counts.var(axis=0) <= multinomial * (
      1. + quantile * np.sqrt(2. / _REPEATS))).all()


def test_systematic_offspring_is_rounded_up_or_down():
  assert np.abs(_offspring(schemes.systematic) - _EXPECTED).max() < 1.


def test_residual_offspring_is_not_less_than_rounded_down():
  assert (_offspring(schemes.residual) >= np.floor(_EXPECTED)).all()


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("uniform", [0., .5, 1. - 2. ** -24])
def test_weights_of_zero_are_never_chosen(scheme, uniform):
  """First, last or in between, whatever the number drawn."""
  log_weights = np.array([[-_INF, 0., -_INF, 3e4], [0., -_INF, -_INF, -_INF],
                          [1., 1., -_INF, 3e4], [-_INF, -_INF, 5., -_INF]],
                         np.float32)
  ancestors = evaluate(lambda: scheme(
      tf.constant(log_weights), uniforms=tf.fill([4, 4], uniform)))
  chosen = np.take_along_axis(log_weights, ancestors, axis=0)
  assert (chosen > -_INF).all()


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("bad", [-_INF, _INF, float("nan")])
def test_ancestors_are_valid_without_a_distribution(scheme, bad):
  log_weights = np.array([[bad, 0.], [bad, 0.], [bad, bad]], np.float32)
  ancestors = evaluate(
      lambda: scheme(tf.constant(log_weights), random_seed=1))
  assert ((ancestors >= 0) & (ancestors < 3)).all()


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_sizes(scheme):
  """One particle; equal weights, which nothing need be done about; dynamic."""
  with new_session(seed=1) as session:
    log_weights = tf.compat.v1.placeholder(tf.float32, [None, None])
    ancestors = scheme(log_weights, random_seed=1)
    np.testing.assert_array_equal(
        session.run(ancestors, {log_weights: np.zeros([1, 3])}), [[0] * 3])
    result = session.run(ancestors, {log_weights: np.full([4, 2], -7.)})
  np.testing.assert_array_equal(result, np.tile(np.arange(4)[:, None], [1, 2]))


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_seeds(scheme):
  log_weights = np.random.RandomState(0).normal(size=[5, 50])
  one, same, other = [
      evaluate(lambda s=seed: scheme(tf.constant(log_weights), random_seed=s),
               seed=1) for seed in (1, 1, 2)]
  np.testing.assert_array_equal(one, same)
  assert (one != other).any()
