"""Tests of resampling by optimal transport."""


import numpy as np
import pytest
import tensorflow as tf

from fivo import smc
from fivo.resampling import optimal_transport
from tests.smc_test import evaluate
from tests.smc_test import new_session

_TOLERANCE = 1e-3


def _problem(num_particles=6, batch_size=3, size=2, dtype=np.float64, seed=0):
  rng = np.random.RandomState(seed)
  return (rng.normal(size=[num_particles, batch_size], scale=2.).astype(dtype),
          rng.normal(size=[num_particles, batch_size, size]).astype(dtype))


def _weights(log_weights):
  weights = np.exp(log_weights - log_weights.max(axis=0))
  return weights / weights.sum(axis=0)


def _plan(log_weights, features, **kwargs):
  return evaluate(lambda: optimal_transport.transport_plan(
      tf.constant(log_weights), tf.constant(features), **kwargs))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("epsilon", [.1, .5, 10.])
def test_marginals(dtype, epsilon):
  """The new particles have equal weights, the old ones theirs."""
  log_weights, features = _problem(dtype=dtype)
  plan = _plan(log_weights, features, epsilon=epsilon, max_iterations=2000)
  assert plan.dtype == dtype
  assert (plan >= 0.).all()
  np.testing.assert_allclose(plan.sum(axis=2), 1., rtol=_TOLERANCE)
  np.testing.assert_allclose(
      plan.sum(axis=0), 6. * _weights(log_weights).T, rtol=1e-5, atol=1e-6)


def test_it_is_the_cheapest_plan():
  """Any change that keeps both marginals costs more."""
  log_weights, features = _problem(num_particles=4, batch_size=1)
  epsilon = .3
  plan = _plan(log_weights, features, epsilon=epsilon,
               max_iterations=5000)[:, 0] / 4.
  distances = ((features[:, 0, None] - features[None, :, 0]) ** 2).sum(axis=2)
  distances /= distances.mean()

  def cost(plan):
    return (plan * (distances + epsilon * np.log(plan))).sum()

  rng = np.random.RandomState(0)
  for _ in range(20):
    (i, k), (j, m) = [rng.choice(4, 2, replace=False) for _ in range(2)]
    change = np.zeros([4, 4])
    change[[i, k], [j, m]] = 1.
    change[[i, k], [m, j]] = -1.
    for sign in (1., -1.):
      assert cost(plan + sign * .2 * plan.min() * change) > cost(plan)


def test_preserves_the_weighted_mean():
  log_weights, features = _problem()
  states = features.reshape([-1, 2])
  new = evaluate(lambda: smc.optimal_transport_resampling(
      tf.constant(log_weights),
      [tf.constant(states), tf.constant(states[:, 0])], 6, 3, epsilon=.3,
      max_iterations=1000))
  expected = np.einsum("nb,nbf->bf", _weights(log_weights), features)
  np.testing.assert_allclose(
      new[0].reshape([6, 3, 2]).mean(axis=0), expected, atol=1e-6)
  np.testing.assert_allclose(new[0][:, 0], new[1])


def test_gradient_agrees_with_finite_differences():
  log_weights, features = _problem(num_particles=3, batch_size=2)
  points = [log_weights, features.reshape([-1, 2])]
  with new_session() as session:
    held = [tf.compat.v1.placeholder(tf.float64, x.shape) for x in points]
    new = smc.optimal_transport_resampling(*held, 3, 2, max_iterations=200)
    total = tf.reduce_sum(tf.sin(new) * tf.constant(points[1]))
    gradients = session.run(
        tf.gradients(total, held), dict(zip(held, points)))
    for i, gradient in enumerate(gradients):
      for index in np.ndindex(gradient.shape):
        values = []
        for step in (1e-4, -1e-4):
          moved = [x.copy() for x in points]
          moved[i][index] += step
          values.append(session.run(total, dict(zip(held, moved))))
        # The iterations end within their tolerance of the plan.
        assert gradient[index] == pytest.approx(
            (values[0] - values[1]) / 2e-4, rel=.02, abs=2e-3)


def test_smallest_and_impossible_filters():
  assert _plan(*_problem(num_particles=1)) == pytest.approx(np.ones([1, 3, 1]))
  log_weights, features = _problem()
  plan = _plan(np.full_like(log_weights, -np.inf), features)
  np.testing.assert_allclose(plan.sum(axis=2), 1., rtol=_TOLERANCE)
  same = _plan(log_weights, np.ones_like(features))
  np.testing.assert_allclose(
      same, np.tile(_weights(log_weights).T, [6, 1, 1]), rtol=1e-5)
