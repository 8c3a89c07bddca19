"""Tests of the bounds, on models simple enough to be solved by hand."""

import functools
import inspect
import re
import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo import smc
from fivo.config import catalogue
from fivo.models import base
from tests.models import recurrent_test
from tests.smc_test import evaluate
from tests.smc_test import new_session


class ConstantModel(base.ELBOTrainableSequenceModel):
  """Every step of every particle weighs the same."""

  def __init__(self, log_weight):
    self._log_weight = log_weight

  def zero_state(self, batch_size, dtype):
    self.sizes = batch_size, dtype
    return tf.zeros([batch_size, 1], dtype)

  def propose_and_weight(self, state, t):
    del t
    return self._log_weight * tf.ones_like(state[:, 0]), state + 1.


class RandomWalk(base.ELBOTrainableSequenceModel):
  """A Gaussian random walk, observed with noise; the latents are proposed
  from the prior.

  z_0 ~ N(0, 1), z_t ~ N(z_{t-1}, 1), x_t ~ N(z_t, scale^2).
  """

  dtype = tf.float64

  def __init__(self, scale=1., seed=None):
    self._scale = scale
    self._seed = seed

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def propose_and_weight(self, state, t):
    one = tf.ones([], state.dtype)
    z = tfp.distributions.Normal(state, one).sample(seed=self._seed)
    emission = tfp.distributions.Normal(z, self._scale * one)
    return emission.log_prob(self.observations_ta.read(t)), z


def walk_log_likelihood(x, scale):
  """Of an observation of the random walk: a multivariate Normal."""
  steps = np.arange(1, len(x) + 1)
  covariance = np.minimum.outer(steps, steps) + scale**2 * np.eye(len(x))
  return -.5 * (x @ np.linalg.solve(covariance, x) +
                np.linalg.slogdet(2 * np.pi * covariance)[1])


def observations(length=5, batch_size=3):
  return 1.5 * np.random.RandomState(0).normal(size=[length, batch_size])


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


# Identities between the bounds -----------------------------------------------


def seeded(fn, *args, **kwargs):
  """A bound of a random walk, always with the same noise."""
  return evaluate(lambda: fn(
      RandomWalk(seed=5), tf.constant(observations()), tf.constant([5, 2, 4]),
      *args, **kwargs), seed=9)


@pytest.mark.parametrize("fivo_options, iwae_options", [
    (dict(num_samples=4, resampling_criterion=smc.never_resample_criterion),
     dict(num_samples=4)),
    # One particle: the ELBO. Two, whose effective sample size never falls to
    # one: IWAE.
    ({}, {}), (dict(num_samples=2), dict(num_samples=2))])
def test_fivo_that_never_resamples_is_iwae(fivo_options, iwae_options):
  fivo = seeded(bounds.fivo, random_seed=1, **fivo_options)
  iwae = seeded(bounds.iwae, **iwae_options)
  for x, y in zip(fivo[:2] + fivo[3:], iwae):
    np.testing.assert_array_equal(x, y)
  assert not fivo.resampled.any()
  if not iwae_options:
    np.testing.assert_array_equal(iwae[0], seeded(bounds.elbo)[0])


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


# What a model is given -------------------------------------------------------


@pytest.mark.parametrize("name", sorted(_BOUNDS))
def test_the_model_gets_tiled_observations(name):
  """A model sees nothing but a larger batch, particle-major."""
  num_samples = 1 if name == "elbo" else 4
  values = np.arange(12.).reshape([2, 3, 2]), np.arange(6).reshape([2, 3])
  model = ConstantModel(0.)
  with new_session() as session:
    _BOUNDS[name](model, values, tf.constant([2, 1, 2]))
    assert model.sizes == (3 * num_samples, tf.float32), (
        "unless the model says otherwise")
    (first, second), lengths = session.run(
        [model.observations, model.seq_lengths])
  np.testing.assert_array_equal(first, np.tile(values[0], [1, num_samples, 1]))
  np.testing.assert_array_equal(second, np.tile(values[1], [1, num_samples]))
  np.testing.assert_array_equal(lengths, [2, 1, 2] * num_samples)


def test_a_model_without_the_base_class():
  model = ConstantModel(.5)
  duck = types.SimpleNamespace(
      zero_state=model.zero_state, set_observations=model.set_observations,
      propose_and_weight=model.propose_and_weight)
  result = evaluate(lambda: bounds.fivo(
      duck, tf.zeros([3, 2, 1]), [3, 1], num_samples=4))
  np.testing.assert_allclose(result.log_p_hat, [1.5, .5], rtol=1e-6)


class TableModel(base.ELBOTrainableSequenceModel):
  """Particle n of sequence b weighs x[t, b, n] + parameter at step t."""

  def __init__(self, num_samples, parameter):
    self._num_samples = num_samples
    self._parameter = parameter

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def propose_and_weight(self, state, t):
    rows = tf.range(tf.size(state))
    particles = rows // (tf.size(state) // self._num_samples)
    weights = tf.gather_nd(self.observations_ta.read(t),
                           tf.stack([rows, particles], axis=1))
    return self._parameter + weights, state


def test_all_bounds_are_those_of_separate_passes():
  """With weights that are zero or NaN, and sequences without a timestep."""
  tables = np.random.RandomState(2).normal(size=[2, 3, 4, 3], scale=3.)
  tables[0, 1, 0, 0] = -np.inf  # One particle; all.
  tables[0, 1, 1] = -np.inf
  tables[0, 2, 2, 1] = np.nan
  tables[0, 1:, 3] = np.nan  # Past that sequence's end.
  with new_session() as session:
    x = tf.compat.v1.placeholder(tf.float64, [None, None, 3])
    lengths = tf.compat.v1.placeholder(tf.int32, [None])
    parameter = tf.constant(0., tf.float64)
    model = TableModel(3, parameter)
    fetches = [
        bounds.elbo(TableModel(1, parameter), x, lengths).log_p_hat,
        bounds.iwae(model, x, lengths, 3).log_p_hat,
        bounds.fivo(model, x, lengths, 3, random_seed=1).log_p_hat,
        bounds.all_bounds(model, x, lengths, 3, random_seed=1)]
    gradients = [tf.gradients(fetch, parameter)[0] for fetch in fetches[:3]]
    elbo, iwae, fivo, together = session.run(
        fetches, {x: tables[0], lengths: [3, 3, 3, 1]})
    sums = tables[0].sum(axis=0)
    sums[3] = tables[0, 0, 3]
    averages = np.log(np.exp(sums).mean(axis=1))
    np.testing.assert_allclose(elbo, sums[:, 0])
    np.testing.assert_allclose(iwae, averages)
    for value in (fivo, together.fivo):
      np.testing.assert_array_equal(np.isnan(value), np.isnan(averages))
      np.testing.assert_array_equal(np.isinf(value), np.isinf(averages))
    np.testing.assert_allclose(together.elbo, sums.mean(axis=1))
    np.testing.assert_allclose(together.iwae, averages)
    # The parameter adds to each step of all particles.
    for gradient in session.run(
        gradients, {x: tables[1], lengths: [3, 2, 0, 1]}):
      assert gradient == pytest.approx(6.)
    for value in session.run(fetches[3], {x: tables[0, :0], lengths: [0] * 4}):
      np.testing.assert_array_equal(value, np.zeros(4))


# The choice of a bound -------------------------------------------------------


@pytest.mark.parametrize("name, fn, options", [
    ("elbo", bounds.elbo, {}), ("iwae", bounds.iwae, {}),
    ("fivo", bounds.fivo, dict(resampling_type="relaxed", resampling_options={
        "temperature": .9})),
    ("fivo-aux", bounds.fivo, dict(random_seed=3))])
def test_create_bound(name, fn, options):
  kwargs = {} if name == "elbo" else dict(num_samples=4)
  expected = seeded(fn, **kwargs, **options)
  result = seeded(functools.partial(bounds.create_bound, name), num_samples=4,
                  **options)
  for field in expected._fields:
    np.testing.assert_array_equal(
        getattr(result, field), getattr(expected, field))
  assert result.resampled.shape == (5, 3)
  assert result.resampled.any() == name.startswith("fivo")
  if name == "fivo":
    same, other = [seeded(
        fn, resampling_type="relaxed", relaxed_resampling_temperature=x,
        **kwargs).log_p_hat for x in (.9, .5)]
    np.testing.assert_array_equal(result.log_p_hat, same)
    assert (result.log_p_hat != other).any()


def test_signatures_are_the_contracts():
  loop = "parallel_iterations=30, swap_memory=True, "
  for fn, parameters in [
      (bounds.iwae, "num_samples=1, " + loop),
      (bounds.fivo, "num_samples=1, resampling_criterion=<function "
       "ess_criterion>, resampling_type='multinomial', "
       "relaxed_resampling_temperature=0.5, " + loop + "random_seed=None, ")]:
    signature = re.sub(r" at \w+", "", str(inspect.signature(fn)))
    assert signature.startswith(
        "(model, observations, seq_lengths, " + parameters)


# Emissions that are weighed after the loop ------------------------------------


def _iwae_and_gradients(kind, proposal_type, emission, in_loop):
  """The bound, its weights and its gradients, of the same random numbers."""
  def build():
    model = recurrent_test.create(
        kind, emission, proposal_type=proposal_type, random_seed=3,
        initializers={"w": tf.compat.v1.glorot_uniform_initializer(seed=4),
                      "b": tf.compat.v1.zeros_initializer()})
    bound = bounds.iwae(
        model, recurrent_test.observations(), recurrent_test.LENGTHS, 5,
        # Of a filter of one's own nothing is known.
        run_filter=functools.partial(smc.smc) if in_loop else smc.smc)
    return bound, tf.gradients(
        tf.reduce_sum(bound.log_p_hat), tf.compat.v1.trainable_variables())

  return tf.nest.flatten(evaluate(build, seed=5))


@pytest.mark.parametrize("arguments", [
    ("vrnn", "filtering", "bernoulli"), ("vrnn", "prior", "normal"),
    ("srnn", "smoothing", "normal")])
def test_emissions_weighed_later_equal_those_in_the_loop(arguments):
  later, in_loop = [_iwae_and_gradients(*arguments, in_loop=x)
                    for x in (False, True)]
  for value, expected in zip(later, in_loop):
    np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [[0, 0, 0], [2, 0, 3]])
def test_emissions_of_batches_of_unknown_size(lengths):
  """Longer than their longest sequence, and maybe empty."""
  def build():
    observations = [
        tf.compat.v1.placeholder_with_default(
            x, [None, None, recurrent_test.DATA])
        for x in recurrent_test.observations()]
    return bounds.iwae(
        recurrent_test.create("vrnn"), observations,
        tf.compat.v1.placeholder_with_default(lengths, [None]),
        num_samples=2)[:2]

  log_p_hat, log_weights = evaluate(build)
  assert log_weights.shape == (max(lengths), 3, 2)
  assert (log_p_hat != 0.).tolist() == [n > 0 for n in lengths]
  np.testing.assert_array_equal(log_weights[2:, 0], log_weights[1:2, 0])
