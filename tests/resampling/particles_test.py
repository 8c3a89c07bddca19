"""Tests of the resampling schemes.

Statistical tests fail with probability `_ERROR_RATE` each under a random seed;
the seeds are fixed.
"""

import functools
import itertools

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import smc
from fivo.resampling import particles as resampling
from fivo.resampling import schemes
from tests.smc_test import evaluate
from tests.smc_test import new_session

_ERROR_RATE = 1e-6
_INF = float("inf")
_NAN = float("nan")
_SCHEMES = (resampling.multinomial_resampling, resampling.relaxed_resampling)

# Two filters with four particles; their weights sum to neither 1 nor 4.
_WEIGHTS = np.array([[1., 30.], [2., 10.], [3., 0.], [.5, 60.]])
_PROBABILITIES = _WEIGHTS / _WEIGHTS.sum(axis=0)
_N, _B = _WEIGHTS.shape


def log_weights_of(repeats=1, dtype=np.float32):
  """The log weights above, `[4, 2 * repeats]`."""
  with np.errstate(divide="ignore"):
    return np.tile(np.log(_WEIGHTS), [1, repeats]).astype(dtype)


def blending_weights(scheme, log_weights, seed=1, **kwargs):
  """How much of each old particle is in each new one.

  Args:
    scheme: A resampling scheme.
    log_weights: An array `[N, B]`.
    seed: The seed of the graph and of the draw.
    **kwargs: Passed on to the scheme.

  Returns:
    An array `[N, B, N]`: new particle, filter, old particle.
  """
  num_particles, batch_size = log_weights.shape
  # Particle n of any filter is the unit vector n.
  states = np.repeat(np.eye(num_particles, dtype=log_weights.dtype),
                     batch_size, axis=0)
  blended = evaluate(
      lambda: scheme(tf.constant(log_weights), tf.constant(states),
                     num_particles, batch_size, random_seed=seed, **kwargs),
      seed=seed)
  return blended.reshape([num_particles, batch_size, num_particles])


def assert_distributed(counts, probabilities):
  """A chi-square test of counts of independent draws."""
  counts, probabilities = np.ravel(counts), np.ravel(probabilities)
  assert not counts[probabilities == 0.].any()
  possible = probabilities > 0.
  expected = counts.sum() * probabilities[possible]
  statistic = np.sum((counts[possible] - expected)**2 / expected)
  assert stats.chi2.sf(statistic, possible.sum() - 1) > _ERROR_RATE


def one_hot_draws(scheme, repeats, **kwargs):
  """Draws for `repeats` copies of both filters, `[N, repeats, 2, N]`."""
  blend = blending_weights(scheme, log_weights_of(repeats), **kwargs)
  one_hot = np.eye(_N)[np.argmax(blend, axis=2)]
  return one_hot.reshape([_N, repeats, _B, _N])


_AS_MULTINOMIAL = [
    (resampling.multinomial_resampling, {}),
    # By the Gumbel-max trick the largest blending weight is a draw from the
    # weights at every temperature.
    (resampling.relaxed_resampling, {"temperature": .5}),
    (resampling.relaxed_resampling, {"temperature": 1e-3}),
]


@pytest.mark.parametrize("scheme,kwargs", _AS_MULTINOMIAL)
def test_offspring_have_the_distribution_of_the_weights(scheme, kwargs):
  draws = one_hot_draws(scheme, 5000, **kwargs)
  for b in range(_B):
    # All slots together, and the first slot alone.
    assert_distributed(draws[:, :, b].sum(axis=(0, 1)), _PROBABILITIES[:, b])
    assert_distributed(draws[0, :, b].sum(axis=0), _PROBABILITIES[:, b])


@pytest.mark.parametrize("scheme,kwargs", _AS_MULTINOMIAL)
def test_offspring_means(scheme, kwargs):
  """Unbiasedness: N W_n copies of particle n are expected."""
  repeats = 5000
  offspring = one_hot_draws(scheme, repeats, **kwargs).sum(axis=0)
  error = offspring.mean(axis=0) - _N * _PROBABILITIES.T
  # Of a binomial variable.
  deviation = np.sqrt(_N * _PROBABILITIES * (1 - _PROBABILITIES) / repeats).T
  limit = stats.norm.isf(_ERROR_RATE / (2 * _N * _B))
  assert np.all(np.abs(error) <= limit * deviation)


@pytest.mark.parametrize("scheme,kwargs", _AS_MULTINOMIAL[:2])
def test_draws_are_independent(scheme, kwargs):
  """Of the slots of one filter, and of different filters."""
  draws = one_hot_draws(scheme, 5000, **kwargs)
  first = _PROBABILITIES[:, 0]
  for i, j in itertools.combinations(range(_N), 2):
    joint = np.einsum("rk,rl->kl", draws[i, :, 0], draws[j, :, 0])
    assert_distributed(joint, np.outer(first, first))
  across = np.einsum("rk,rl->kl", draws[0, :, 0], draws[0, :, 1])
  assert_distributed(across, np.outer(first, _PROBABILITIES[:, 1]))


def test_multinomial_is_n_draws_of_a_categorical():
  """One sampling op, so that seeded runs equal the original code's."""
  log_weights = log_weights_of(50)
  ancestors = np.argmax(
      blending_weights(resampling.multinomial_resampling, log_weights, seed=7),
      axis=2)
  expected = evaluate(
      lambda: tfp.distributions.Categorical(logits=log_weights.T).sample(
          _N, seed=7), seed=7)
  np.testing.assert_array_equal(ancestors, expected)


def test_relaxed_is_n_draws_of_a_relaxed_categorical():
  log_weights = np.random.RandomState(0).normal(size=[4, 3])
  blend = blending_weights(
      resampling.relaxed_resampling, log_weights, seed=7, temperature=.75)
  expected = evaluate(
      lambda: tfp.distributions.RelaxedOneHotCategorical(
          np.float64(.75), logits=log_weights.T).sample(4, seed=7), seed=7)
  np.testing.assert_allclose(blend, expected, rtol=1e-12)


def test_relaxed_default_temperature():
  log_weights = log_weights_of()
  np.testing.assert_array_equal(
      blending_weights(resampling.relaxed_resampling, log_weights),
      blending_weights(
          resampling.relaxed_resampling, log_weights, temperature=.5))


@pytest.mark.parametrize("temperature", [2., .5, .05])
def test_relaxed_weights_are_a_distribution(temperature):
  blend = blending_weights(resampling.relaxed_resampling, log_weights_of(200),
                           temperature=temperature)
  assert blend.min() >= 0.
  np.testing.assert_allclose(blend.sum(axis=2), 1., rtol=1e-5)
  # Filter 1 has a particle of weight zero.
  assert not blend[:, 1::2, 2].any()


def test_relaxed_tends_to_multinomial():
  """The colder, the closer to one ancestor."""
  impurity = [
      np.mean(1. - np.max(blending_weights(
          resampling.relaxed_resampling, log_weights_of(500),
          temperature=temperature), axis=2))
      for temperature in (1., .3, .1, 1e-4)]
  assert impurity == sorted(impurity, reverse=True)
  assert impurity[0] > .1
  # Nearly ties remain: two Gumbels within a few temperatures.
  assert impurity[-1] < 1e-3


def test_relaxed_blends_particles_of_one_filter():
  """Row (i, b) is the sum over l of w[i, b, l] state[(l, b)]."""
  log_weights = np.random.RandomState(0).normal(size=[4, 3])
  state = np.random.RandomState(1).normal(size=[12, 2, 5])
  w = blending_weights(resampling.relaxed_resampling, log_weights, seed=2)
  blended = evaluate(
      lambda: resampling.relaxed_resampling(
          tf.constant(log_weights), [tf.constant(state), state[:, 0, 0]], 4, 3,
          random_seed=2), seed=2)
  expected = np.zeros_like(state)
  for i, b, old in itertools.product(range(4), range(3), range(4)):
    expected[i * 3 + b] += w[i, b, old] * state[old * 3 + b]
  np.testing.assert_allclose(blended[0], expected, rtol=1e-10)
  # All leaves of a state are blended alike.
  np.testing.assert_allclose(blended[1], expected[:, 0, 0], rtol=1e-10)


@pytest.mark.parametrize("temperature_type", [float, np.float32, tf.constant])
def test_temperature_may_be_a_tensor(temperature_type):
  """For annealing."""
  log_weights = log_weights_of()
  states = np.ones([8, 1], np.float32)
  blended = evaluate(lambda: resampling.relaxed_resampling(
      log_weights, states, 4, 2, temperature=temperature_type(.3)))
  np.testing.assert_allclose(blended, states, rtol=1e-5)


def _resample_some(scheme, chosen, log_weights, states, num_particles,
                   batch_size, **kwargs):
  """Resamples the states of chosen filters only."""
  states, _ = resampling.resample(
      functools.partial(scheme, **kwargs), log_weights, states,
      tf.constant(chosen), num_particles, batch_size)
  return states


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_should_resample_leaves_the_others_alone(scheme):
  log_weights = log_weights_of(2)
  resampled = blending_weights(scheme, log_weights)
  chosen = np.array([True, False, False, True])
  some = blending_weights(
      functools.partial(_resample_some, scheme, chosen), log_weights)
  # The same random numbers, whoever takes them.
  np.testing.assert_array_equal(some[:, chosen], resampled[:, chosen])
  for b in np.flatnonzero(~chosen):
    np.testing.assert_array_equal(some[:, b], np.eye(4))
    assert np.any(resampled[:, b] != np.eye(4))


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_no_batch_size_need_be_known(scheme):
  with new_session() as session:
    log_weights = tf.compat.v1.placeholder(tf.float32, [None, None])
    states = tf.compat.v1.placeholder(tf.float32, [None, 2])
    result = scheme(log_weights, [states, states[:, 0]], 3,
                    tf.shape(log_weights)[1])
    for batch_size in (1, 4):
      value = np.repeat([np.arange(batch_size)], 3, axis=0).reshape([-1, 1])
      new, first = session.run(
          result, {log_weights: np.zeros([3, batch_size]),
                   states: np.tile(value, [1, 2])})
      np.testing.assert_allclose(new, np.tile(value, [1, 2]), rtol=1e-5)
      np.testing.assert_allclose(first, value[:, 0], rtol=1e-5)


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_seeds(scheme):
  draw = functools.partial(blending_weights, scheme, log_weights_of(20))
  np.testing.assert_array_equal(draw(seed=1), draw(seed=1))
  assert np.any(draw(seed=1) != draw(seed=2))
  assert np.any(draw(seed=0) != draw(seed=1))


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("weights,possible", [
    ([0., -_INF, -_INF], [0]),
    ([-1e4, -_INF, -2e4], [0]),
    ([1e4, -1e4, 1e4], [0, 2]),
    ([-_INF, -_INF, -_INF], [0, 1, 2]),
    ([_NAN, _NAN, _NAN], None),
    ([_NAN, 0., 0.], None),
])
def test_extreme_weights(scheme, weights, possible):
  """All -inf and NaN drew an ancestor that does not exist.

  What is drawn in a filter with a NaN does not matter, for its bound is NaN;
  but it must not crash, nor touch the other filter.
  """
  log_weights = np.stack([weights, np.zeros(3)], axis=1).astype(np.float32)
  blend = blending_weights(scheme, log_weights)
  np.testing.assert_allclose(blend[:, 1].sum(axis=1), 1., rtol=1e-5)
  if possible is not None:
    np.testing.assert_allclose(blend[:, 0].sum(axis=1), 1., rtol=1e-5)
    np.testing.assert_allclose(
        blend[:, 0, possible].sum(axis=1), 1., rtol=1e-5)


@pytest.mark.parametrize("scheme", _SCHEMES)
def test_one_particle_is_its_own_ancestor(scheme):
  blend = blending_weights(scheme, np.array([[-3., 5., 0.]], np.float32))
  np.testing.assert_array_equal(blend, np.ones([1, 3, 1]))


def test_multinomial_gradient_flows_through_the_states_alone():
  with new_session() as session:
    log_weights = tf.constant(log_weights_of())
    states = tf.constant(np.arange(8., dtype=np.float32))
    new = resampling.multinomial_resampling(log_weights, states, 4, 2)
    factors = tf.constant(np.arange(1., 9., dtype=np.float32))
    target = tf.reduce_sum(factors * new)
    assert tf.gradients(target, log_weights) == [None]
    gradient = tf.convert_to_tensor(tf.gradients(target, states)[0])
    new, gradient = session.run([new, gradient])
  expected = np.zeros(8)
  np.add.at(expected, new.astype(int), np.arange(1., 9.))
  np.testing.assert_allclose(gradient, expected)


def test_relaxed_gradient_agrees_with_finite_differences():
  log_weights = np.random.RandomState(3).normal(size=[3, 2])
  states = np.random.RandomState(4).normal(size=[6, 2])

  def target(value):
    logits, particles = tf.constant(value), tf.constant(states)
    new = resampling.relaxed_resampling(
        logits, particles, 3, 2, temperature=.8, random_seed=1)
    total = tf.reduce_sum(tf.square(new))
    return [total] + tf.gradients(total, [logits, particles])

  _, gradient, through_states = evaluate(
      lambda: target(log_weights), seed=1)
  assert np.abs(through_states).min() > 0.
  for index in np.ndindex(log_weights.shape):
    step = np.zeros_like(log_weights)
    step[index] = 1e-5
    above, below = [
        evaluate(lambda x=x: target(x), seed=1)[0]
        for x in (log_weights + step, log_weights - step)]
    assert gradient[index] == pytest.approx((above - below) / 2e-5, rel=1e-5)


def test_relaxed_gradient_is_finite_next_to_an_impossible_particle():
  log_weights = log_weights_of()
  assert np.isinf(log_weights).any()

  def gradients():
    logits = tf.constant(log_weights)
    new = resampling.relaxed_resampling(
        logits, tf.range(8.), 4, 2, random_seed=1)
    return tf.gradients(tf.reduce_sum(tf.square(new)), logits)

  assert np.isfinite(evaluate(gradients, seed=1)).all()


def _ancestors(log_weights, uniforms):
  """The ancestors `[N, B]` that given uniform numbers give."""
  return evaluate(lambda: schemes.multinomial(
      tf.constant(log_weights), uniforms=tf.constant(uniforms, tf.float32)))


class TestMultinomialOfUniforms(object):

  def test_against_the_inverse_distribution_function(self):
    uniforms = np.random.RandomState(0).uniform(size=[_N, 50 * _B])
    cumulative = np.tile(np.cumsum(_PROBABILITIES, axis=0), [1, 50])
    expected = [[np.searchsorted(cumulative[:, b], uniforms[n, b])
                 for b in range(50 * _B)] for n in range(_N)]
    np.testing.assert_array_equal(
        _ancestors(log_weights_of(50), uniforms), expected)

  def test_smallest_and_largest_number(self):
    """Neither ever chooses a particle of weight zero, first or last."""
    log_weights = np.array([[-_INF, 0., -_INF], [0., 1., 3e4], [1., 2., -3e4],
                            [2., -_INF, -_INF]], np.float32)
    uniforms = np.tile([[0.], [1. - 2. ** -23], [0.], [.5]], [1, 3])
    np.testing.assert_array_equal(
        _ancestors(log_weights, uniforms),
        [[1, 0, 1], [3, 2, 1], [1, 0, 1], [3, 2, 1]])

  @pytest.mark.parametrize("bad", [-_INF, _NAN, _INF])
  def test_without_a_distribution(self, bad):
    ancestors = _ancestors(
        np.full([3, 2], bad, np.float32), np.full([3, 2], .7))
    assert ((ancestors >= 0) & (ancestors < 3)).all()


class TestFindScheme(object):

  def test_through_partials(self):
    fn = functools.partial(functools.partial(
        resampling.relaxed_resampling, temperature=3.), random_seed=2)
    scheme = resampling.find_scheme(fn)
    assert scheme.func is schemes.relaxed
    assert evaluate(lambda: scheme(tf.zeros([3, 2]))).shape == (3, 2, 3)

  def test_where_there_is_none(self):
    assert resampling.find_scheme(lambda *args: args[1]) is None
    assert resampling.find_scheme(functools.partial(max, 1)) is None


def test_blend_tensor():
  """As old tests call it: row (i, b) sums w[i, b, l] times row (l, b)."""
  rng = np.random.RandomState(0)
  weights, tensor = rng.uniform(size=[3, 2, 3]), rng.normal(size=[6, 4, 5])
  blended = evaluate(lambda: smc._blend_tensor(
      tf.constant(weights), tf.constant(tensor), 3, 2))
  np.testing.assert_allclose(blended.reshape([3, 2, 4, 5]), np.einsum(
      "ibl,lb...->ib...", weights, tensor.reshape([3, 2, 4, 5])))
