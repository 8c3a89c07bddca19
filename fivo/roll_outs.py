"""Draws from a model that feeds on what it has drawn."""

import tensorflow as tf


def roll_out(model, state, observation, mean, timesteps,
             record=lambda state, observation: (state, observation)):
  """Draws timesteps one after another, each given those before.

  A model has `sample_step(state, inputs, t) -> (new_state, x_t)`, which keeps
  the structure of a state, or of its `sampling_state(state)`. State and
  observation, `[rows, ...]`, are those before the timesteps, int32 `[S]`. A
  mean centres inputs. `record` picks what each step returns, `[S, rows, ...]`.
  """
  def step(i, state, observation, arrays):
    # As in smc.py: steps draw in the order of time.
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
