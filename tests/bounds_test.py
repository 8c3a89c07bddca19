"""Tests of the bounds, on models simple enough to be solved by hand."""

import functools
import inspect

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo import smc
from fivo.config import catalogue
from fivo.models import base
from tests.smc_test import evaluate
from tests.smc_test import new_session


class ConstantModel(base.ELBOTrainableSequenceModel):
  """Every step of every particle weighs the same."""

  def __init__(self, log_weight):
    self._log_weight = log_weight
    self.calls = []

  def zero_state(self, batch_size, dtype):
    self.calls.append(("zero_state", batch_size, dtype))
    return tf.zeros([batch_size, 1], dtype)

  def set_observations(self, observations, seq_lengths):
    self.calls.append(("set_observations", observations, seq_lengths))

  def propose_and_weight(self, state, t):
    del t
    return self._log_weight * tf.ones_like(state[:, 0]), state + 1.


class RandomWalk(base.ELBOTrainableSequenceModel):
  """A Gaussian random walk, observed with noise; the latents are proposed
  from the prior.

  z_0 ~ N(0, 1), z_t ~ N(z_{t-1}, 1), x_t ~ N(z_t, scale^2).
  """

  def __init__(self, scale=1., seed=None):
    self._scale = scale
    self._seed = seed
    self._observations = None

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def set_observations(self, observations, seq_lengths):
    self._observations = observations
    self.dtype = observations.dtype

  def propose_and_weight(self, state, t):
    one = tf.ones([], state.dtype)
    z = tfp.distributions.Normal(state, one).sample(seed=self._seed)
    emission = tfp.distributions.Normal(z, self._scale * one)
    return emission.log_prob(self._observations[t]), z


class SmoothedWalk(RandomWalk):
  """The same, proposing from p(z_t | z_{t-1}, x_t, ..., x_{T-1}) exactly.

  Then the weights of all trajectories are equal: p(x_0, ..., x_{T-1}).

  p(x_t, ..., x_{T-1} | z_t) is proportional to exp(-a_t z^2 / 2 + b_t z). Its
  coefficients are computed backwards by hand.
  """

  def set_observations(self, observations, seq_lengths):
    super().set_observations(observations, seq_lengths)
    precision, linear = 0., tf.zeros_like(observations[0])
    self._precisions, self._linears = [], []
    for x in reversed(tf.unstack(observations)):
      # Of what is known of z_t from later observations, through z_{t+1}.
      shrink = 1. / (1. + precision)
      precision = precision * shrink + self._scale**-2
      linear = linear * shrink + x * self._scale**-2
      self._precisions.insert(0, precision)
      self._linears.insert(0, linear)

  def propose_and_weight(self, state, t):
    one = tf.ones([], state.dtype)
    precision = tf.constant(self._precisions, state.dtype)[t] + 1.
    q_z = tfp.distributions.Normal(
        (state + tf.stack(self._linears)[t]) / precision,
        tf.math.rsqrt(precision))
    z = q_z.sample(seed=self._seed)
    p_z = tfp.distributions.Normal(state, one)
    p_x = tfp.distributions.Normal(z, self._scale * one)
    return (p_z.log_prob(z) + p_x.log_prob(self._observations[t])
            - q_z.log_prob(z)), z


def walk_log_likelihood(x, scale):
  """Of an observation of the random walk: a multivariate Normal."""
  steps = np.arange(1, len(x) + 1)
  covariance = np.minimum.outer(steps, steps) + scale**2 * np.eye(len(x))
  return -.5 * (x @ np.linalg.solve(covariance, x) +
                np.linalg.slogdet(2 * np.pi * covariance)[1])


def observations(length=5, batch_size=3, dtype=np.float64):
  rng = np.random.RandomState(0)
  return (1.5 * rng.normal(size=[length, batch_size])).astype(dtype)


# Exact -----------------------------------------------------------------------

_BOUNDS = {
    "elbo": bounds.elbo,
    "iwae": functools.partial(bounds.iwae, num_samples=4),
    "fivo": functools.partial(bounds.fivo, num_samples=4),
    "always": functools.partial(
        bounds.fivo, num_samples=4,
        resampling_criterion=smc.always_resample_criterion),
    "relaxed": functools.partial(
        bounds.fivo, num_samples=4, resampling_type="relaxed",
        resampling_criterion=smc.always_resample_criterion),
}


@pytest.mark.parametrize("name", sorted(_BOUNDS))
def test_constant_weights(name):
  result = evaluate(lambda: _BOUNDS[name](
      ConstantModel(-.25), tf.zeros([6, 2, 3]), tf.constant([6, 2]))._asdict())
  np.testing.assert_allclose(result["log_p_hat"], [-1.5, -.5], rtol=1e-5)
  num_samples = 1 if name == "elbo" else 4
  assert result["log_weights"].shape == (6, 2, num_samples)
  np.testing.assert_allclose(
      result["final_state"], np.full([2 * num_samples, 1], 6.), rtol=1e-6)
  if "resampled" in result:
    assert result["resampled"].shape == (6, 2)


@pytest.mark.parametrize("name", ["elbo", "iwae"])
def test_the_exact_proposal_gives_the_exact_likelihood(name):
  """Without variance, whatever the noise; to float64's precision."""
  x, scale = observations(), .7
  log_p_hat = evaluate(lambda: _BOUNDS[name](
      SmoothedWalk(scale), tf.constant(x), tf.constant([5] * 3)).log_p_hat)
  np.testing.assert_allclose(
      log_p_hat, [walk_log_likelihood(x[:, b], scale) for b in range(3)],
      rtol=1e-12)


@pytest.mark.parametrize("name", ["iwae", "fivo", "always"])
def test_estimates_of_the_likelihood_are_unbiased(name):
  """Two sequences each, with error rate 6e-7 (5 sigma) under a random seed."""
  repeats, scale = 5000, 1.2
  x = observations(4, 2)
  log_p_hat = evaluate(lambda: _BOUNDS[name](
      RandomWalk(scale, seed=1), np.repeat(x, repeats, axis=1),
      tf.constant([4] * repeats + [3] * repeats, tf.int32)).log_p_hat, seed=2)
  for b, length in enumerate([4, 3]):
    ratios = np.exp(log_p_hat[b * repeats:(b + 1) * repeats] -
                    walk_log_likelihood(x[:length, b], scale))
    error = ratios.mean() - 1.
    assert abs(error) < 5. * ratios.std() / np.sqrt(repeats)
    # Jensen's inequality: log p hat is a lower bound on average.
    assert np.log(ratios).mean() < 0.


def test_fivo_is_tighter_than_iwae_than_elbo():
  """What the paper is about; differences of many standard errors."""
  repeats = 400
  x = np.repeat(observations(12, 1), repeats, axis=1)
  lengths = np.full([repeats], 12, np.int32)
  elbo, iwae, fivo = [
      evaluate(lambda fn=fn: fn(RandomWalk(seed=1), x, lengths).log_p_hat,
               seed=3).mean()
      for fn in (bounds.elbo, functools.partial(bounds.iwae, num_samples=16),
                 functools.partial(bounds.fivo, num_samples=16))]
  assert elbo < iwae - .5
  assert iwae < fivo - .05
  assert fivo < walk_log_likelihood(x[:, 0], 1.)


def test_iwae_is_the_log_of_the_average_weight():
  lengths = [5, 1, 3]
  result = evaluate(lambda: bounds.iwae(
      RandomWalk(), tf.constant(observations()), lengths, num_samples=6))
  log_weights = result.log_weights
  for b, length in enumerate(lengths):
    final = log_weights[length - 1, b]
    np.testing.assert_array_equal(
        log_weights[length:, b], np.tile(final, [5 - length, 1]))
    np.testing.assert_allclose(
        result.log_p_hat[b], np.log(np.mean(np.exp(final))), rtol=1e-12)


def test_iwae_gradient_is_the_weighted_average_of_gradients():
  """Section 2 of the IWAE paper: weighted by the normalised weights."""
  def build():
    scale = tf.constant(1.3, tf.float64)
    result = bounds.iwae(RandomWalk(scale, seed=1), tf.constant(
        observations(3, 1)), [3], num_samples=4)
    trajectories = tf.unstack(result.log_weights[-1, 0])
    return (tf.gradients(result.log_p_hat, scale)[0],
            [tf.gradients(x, scale)[0] for x in trajectories], trajectories)

  gradient, gradients, log_weights = evaluate(build, seed=1)
  weights = np.exp(log_weights) / np.exp(log_weights).sum()
  np.testing.assert_allclose(gradient, weights @ gradients, rtol=1e-10)


# Identities between the bounds -----------------------------------------------


def seeded(fn, *args, **kwargs):
  """A bound of a random walk, always with the same noise."""
  return evaluate(lambda: fn(
      RandomWalk(seed=5), tf.constant(observations()), tf.constant([5, 2, 4]),
      *args, **kwargs), seed=9)


def test_elbo_is_iwae_with_one_sample():
  for x, y in zip(seeded(bounds.elbo), seeded(bounds.iwae)):
    np.testing.assert_array_equal(x, y)
  for x, y in zip(seeded(bounds.iwae), seeded(bounds.iwae, num_samples=1)):
    np.testing.assert_array_equal(x, y)


def test_fivo_that_never_resamples_is_iwae():
  fivo = seeded(bounds.fivo, 4, smc.never_resample_criterion, random_seed=1)
  iwae = seeded(bounds.iwae, 4)
  np.testing.assert_array_equal(fivo.log_p_hat, iwae.log_p_hat)
  np.testing.assert_array_equal(fivo.log_weights, iwae.log_weights)
  np.testing.assert_array_equal(fivo.final_state, iwae.final_state)
  assert not fivo.resampled.any()


def test_fivo_with_one_particle_is_the_elbo():
  fivo, elbo = seeded(bounds.fivo), seeded(bounds.elbo)
  np.testing.assert_array_equal(fivo.log_p_hat, elbo.log_p_hat)


def test_fivo_with_two_particles_is_iwae():
  """The effective sample size of two particles never falls to one."""
  fivo = seeded(bounds.fivo, num_samples=2, random_seed=1)
  iwae = seeded(bounds.iwae, num_samples=2)
  np.testing.assert_array_equal(fivo.log_p_hat, iwae.log_p_hat)
  assert not fivo.resampled.any()


def test_fivo_resamples_by_default_where_the_ess_is_low():
  fivo = seeded(bounds.fivo, num_samples=8, random_seed=1)
  weights = np.exp(fivo.log_weights)
  ess = weights.sum(axis=2)**2 / np.square(weights).sum(axis=2)
  in_sequence = np.arange(5)[:, np.newaxis] < [5, 2, 4]
  np.testing.assert_array_equal(
      fivo.resampled, np.logical_and(ess <= 4., in_sequence))
  assert 0. < fivo.resampled.mean() < 1.


@pytest.mark.parametrize("resampling_type", tuple(catalogue.SCHEMES))
def test_seeds_and_parallel_iterations(resampling_type):
  run = functools.partial(
      seeded, bounds.fivo, num_samples=4, resampling_type=resampling_type,
      resampling_criterion=smc.always_resample_criterion)
  first = run(random_seed=1)
  for other in (run(random_seed=1), run(random_seed=1, parallel_iterations=1)):
    for x, y in zip(first, other):
      np.testing.assert_array_equal(x, y)
  # Nothing is drawn by optimal transport but the latents.
  assert resampling_type == "optimal_transport" or np.any(
      run(random_seed=2).log_p_hat != first.log_p_hat)


def test_relaxed_is_not_multinomial():
  results = [
      seeded(bounds.fivo, 4, smc.always_resample_criterion, resampling_type,
             temperature, random_seed=1).log_p_hat
      for resampling_type, temperature in (
          ("multinomial", .5), ("relaxed", .5), ("relaxed", 5.))]
  assert np.all(results[0] != results[1])
  assert np.all(results[1] != results[2])


# What a model is given -------------------------------------------------------


@pytest.mark.parametrize("name", sorted(_BOUNDS))
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_the_model_gets_tiled_observations(name, dtype):
  """A model sees nothing but a larger batch, particle-major."""
  num_samples = 1 if name == "elbo" else 4
  values = np.arange(12.).reshape([2, 3, 2])
  model = ConstantModel(0.)
  with new_session() as session:
    _BOUNDS[name](model, (tf.constant(values, dtype), np.arange(6).reshape(
        [2, 3])), tf.constant([2, 1, 2]))
    calls = {call[0]: call[1:] for call in model.calls}
    assert len(calls) == len(model.calls), "each is called once"
    assert calls["zero_state"] == (3 * num_samples, tf.float32), (
        "unless the model says otherwise")
    (first, second), lengths = session.run(calls["set_observations"])
  np.testing.assert_array_equal(first, np.tile(values, [1, num_samples, 1]))
  np.testing.assert_array_equal(
      second, np.tile(np.arange(6).reshape([2, 3]), [1, num_samples]))
  np.testing.assert_array_equal(lengths, [2, 1, 2] * num_samples)


class Duck(object):
  """A model that does without the base class."""

  def __init__(self, model):
    self.zero_state = model.zero_state
    self.set_observations = model.set_observations
    self.propose_and_weight = model.propose_and_weight


def test_a_model_without_the_base_class():
  result = evaluate(lambda: bounds.fivo(
      Duck(ConstantModel(.5)), tf.zeros([3, 2, 1]), [3, 1], num_samples=4))
  np.testing.assert_allclose(result.log_p_hat, [1.5, .5], rtol=1e-6)


def test_one_graph_for_every_batch_size():
  with new_session(seed=1) as session:
    x = tf.compat.v1.placeholder(tf.float64, [None, None])
    lengths = tf.compat.v1.placeholder(tf.int32, [None])
    results = [_BOUNDS[name](RandomWalk(), x, lengths)
               for name in sorted(_BOUNDS)]
    for sizes in ([3], [2, 4], [1, 1, 2]):
      feed = {x: observations(max(sizes), len(sizes)), lengths: sizes}
      for result in session.run(results, feed):
        assert result.log_p_hat.shape == (len(sizes),)
        assert np.isfinite(result.log_p_hat).all()
        assert result.log_weights.shape[:2] == (max(sizes), len(sizes))


@pytest.mark.parametrize("name", sorted(_BOUNDS))
def test_nan_observations_make_that_bound_nan(name):
  """They crashed with 'indices[0] = 16 is not in [0, 16)'."""
  x = observations()
  x[1, 0] = np.nan
  x[4, 1] = np.nan  # Past that sequence's end.
  log_p_hat = evaluate(lambda: _BOUNDS[name](
      RandomWalk(), tf.constant(x), [5, 2, 5]).log_p_hat)
  np.testing.assert_array_equal(np.isnan(log_p_hat), [True, False, False])


@pytest.mark.parametrize("lengths", [
    [5, 2, 3], np.array([5, 2, 3]), np.array([5, 2, 3], np.int32)])
def test_lengths_of_any_integer_type(lengths):
  """A NumPy array of Python ints is int64."""
  log_p_hat = evaluate(lambda: bounds.fivo(
      RandomWalk(), observations(), lengths, num_samples=3).log_p_hat)
  assert np.isfinite(log_p_hat).all()


# The choice of a bound -------------------------------------------------------


@pytest.mark.parametrize("name,fn,kwargs", [
    ("elbo", bounds.elbo, {}),
    ("iwae", bounds.iwae, {"num_samples": 4}),
    ("fivo", bounds.fivo, {"num_samples": 4, "random_seed": 3}),
    ("fivo-aux", bounds.fivo, {"num_samples": 4, "random_seed": 3}),
])
def test_create_bound(name, fn, kwargs):
  expected = seeded(fn, **kwargs)
  result = evaluate(lambda: bounds.create_bound(
      name, RandomWalk(seed=5), tf.constant(observations()),
      tf.constant([5, 2, 4]), num_samples=4, random_seed=3), seed=9)
  for field in expected._fields:
    np.testing.assert_array_equal(
        getattr(result, field), getattr(expected, field))
  assert result.resampled.shape == (5, 3)
  assert result.resampled.any() == (name in ("fivo", "fivo-aux"))


def test_create_bound_passes_the_relaxation_on():
  result = evaluate(lambda: bounds.create_bound(
      "fivo", RandomWalk(seed=5), tf.constant(observations()),
      tf.constant([5, 2, 4]), num_samples=4, resampling_type="relaxed",
      relaxed_resampling_temperature=.9, parallel_iterations=1,
      random_seed=3), seed=9)
  expected = seeded(
      bounds.fivo, num_samples=4, resampling_type="relaxed",
      relaxed_resampling_temperature=.9, random_seed=3)
  np.testing.assert_array_equal(result.log_p_hat, expected.log_p_hat)


def test_the_temperature_may_be_a_tensor():
  """It is annealed during training."""
  log_p_hat = evaluate(lambda: bounds.fivo(
      ConstantModel(1.), np.zeros([2, 2, 1], np.float32), [2, 2],
      num_samples=3, resampling_type="relaxed",
      relaxed_resampling_temperature=tf.constant(.3)).log_p_hat)
  np.testing.assert_allclose(log_p_hat, [2., 2.], rtol=1e-6)


def test_signatures_are_the_contracts():
  def parameters(fn):
    return [(p.name, None if p.default is p.empty else p.default)
            for p in inspect.signature(fn).parameters.values()]

  model = [("model", None), ("observations", None), ("seq_lengths", None)]
  loop = [("parallel_iterations", 30), ("swap_memory", True)]
  assert parameters(bounds.iwae)[:6] == model + [("num_samples", 1)] + loop
  assert parameters(bounds.fivo)[:10] == model + [
      ("num_samples", 1), ("resampling_criterion", smc.ess_criterion),
      ("resampling_type", "multinomial"),
      ("relaxed_resampling_temperature", .5)] + loop + [
          ("random_seed", None)]
