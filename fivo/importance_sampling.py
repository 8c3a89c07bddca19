"""Importance sampling: a particle filter that never resamples.

Nothing in its loop depends on the weights. So the emission, which only weighs a
particle, is computed after the loop for all timesteps at once: a few large
operations in place of as many small ones per timestep.
"""

import tensorflow as tf

from fivo import smc


def smc_without_resampling(model, initial_state, num_steps, num_particles,
                           **kwargs):
  """As `smc.smc` of a model, with `never_resample_criterion`.

  Args:
    model: A model that `weighs_emissions_later`, see
      `TrainableRecurrentModel`, and has its observations.
    initial_state: The model's state before the first step, `[N*B, ...]`.
    num_steps: An int32 Tensor `[B]`, the length of each sequence.
    num_particles: N.
    **kwargs: Passed on to `smc.smc`.

  Returns:
    An `smc.SMCResult`.
  """
  def propose(state, t):
    return initial_state if state is None else model.propose_and_weight(
        state, t, weigh_emission=False)

  result = smc.smc(
      propose, num_steps, num_particles,
      resampling_criterion=smc.never_resample_criterion, **kwargs)
  log_probs = model.emission_log_probs(result.particle_states)
  max_num_steps = tf.shape(log_probs)[0]
  in_sequence = tf.range(max_num_steps)[:, tf.newaxis] < tf.tile(
      num_steps, [num_particles])
  # Masks select rather than multiply: 0 * -inf is NaN.
  sums = tf.cumsum(tf.compat.v1.where(
      in_sequence, log_probs, tf.zeros_like(log_probs)))
  log_weights = result.log_weights + tf.transpose(
      tf.reshape(sums, [max_num_steps, num_particles, -1]), [0, 2, 1])
  # Where all sequences are empty there are no weights, and the sum is zero.
  log_z_hat = tf.reduce_sum(
      smc.log_average_weight(log_weights[-1:], axis=2), axis=0)
  return result._replace(log_z_hat=log_z_hat, log_weights=log_weights)
