"""Trajectories: the particles of all timesteps, put together by ancestry.

A particle filter holds one timestep at a time. What it recorded, and who came
from whom, says by which way each of its last particles has come.
"""

import tensorflow as tf

from fivo import nested_utils as nested


def trajectories(states, ancestors):
  """Follows the last particles back through time.

  Args:
    states: Nested Tensors `[T, N*B, ...]`: the states after each step, as in
      `SMCResult.particle_states`, or as a `loop_fn` has collected them.
    ancestors: An int32 Tensor `[T, B, N]`, as in `SMCResult.ancestors`.

  Returns:
    Nested Tensors `[T, N*B, ...]`: row `n * B + b` is the trajectory that ends
    in the last particle n of sequence b. Its weight is that particle's.
  """
  batch_size, num_particles = tf.unstack(tf.shape(ancestors)[1:])
  last = tf.tile(tf.range(num_particles)[tf.newaxis], [batch_size, 1])
  # The particle that was proposed at step t as number a came from number a
  # after step t - 1.
  lineages = tf.scan(
      lambda lineage, ancestors_t: tf.gather(
          ancestors_t, lineage, batch_dims=1),
      ancestors[1:], initializer=last, reverse=True)
  lineages = tf.concat([lineages, last[tf.newaxis]], axis=0)
  rows = tf.reshape(
      tf.transpose(lineages, [0, 2, 1]) * batch_size + tf.range(batch_size),
      [-1, num_particles * batch_size])
  return nested.map_nested(
      lambda state: tf.gather(state, rows, batch_dims=1), states)
