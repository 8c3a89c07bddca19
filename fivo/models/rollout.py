"""Drawing from a model that feeds on what it has drawn."""

import tensorflow as tf


def roll_out(model, state, observation, mean, first_t, num_steps,
             record=lambda state, observation: observation):
  """Feeds a model its own samples.

  Args:
    model: A model with `sample_step(state, inputs, t) -> (new_state, x_t)`,
      which keeps the structure of a state.
    state: The state before the first step, nested Tensors `[batch, ...]`.
    observation: The observation before the first step, a float Tensor
      `[batch, D]`.
    mean: A float Tensor `[D]` that centres the model's inputs, or 0.
    first_t: The timestep of the first sample, an int or scalar Tensor.
    num_steps: T, an int or scalar Tensor.
    record: A callable `(state, observation) -> nested Tensors` of what to keep
      of each step.

  Returns:
    Nested Tensors `[T, batch, ...]` of what `record` gave.
  """
  def step(i, state, observation, arrays):
    # As in smc.py: steps draw in the order of time.
    with tf.control_dependencies([observation]):
      new_state, new_observation = model.sample_step(
          state, observation - mean, first_t + i)
    tf.nest.map_structure(lambda new, old: new.set_shape(old.shape),
                          (new_state, new_observation), (state, observation))
    arrays = tf.nest.map_structure(
        lambda array, value: array.write(i, value), arrays,
        record(new_state, new_observation))
    return i + 1, new_state, new_observation, arrays

  arrays = tf.nest.map_structure(
      lambda value: tf.TensorArray(value.dtype, num_steps),
      record(state, observation))
  _, _, _, arrays = tf.while_loop(
      lambda i, *_: i < num_steps, step,
      (tf.constant(0), state, observation, arrays), back_prop=False)
  return tf.nest.map_structure(lambda array: array.stack(), arrays)
