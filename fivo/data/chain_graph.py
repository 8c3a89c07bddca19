"""Synthetic data: chains of latent states with noisy observations."""

import numpy as np
import tensorflow as tf

from fivo.data import batching

ROUND_TRANSITION, STANDARD_TRANSITION = TRANSITION_TYPES = ["round", "standard"]
SQUARED_OBSERVATION, ABS_OBSERVATION, STANDARD_OBSERVATION = (
    OBSERVATION_TYPES) = ["squared", "abs", "standard"]

_TRANSITIONS = {STANDARD_TRANSITION: lambda z: z, ROUND_TRANSITION: np.round}
_OBSERVATIONS = {STANDARD_OBSERVATION: lambda z: z,
                 SQUARED_OBSERVATION: np.square, ABS_OBSERVATION: np.abs}


def create_chain_graph_dataset(
    batch_size, num_timesteps, steps_per_observation=None, state_size=1,
    transition_variance=1., observation_variance=1.,
    transition_type="standard", observation_type="standard",
    fixed_observation=None, prefetch_buffer_size=2048, dtype="float32",
    model_consistent=False):
  """Creates an endless dataset of observations of Gaussian chains.

  A latent chain goes z_t ~ N(f(z_{t-1}), transition_variance), and every
  `steps_per_observation`-th state is observed, x_t ~ N(g(z_t),
  observation_variance), where f and g are the transition and observation types.
  As in the original, z_0 ~ N(0, observation_variance) comes before the T states
  that can be observed: one transition more than `ghmm.GaussianHMM` has.

  The numbers are `np.random.normal`'s, from NumPy's global state: sequence
  after sequence, first z_0, then for each step z_t, and x_t if it is observed.

  Args:
    batch_size: B, the number of sequences per batch.
    num_timesteps: T, the number of transitions.
    steps_per_observation: The number of transitions before each observation,
      a whole number that divides `num_timesteps`. None: `num_timesteps`.
    state_size: The size of states and observations.
    transition_variance: The variance of a transition.
    observation_variance: The variance of an observation.
    transition_type: f: "standard", identity; "round", to the nearest integer.
    observation_type: g: "standard", identity; "squared"; "abs".
    fixed_observation: If not None, what every observation is in place of a
      draw; broadcasts to `[T_obs, B, state_size]`.
    prefetch_buffer_size: The number of batches to draw ahead, at most two; with
      0 NumPy's global state moves by the batches that were asked for alone.
    dtype: "float32" or "float64".
    model_consistent: Whether to draw from the model itself: the first state is
      N(0, transition_variance).

  Returns:
    observations: A Tensor `[T_obs, B, state_size]` of type `dtype`, where T_obs
      = num_timesteps / steps_per_observation, new at each run.
    lengths: An int32 Tensor `[B]`, each T_obs.

  Raises:
    ValueError: If `steps_per_observation` does not divide `num_timesteps`.
  """
  if steps_per_observation is None:
    steps_per_observation = num_timesteps
  if num_timesteps % steps_per_observation or steps_per_observation % 1:
    raise ValueError("steps_per_observation=%s must divide num_timesteps=%s"
                     % (steps_per_observation, num_timesteps))
  steps_per_observation = int(steps_per_observation)
  dtype = tf.as_dtype(dtype)
  num_observations = num_timesteps // steps_per_observation
  shape = [num_observations, batch_size, state_size]
  lengths = tf.fill([batch_size], num_observations)
  if fixed_observation is not None:
    return tf.constant(
        np.broadcast_to(fixed_observation, shape), dtype), lengths

  def draw_batch(_):
    return _draw_batch(
        shape, steps_per_observation, _TRANSITIONS[transition_type],
        np.sqrt(transition_variance), _OBSERVATIONS[observation_type],
        np.sqrt(observation_variance), model_consistent
    ).astype(dtype.as_numpy_dtype)

  endless = tf.data.Dataset.from_tensors(0).repeat()
  observations = batching.next_element(
      batching.map_numpy(endless, draw_batch, dtype, shape),
      prefetch_buffer_size)
  return observations, lengths


def _draw_batch(shape, steps_per_observation, transition, transition_scale,
                observation, observation_scale, starts_at_zero):
  """Draws a float64 array of observations of shape `[T_obs, B, state_size]`."""
  num_observations, batch_size, state_size = shape
  num_starts = 0 if starts_at_zero else 1
  # One call draws the same numbers as one for each state and observation of
  # one sequence after another, a hundred times faster.
  noise = np.random.normal(size=[
      batch_size, num_starts + num_observations * (steps_per_observation + 1),
      state_size])
  state = observation_scale * noise[:, :num_starts].sum(axis=1)
  noise = noise[:, num_starts:].reshape(
      [batch_size, num_observations, steps_per_observation + 1, state_size])
  observations = np.empty(shape)
  for index in range(num_observations):
    for step in range(steps_per_observation):
      state = transition(state) + transition_scale * noise[:, index, step]
    observations[index] = (
        observation(state) + observation_scale * noise[:, index, -1])
  return observations
