"""Tests of ancestors, and of trajectories that are put together by them."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo import smc
from fivo import trajectories as smc_trajectories
from fivo.models import ghmm
from tests.smc_test import evaluate


def _paths(state, t):
  """Particles that carry the way by which they came, `[N*B, T]`."""
  if state is None:
    return tf.zeros([6, 5])
  step = tf.one_hot(t, 5) * tf.cast(
      1 + 100 * t + tf.range(6)[:, tf.newaxis], tf.float32)
  return 3. * tf.sin(tf.cast(7 * t + tf.range(6), tf.float32)), state + step


@pytest.mark.parametrize("criterion", [
    smc.always_resample_criterion, smc.ess_criterion,
    smc.never_resample_criterion])
def test_trajectories_are_the_ways_that_particles_carry(criterion):
  def build():
    result = smc.smc(_paths, [5, 2], 3, criterion)
    steps = tf.reduce_max(result.particle_states, axis=2)
    return (result.final_particle_state,
            smc.trajectories([steps], result.ancestors), result.resampled)

  paths, (trajectories,), resampled = evaluate(build, seed=1)
  np.testing.assert_array_equal(trajectories, paths.T)
  assert len(np.unique(paths, axis=0)) == 6 or resampled.any()


# Against the exact filter and smoother of a Gaussian model --------------------

_REPEATS = 40
_XS = np.array([1., -.5, 2., .3, 1.])


@pytest.fixture(scope="module")
def moments():
  """Means and variances by method: estimates `[T, repeats]`, or exact `[T]`."""
  def build():
    xs = tf.constant(np.tile(_XS[:, np.newaxis], [1, _REPEATS]))
    model = ghmm.TrainableGaussianHMM(
        5, "prior", transition_variances=.5, emission_variances=.3,
        random_seed=1, dtype=tf.float64)
    lengths = [5] * _REPEATS
    bound = bounds.fivo(model, xs, lengths, 500, random_seed=1)
    recorded = bound.particle_states, bound.log_weights, bound.resampled
    drawn = smc_trajectories.backward_simulation(
        *recorded, lambda t, z, z_next: model.transition(t, z).log_prob(z_next),
        100, lengths, seed=1)
    drawn = tf.reshape(drawn, [5, 100, _REPEATS])
    return {
        "filtering": smc_trajectories.filtering_moments(*recorded),
        "genealogy": smc_trajectories.smoothing_moments(
            recorded[0], bound.ancestors, *recorded[1:]),
        "simulation": tf.nn.moments(drawn, axes=[1]),
        "filtered": model.filtered(xs[:, :1]),
        "smoothed": model.smoothed(xs[:, :1]),
        "resampled": bound.resampled}

  return evaluate(build, seed=1)


@pytest.mark.parametrize("method, exact", [
    ("filtering", "filtered"), ("genealogy", "smoothed"),
    ("simulation", "smoothed")])
def test_moments(moments, method, exact):
  """Error rate 3e-6 (4.7 standard errors) of each of ten figures.

  Estimates of N particles are biased by the order of 1 / N, and variances of
  100 draws by as much, which is allowed for.
  """
  assert 0. < moments["resampled"].mean() < 1.
  for estimates, expected in zip(moments[method], moments[exact]):
    expected = expected.reshape([5])
    error = np.abs(estimates.mean(axis=1) - expected)
    standard_error = estimates.std(axis=1) / np.sqrt(_REPEATS)
    assert (error < 4.7 * standard_error + .02 * np.abs(expected)).all(), (
        error / standard_error)


def test_simulation_of_mixed_lengths():
  """A trajectory ends with a particle of its sequence's last step."""
  states = np.arange(30.).reshape([5, 6])  # Of three particles of two.
  log_weights = np.zeros([5, 2, 3])
  log_weights[2:, 1] = [-np.inf, 0., -np.inf]
  drawn = evaluate(lambda: smc_trajectories.backward_simulation(
      tf.constant(states), tf.constant(log_weights), tf.zeros([5, 2]),
      # Only from particle n to particle n of the next step.
      lambda t, z, z_next: tf.where(
          tf.equal(z + 6., z_next), tf.zeros_like(z), tf.zeros_like(z) - 1e9),
      4, [5, 3], seed=1))
  for m, b in np.ndindex(4, 2):
    path = drawn[:[5, 3][b], 2 * m + b]
    np.testing.assert_array_equal(np.diff(path), 6.)
    assert path[0] % 2 == b
    assert b == 0 or path[0] == 3.
