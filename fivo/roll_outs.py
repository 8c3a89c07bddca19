"""Draws from a model that feeds on what it has drawn."""

import tensorflow as tf


def roll_out(model, state, observation, mean, timesteps):
  """Draws timesteps one after another, each given those before.

  Args:
    model: A model with `sample_step(state, inputs, t) -> (new_state, x_t)`,
      which keeps the structure of a state.
    state: The state before the first of these steps, nested Tensors
      `[rows, ...]`.
    observation: The observation before it, a float Tensor `[rows, D]`.
    mean: A float Tensor `[D]`, or a float, that centres inputs.
    timesteps: An int32 Tensor `[S]`.

  Returns:
    states: Nested Tensors `[S, rows, ...]`, the state after each step.
    observations: A float Tensor `[S, rows, D]`.
  """
  def step(last, t):
    last_state, last_observation = last
    # As in smc.py: steps draw in the order of time.
    with tf.control_dependencies([last_observation]):
      new = model.sample_step(last_state, last_observation - mean, t)
    tf.nest.map_structure(lambda x, y: x.set_shape(y.shape), new, last)
    return new

  return tf.scan(
      step, timesteps, initializer=(state, observation), back_prop=False)
