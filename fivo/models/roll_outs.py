"""Sampling from a model that is fed its own samples."""

import tensorflow as tf


def roll_out(model, state, observation, mean, timesteps,
             record=lambda state, observation: (state, observation)):
  """Samples timesteps one after another, each given the ones before.

  The model has `sample_step(state, inputs, t) -> (new_state,
  x_t)`; its states have the structure of `state`, or of
  `model.sampling_state(state)` if defined. `state` and `observation`,
  `[rows, ...]`, precede the `timesteps`, int32 `[S]`. The mean centres inputs.
  `record` selects what is returned of each step.
  """
  def step(i, state, observation, arrays):
    # As in smc.py, so that steps draw in order of time.
    with tf.control_dependencies([observation]):
      new = model.sample_step(state, observation - mean, timesteps[i])
    tf.nest.map_structure(
        lambda x, y: x.set_shape(y.shape), new, (state, observation))
    arrays = tf.nest.map_structure(
        lambda array, value: array.write(i, value), arrays, record(*new))
    return (i + 1,) + tuple(new) + (arrays,)

  if hasattr(model, "sampling_state"):
    state = model.sampling_state(state)
  num_steps = tf.size(timesteps)
  arrays = tf.nest.map_structure(
      lambda value: tf.TensorArray(value.dtype, num_steps),
      record(state, observation))
  *_, arrays = tf.while_loop(
      lambda i, *_: i < num_steps, step,
      (tf.constant(0), state, observation, arrays), back_prop=False)
  return tf.nest.map_structure(lambda array: array.stack(), arrays)
