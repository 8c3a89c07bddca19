"""Tests of fivo.data.datasets: synthetic chains."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import datasets


def _draw(num_batches=1, seed=None, **kwargs):
  """Runs a dataset; returns the observations of each batch, and lengths."""
  kwargs = dict({"batch_size": 3, "num_timesteps": 6}, **kwargs)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    observations, lengths = datasets.create_chain_graph_dataset(**kwargs)
    assert None not in observations.shape.as_list() + lengths.shape.as_list()
    np.random.seed(seed)
    return ([session.run(observations) for _ in range(num_batches)],
            session.run(lengths))


def _expected_sequence(steps_per_observation=6, state_size=1,
                       transition_variance=1., observation_variance=1.,
                       transition=lambda z: z, observation=lambda z: z):
  """The contract, word for word, for one sequence of six timesteps."""
  observations = []
  state = np.random.normal(
      size=[state_size], scale=np.sqrt(observation_variance))
  for t in range(1, 7):
    state = np.random.normal(
        size=[state_size], loc=transition(state),
        scale=np.sqrt(transition_variance))
    if t % steps_per_observation == 0:
      observations.append(np.random.normal(
          size=[state_size], loc=observation(state),
          scale=np.sqrt(observation_variance)))
  return np.array(observations)


@pytest.mark.parametrize("transition, observation, steps, state_size, dtype", [
    (("standard", lambda z: z), ("standard", lambda z: z), None, 1, "float32"),
    (("round", np.round), ("squared", np.square), 1, 1, "float32"),
    (("round", np.round), ("abs", np.abs), 2, 3, "float64")])
def test_draws_in_the_order_of_the_contract(
    transition, observation, steps, state_size, dtype):
  batches, lengths = _draw(
      2, seed=5, steps_per_observation=steps, state_size=state_size,
      transition_variance=0.7, observation_variance=2.,
      transition_type=transition[0], observation_type=observation[0],
      dtype=dtype)
  np.random.seed(5)
  for batch in batches:
    expected = np.stack([
        _expected_sequence(
            steps or 6, state_size, 0.7, 2., transition[1], observation[1])
        for _ in range(3)], axis=1)
    assert batch.dtype == dtype
    tolerance = 1e-6 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(batch, expected, rtol=tolerance, atol=tolerance)
  np.testing.assert_array_equal(lengths, [6 // (steps or 6)] * 3)


def test_without_prefetching_draws_what_is_asked_for_alone():
  _draw(2, seed=3, prefetch_buffer_size=0, batch_size=2)
  after = np.random.normal()
  np.random.seed(3)
  for _ in range(4):
    _expected_sequence()
  assert np.random.normal() == after


@pytest.mark.parametrize("model_consistent", [False, True])
def test_defect_one_transition_more_than_the_model_has(model_consistent):
  # FIVO's z_0 ~ N(0, vx) makes Var x_t = vx + (t + 1) vz + vx, the model's is
  # (t + 1) vz + vx. The relative standard error of the variance of n draws is
  # sqrt(2 / n) = 0.01: 5 of them are 0.05.
  transition_variance, observation_variance = 0.5, 2.
  (batch,), _ = _draw(
      seed=7, batch_size=20000, num_timesteps=4, steps_per_observation=1,
      transition_variance=transition_variance,
      observation_variance=observation_variance,
      model_consistent=model_consistent)
  start = 0. if model_consistent else observation_variance
  np.testing.assert_allclose(
      batch[:, :, 0].var(axis=1), start + observation_variance
      + transition_variance * np.arange(1, 5), rtol=0.05)


@pytest.mark.parametrize("value", [0., [[[2.5]]]])
def test_fixed_observation(value):
  batches, lengths = _draw(
      2, steps_per_observation=2, state_size=2, fixed_observation=value)
  for batch in batches:
    np.testing.assert_array_equal(
        batch, np.full([3, 3, 2], np.ravel(value)[0], np.float32))
  assert lengths.tolist() == [3, 3, 3]


def test_defect_whole_float_from_a_division_was_refused():
  (batch,), _ = _draw(steps_per_observation=np.float64(2.))
  assert batch.shape == (3, 3, 1)


@pytest.mark.parametrize("steps", [4, 1.5])
def test_observations_must_be_evenly_spaced(steps):
  with pytest.raises(ValueError, match="must divide num_timesteps=6"):
    datasets.create_chain_graph_dataset(3, 6, steps_per_observation=steps)
