"""Properties of the resampling schemes for weights of any kind."""

import functools

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf

from fivo.resampling import particles as resampling
from tests import fuzz
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import evaluate
from tests.smc_test import unoptimized

_SCHEMES = (resampling.multinomial_resampling, resampling.relaxed_resampling)
_DTYPES = {"float32": tf.float32, "float64": tf.float64}


@functools.lru_cache(maxsize=None)
def _graph(scheme, num_particles, dtype):
  """A scheme in a session of its own, with Tensors of unknown sizes.

  Args:
    scheme: A resampling scheme.
    num_particles: N.
    dtype: The name of a float dtype.

  Returns:
    A function of log weights `[N, B]`, of which filters are to resample `[B]`,
    and of states `[N*B, features]`, that gives the resampled states, in this
    dtype and in the other one.
  """
  with tf.Graph().as_default() as graph:
    log_weights = tf.compat.v1.placeholder(_DTYPES[dtype], [None, None])
    chosen = tf.compat.v1.placeholder(tf.bool, [None])
    states = tf.compat.v1.placeholder(log_weights.dtype, [None, None])
    other = tf.float64 if dtype == "float32" else tf.float32
    new, _ = resampling.resample(
        functools.partial(scheme, random_seed=1), log_weights,
        [states, tf.cast(states, other)], chosen, num_particles,
        tf.shape(log_weights)[1])
    session = tf.compat.v1.Session(graph=graph, config=unoptimized())
  return lambda *values: session.run(
      new, dict(zip([log_weights, chosen, states], values)))


def _resample(scheme, log_weights, chosen):
  """Resamples particles that know what they are.

  Args:
    scheme: A resampling scheme.
    log_weights: An array `[N, B]`.
    chosen: Which filters to resample, `[B]` bools.

  Returns:
    An array `[N, B, 4]`, the number of the particle, that of its filter,
    whether it has weight zero, and a one.
  """
  features = np.stack([
      np.indices(log_weights.shape)[0], np.indices(log_weights.shape)[1],
      log_weights == -INF, np.ones_like(log_weights)], axis=2)
  states = features.reshape([-1, 4])
  new, other = _graph(scheme, len(log_weights), log_weights.dtype.name)(
      log_weights, chosen, states)
  # All leaves of a state are resampled alike.
  np.testing.assert_allclose(new, other, rtol=1e-5)
  new = new.reshape(features.shape)
  np.testing.assert_array_equal(
      new[:, ~chosen], features[:, ~chosen].astype(new.dtype))
  return new


@fuzz.settings(100)
@hypothesis.given(
    st.data(), st.sampled_from(_SCHEMES), st.sampled_from([1, 2, 5, 1000]),
    st.integers(1, 4), st.sampled_from(sorted(_DTYPES)))
def test_new_particles_are_possible_ones_of_their_filter(
    data, scheme, num_particles, batch_size, dtype):
  log_weights = data.draw(
      fuzz.log_weights([num_particles, batch_size])).astype(dtype)
  chosen = np.array(data.draw(st.lists(
      st.booleans(), min_size=batch_size, max_size=batch_size)))
  new = _resample(scheme, log_weights, chosen)
  np.testing.assert_allclose(new[:, :, 3], 1., rtol=1e-5)
  np.testing.assert_allclose(
      new[:, :, 1], np.broadcast_to(range(batch_size), new.shape[:2]),
      rtol=1e-5)
  has_possible = (log_weights > -INF).any(axis=0)
  assert not new[:, chosen & has_possible, 2].any()
  if scheme is resampling.multinomial_resampling:
    assert np.isin(new[:, :, 0], range(num_particles)).all()


@fuzz.settings(40)
@hypothesis.given(
    st.data(), st.sampled_from(_SCHEMES), st.sampled_from([2, 5]),
    st.sampled_from(sorted(_DTYPES)))
def test_a_filter_with_a_weight_that_is_no_number_harms_no_other(
    data, scheme, num_particles, dtype):
  """Nor makes an ancestor that does not exist."""
  log_weights = data.draw(fuzz.log_weights(
      [num_particles, 3], [NAN, INF, -INF])).astype(dtype)
  log_weights[:, 1] = np.arange(num_particles)
  new = _resample(scheme, log_weights, np.array([True] * 3))
  np.testing.assert_allclose(new[:, 1, [1, 3]], 1., rtol=1e-5)
  if scheme is resampling.multinomial_resampling:
    np.testing.assert_array_equal(
        new[:, :, 1], np.broadcast_to(range(3), new.shape[:2]))
    assert np.isin(new[:, :, 0], range(num_particles)).all()


@pytest.mark.parametrize("log_weights,possible", [
    ([3e38, -3e38, 0.], [0]),
    ([3e38, 3e38, 0.], [0, 1]),
    ([-3e38, -3e38, -INF], [0, 1]),
])
@pytest.mark.parametrize("temperature", [.5, 1e-10])
def test_defect_relaxed_weights_overflowed(log_weights, possible, temperature):
  """Divided by the temperature they were infinite, and the states NaN."""
  states = evaluate(lambda: resampling.relaxed_resampling(
      tf.constant(log_weights)[:, tf.newaxis], tf.eye(3), 3, 1,
      temperature=temperature, random_seed=1), seed=1)
  np.testing.assert_allclose(states[:, possible].sum(axis=1), 1., rtol=1e-5)


@pytest.mark.parametrize("bad", [NAN, INF])
@pytest.mark.parametrize("resample", [True, False])
def test_defect_relaxed_state_of_an_impossible_particle_spread(bad, resample):
  """0 * NaN is NaN, in the states and in both gradients.

  A particle whose state overflows has weight zero, and must not reach the
  others, whether its filter resamples or not.
  """
  values = np.array([1., bad, 3.], np.float32)

  def build():
    log_weights = tf.constant([[0.], [-INF], [1.]])
    states = tf.constant(values)
    new, _ = resampling.resample(
        functools.partial(resampling.relaxed_resampling, random_seed=1),
        log_weights, states, tf.constant([resample]), 3, 1)
    total = new[0] + new[2]
    return [new] + tf.gradients(total, [log_weights, states])

  new, weight_gradient, state_gradient = evaluate(build, seed=1)
  assert np.isfinite(weight_gradient).all()
  assert np.isfinite(state_gradient).all()
  if resample:
    assert ((new >= 1.) & (new <= 3.)).all()
    assert state_gradient.sum() == pytest.approx(2.)
  else:
    np.testing.assert_array_equal(new, values)
    np.testing.assert_array_equal(state_gradient, [1., 0., 1.])


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("to_batch_size", [
    np.int64, lambda size: tf.constant(size, tf.int64)])
def test_defect_batch_size_of_int64_was_refused(scheme, to_batch_size):
  states = np.array([1., 2., 1., 2., 1., 2.], np.float32)
  np.testing.assert_allclose(
      evaluate(lambda: scheme(
          tf.zeros([3, 2]), tf.constant(states), 3, to_batch_size(2))),
      states, rtol=1e-6)
