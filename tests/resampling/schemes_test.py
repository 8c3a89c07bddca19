"""Tests of the resampling schemes.

Statistical tests fail with probability `_ERROR_RATE` each under a random seed;
the seeds are fixed.
"""

import functools
import itertools

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.config import catalogue
from fivo.resampling import schemes
from tests import fuzz
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import evaluate
from tests.smc_test import unoptimized

_ERROR_RATE = 1e-6
_COPYING = [getattr(schemes, name)
            for name in catalogue.names(catalogue.SCHEMES, copies=True)]
_LOW_VARIANCE = [schemes.stratified, schemes.systematic, schemes.residual]
_REPEATS = 5000
_WEIGHTS = np.array([2., .3, 0., 5., 1.7, .9])
_SHARES = _WEIGHTS / _WEIGHTS.sum()
_N = len(_WEIGHTS)
_EXPECTED = _N * _SHARES


def _log_weights(dtype=np.float32):
  """The log weights above for `_REPEATS` filters."""
  with np.errstate(divide="ignore"):
    return np.tile(np.log(_WEIGHTS)[:, np.newaxis], [1, _REPEATS]).astype(dtype)


def _choose(scheme, log_weights, seed=1, **kwargs):
  """What a scheme chooses by log weights `[N, B]`."""
  return evaluate(lambda: scheme(
      tf.constant(log_weights), random_seed=seed, **kwargs), seed=seed)


def _largest(log_weights, unused_states=None, temperature=.5, random_seed=None):
  """The largest blending weight: by the Gumbel-max trick a multinomial draw."""
  return tf.argmax(
      schemes.relaxed(log_weights, None, temperature, random_seed), axis=2,
      output_type=tf.int32)


def _assert_distributed(counts, shares):
  """A chi-square test of counts of independent draws."""
  counts, shares = np.ravel(counts), np.ravel(shares)
  possible = shares > 0.
  assert not counts[~possible].any()
  expected = counts.sum() * shares[possible]
  statistic = np.sum((counts[possible] - expected)**2 / expected)
  assert stats.chi2.sf(statistic, possible.sum() - 1) > _ERROR_RATE


@pytest.mark.parametrize("scheme, dtype", [
    (scheme, np.float32) for scheme in _COPYING + [
        _largest, functools.partial(_largest, temperature=1e-3)]
] + [(schemes.residual, np.float64), (schemes.stratified, np.float64)])
def test_offspring(scheme, dtype):
  """Its mean is N W; its variance is at most that of multinomial offspring."""
  ancestors = _choose(scheme, _log_weights(dtype))
  assert ancestors.dtype == np.int32
  counts = np.stack([(ancestors == n).sum(axis=0) for n in range(_N)], axis=1)
  np.testing.assert_array_equal(counts.sum(axis=1), _N)
  assert not counts[:, _WEIGHTS == 0.].any()
  quantile = stats.norm.isf(_ERROR_RATE / (2 * _N))
  np.testing.assert_array_less(
      np.abs(counts.mean(axis=0) - _EXPECTED),
      quantile * counts.std(axis=0) / np.sqrt(_REPEATS) + 1e-6)
  # The relative error of a variance is about sqrt(2 / n), less for what is
  # bounded.
  multinomial = _EXPECTED * (1. - _SHARES)
  assert (counts.var(axis=0) <= multinomial * (
      1. + quantile * np.sqrt(2. / _REPEATS))).all()
  if scheme is schemes.systematic:
    assert np.abs(counts - _EXPECTED).max() < 1.
  if scheme is schemes.residual:
    assert (counts >= np.floor(_EXPECTED)).all()


@pytest.mark.parametrize("scheme", [schemes.multinomial, _largest])
def test_independent_draws(scheme):
  """The first ancestor; two ancestors of a filter; those of two filters."""
  draws = np.eye(_N)[_choose(scheme, _log_weights())]  # [N, _REPEATS, N]
  _assert_distributed(draws[0].sum(axis=0), _SHARES)
  pairs = [(draws[i], draws[j]) for i, j in itertools.combinations(range(3), 2)]
  pairs.append((draws[0, ::2], draws[0, 1::2]))
  for one, other in pairs:
    _assert_distributed(one.T @ other, np.outer(_SHARES, _SHARES))


@pytest.mark.parametrize("scheme, of, kwargs", [
    # One sampling op, so that seeded runs equal the original code's.
    (schemes.multinomial, tfp.distributions.Categorical, {}),
    (schemes.relaxed, tfp.distributions.RelaxedOneHotCategorical,
     dict(temperature=np.float64(.75)))])
def test_is_n_draws_of_a_distribution(scheme, of, kwargs):
  log_weights = np.random.RandomState(0).normal(size=[_N, _REPEATS])
  expected = evaluate(
      lambda: of(logits=log_weights.T, **kwargs).sample(_N, seed=7), seed=7)
  np.testing.assert_allclose(
      _choose(scheme, log_weights, seed=7, **kwargs), expected, rtol=1e-12)


def test_the_temperature_may_be_annealed():
  """That is a Tensor; one half by default."""
  default, annealed = evaluate(lambda: [
      schemes.relaxed(_log_weights()[:, :3], random_seed=7, **kwargs)
      for kwargs in ({}, dict(temperature=tf.constant(.5, tf.float64)))],
                               seed=7)
  np.testing.assert_array_equal(default, annealed)


@pytest.mark.parametrize("log_weights, possible", [
    ([3e38, -3e38, 0.], [0]), ([3e38, 3e38, 0.], [0, 1]),
    ([-3e38, -3e38, -INF], [0, 1]), ([-INF, -INF, -INF], [0, 1, 2])])
@pytest.mark.parametrize("temperature", [.5, 1e-10])
def test_relaxed_weights_do_not_overflow(log_weights, possible, temperature):
  """Divided by the temperature they were infinite, and the states NaN."""
  blend = _choose(schemes.relaxed, np.float32(log_weights)[:, np.newaxis],
                  temperature=temperature)
  np.testing.assert_allclose(
      blend[:, 0, possible].sum(axis=1), 1., rtol=1e-5)


# Edges ------------------------------------------------------------------------


def test_multinomial_of_uniforms_inverts_the_distribution_function():
  uniforms = np.random.RandomState(0).uniform(size=[_N, _REPEATS])
  ancestors = evaluate(lambda: schemes.multinomial(
      tf.constant(_log_weights()), uniforms=tf.constant(uniforms, tf.float32)))
  np.testing.assert_array_equal(
      ancestors, np.searchsorted(np.cumsum(_SHARES), uniforms))


@pytest.mark.parametrize("scheme", _COPYING)
@pytest.mark.parametrize("uniform", [0., .5, 1. - 2. ** -24])
def test_weights_of_zero_are_never_chosen(scheme, uniform):
  """First, last or in between, whatever the number drawn."""
  log_weights = np.array([[-INF, 0., -INF, 3e4], [0., -INF, -INF, -INF],
                          [1., 1., -INF, 3e4], [-INF, -INF, 5., -INF]],
                         np.float32)
  ancestors = evaluate(lambda: scheme(
      tf.constant(log_weights), uniforms=tf.fill([4, 4], uniform)))
  chosen = np.take_along_axis(log_weights, ancestors, axis=0)
  assert (chosen > -INF).all()


@pytest.mark.parametrize("scheme", _LOW_VARIANCE)
@pytest.mark.parametrize("uniform", [0., .5, 1. - 2. ** -23])
def test_whole_numbers_of_copies_leave_nothing_to_chance(scheme, uniform):
  """N W_n came to 0.99999994: all was drawn anew, or a neighbour copied."""
  for num_particles in (1, 3, 41, 47, 107, 1000):
    log_weights = np.full([num_particles, 2], -7., np.float32)
    copies = np.ones(num_particles, int)
    if num_particles > 2:  # One particle in place of its neighbour.
      log_weights[:2, 1] = [-INF, -7. + np.log(2.)]
      copies[:2] = 0, 2
    ancestors = evaluate(lambda x=log_weights: scheme(
        tf.constant(x), uniforms=tf.fill(x.shape, uniform)))
    np.testing.assert_array_equal(ancestors[:, 0], np.arange(num_particles))
    if scheme is schemes.residual or uniform == .5:
      np.testing.assert_array_equal(
          np.bincount(ancestors[:, 1], minlength=num_particles), copies)


@functools.lru_cache(maxsize=None)
def _graph(scheme, num_particles, dtype):
  """A function from log weights `[N, B]` to choices, in one session."""
  with tf.Graph().as_default() as graph:
    log_weights = tf.compat.v1.placeholder(dtype, [num_particles, None])
    choice = scheme(log_weights, random_seed=1)
    session = tf.compat.v1.Session(graph=graph, config=unoptimized())
  return lambda values: session.run(choice, {log_weights: values})


@fuzz.settings(150)
@hypothesis.given(
    st.data(), st.sampled_from(_COPYING + [schemes.relaxed]),
    st.sampled_from([1, 2, 5, 300]), st.integers(1, 4),
    st.sampled_from(["float32", "float64"]))
def test_choices_are_possible_particles(
    data, scheme, num_particles, batch_size, dtype):
  """All of whose weights are zero, or no numbers, too: valid ancestors."""
  log_weights = data.draw(fuzz.log_weights(
      [num_particles, batch_size], [-INF, NAN, INF])).astype(dtype)
  choice = _graph(scheme, num_particles, dtype)(log_weights)
  with np.errstate(invalid="ignore"):
    clean = (log_weights < INF).all(axis=0)
    some = clean & (log_weights > -INF).any(axis=0)
    taken = choice > 0
  if scheme is schemes.relaxed:
    np.testing.assert_allclose(choice[:, clean].sum(axis=2), 1., rtol=1e-5)
    taken = taken.any(axis=0).T[:, some]
    assert (log_weights[:, some][taken] > -INF).all()
  else:
    assert ((choice >= 0) & (choice < num_particles)).all()
    chosen = np.take_along_axis(log_weights, choice, axis=0)
    assert (chosen[:, some] > -INF).all()
