"""Tests of what resampling does to the states of particles."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from fivo import smc
from fivo.resampling import particles
from fivo.resampling import schemes
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import evaluate
from tests.smc_test import new_session

_FUNCTIONS = (smc.multinomial_resampling, smc.relaxed_resampling,
              smc.optimal_transport_resampling)
_LOG_WEIGHTS = np.random.RandomState(0).normal(size=[4, 3])


@pytest.mark.parametrize("scheme, fn", [
    (schemes.multinomial, smc.multinomial_resampling),
    (schemes.relaxed, smc.relaxed_resampling)])
def test_states_are_moved(scheme, fn):
  """Row (i, b) is particle ancestors[i, b], or the sum of w[i, b, l] of l."""
  state = np.random.RandomState(1).normal(size=[12, 2, 5])
  choice, (moved, others) = evaluate(lambda: (
      scheme(tf.constant(_LOG_WEIGHTS), random_seed=2),
      fn(tf.constant(_LOG_WEIGHTS), [tf.constant(state), state[:, 0, 0]], 4, 3,
         random_seed=2)), seed=2)
  weights = np.eye(4)[choice] if choice.ndim == 2 else choice
  expected = np.einsum("ibl,lb...->ib...", weights, state.reshape([4, 3, 2, 5]))
  np.testing.assert_allclose(moved, expected.reshape([12, 2, 5]), rtol=1e-10)
  np.testing.assert_allclose(others, moved[:, 0, 0], rtol=1e-10)
  # As old tests call it.
  np.testing.assert_allclose(evaluate(lambda: smc._blend_tensor(
      tf.constant(weights), tf.constant(state), 4, 3)), moved, rtol=1e-10)
  np.testing.assert_allclose(evaluate(lambda: smc._blend_tensor(
      tf.constant(weights), tf.constant(state[:, 0, 0]), 4, 3)),
                             moved[:, :1, 0], rtol=1e-10)


@pytest.mark.parametrize("fn", _FUNCTIONS)
def test_other_filters_are_left_alone(fn):
  """The same random numbers, whoever takes them; ancestors if there are any."""
  chosen = np.array([True, False, True])
  # They know their particle and their filter.
  states = np.stack(np.indices([4, 3]), axis=2).reshape([12, 2]).astype(float)

  def build():
    log_weights = tf.constant(_LOG_WEIGHTS)
    seeded = functools.partial(fn, random_seed=1)
    some, ancestors = particles.resample(
        seeded, log_weights, tf.constant(states), tf.constant(chosen), 4, 3)
    assert (ancestors is None) == (fn is not smc.multinomial_resampling)
    return (some, seeded(log_weights, tf.constant(states), 4, 3),
            tf.zeros([]) if ancestors is None else ancestors)

  some, resampled, ancestors = evaluate(build, seed=1)
  some, resampled, states = [
      x.reshape([4, 3, 2]) for x in (some, resampled, states)]
  np.testing.assert_allclose(some[:, chosen], resampled[:, chosen], rtol=1e-12)
  np.testing.assert_array_equal(some[:, ~chosen], states[:, ~chosen])
  assert (resampled != states).any(axis=(0, 2)).all()
  np.testing.assert_allclose(
      some[:, :, 1], np.tile(np.arange(3.), [4, 1]), rtol=1e-3)
  if ancestors.ndim:
    np.testing.assert_array_equal(some[:, :, 0], ancestors)


@pytest.mark.parametrize("fn", _FUNCTIONS)
@pytest.mark.parametrize("to_batch_size", [
    int, np.int64, lambda size: tf.constant(size, tf.int64)])
def test_batch_sizes_of_any_type(fn, to_batch_size):
  """Those of int64 were refused; nor need any size be known beforehand."""
  with new_session() as session:
    log_weights = tf.compat.v1.placeholder(tf.float32, [None, None])
    states = tf.compat.v1.placeholder(tf.float32, [None])
    for batch_size in (1, 4):
      new = fn(log_weights, [states], 3, to_batch_size(batch_size))
      value = np.tile(np.arange(float(batch_size)), [3])
      result, = session.run(new, {
          states: value, log_weights: np.zeros([3, batch_size])})
      np.testing.assert_allclose(result, value, rtol=1e-5)


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("fn", _FUNCTIONS[1:])
def test_the_state_of_an_impossible_particle_reaches_no_other(bad, fn):
  """0 * NaN is NaN, in the states and in both gradients."""
  for resample in (True, False):
    def build(resample=resample):
      log_weights = tf.constant([[0.], [-INF], [1.]])
      states = tf.constant([1., bad, 3.])
      new, _ = particles.resample(
          fn, log_weights, states, tf.constant([resample]), 3, 1)
      return [new] + tf.gradients(new[0] + new[2], [log_weights, states])

    new, weight_gradient, state_gradient = evaluate(build, seed=1)
    assert np.isfinite(weight_gradient).all()
    assert np.isfinite(state_gradient).all()
    if resample:
      assert ((new >= 1.) & (new <= 3.)).all()
    else:
      np.testing.assert_array_equal(new, [1., bad, 3.])
      np.testing.assert_array_equal(state_gradient, [1., 0., 1.])
