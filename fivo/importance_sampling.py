"""Importance sampling: a particle filter that never resamples.

Nothing in its loop depends on the weights. So what only weighs a particle, the
emission, is computed after the loop for all timesteps at once: a few large
operations in place of as many small ones per timestep.
"""

import tensorflow as tf

from fivo import nested_utils as nested
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
    An `smc.SMCResult`; its final_loop_state is of no use.
  """
  particles = _Particles(model, initial_state, num_steps)
  result = smc.smc(
      particles.propose, num_steps, num_particles,
      resampling_criterion=smc.never_resample_criterion,
      loop_fn=particles.keep, **kwargs)
  log_weights = result.log_weights + particles.sum_emissions(
      result.final_loop_state, num_particles)
  # Where all sequences are empty there are no weights, and the sum is zero.
  log_z_hat = tf.reduce_sum(
      smc.log_average_weight(log_weights[-1:], axis=2), axis=0)
  return result._replace(log_z_hat=log_z_hat, log_weights=log_weights)


class _Particles(object):
  """Extends particles by the model, and keeps what their emissions need."""

  def __init__(self, model, initial_state, num_steps):
    """Creates the particles; for arguments see `smc_without_resampling`."""
    self._model = model
    self._initial_state = initial_state
    self._num_steps = num_steps
    self._max_num_steps = tf.reduce_max(num_steps)

  def propose(self, state, t):
    """The transition of `smc.smc`, weighed by all but the emission."""
    if state is None:
      return self._initial_state
    return self._model.propose_and_weight(
        state, t, weigh_emission=False)

  def keep(self, arrays, unused_loop_args, state, unused_log_weights,
           unused_resampled, unused_mask, t):
    """The `loop_fn` of `smc.smc`: nested TensorArrays."""
    if arrays is None:
      return nested.map_nested(self._new_array, self._initial_state)
    return tf.nest.map_structure(
        lambda array, x: array.write(t, x), arrays, state)

  def _new_array(self, x):
    # One entry too many, since without an entry its shape may be unknown.
    return tf.TensorArray(
        x.dtype, self._max_num_steps + 1, element_shape=x.shape).write(
            self._max_num_steps, x)

  def sum_emissions(self, arrays, num_particles):
    """The emissions' log probabilities, summed up to each timestep.

    Args:
      arrays: What `keep` gave last.
      num_particles: N.

    Returns:
      A float Tensor `[T, B, N]`, in nats.
    """
    log_probs = self._model.emission_log_probs(
        nested.map_nested(lambda array: array.stack()[:-1], arrays))
    in_sequence = tf.range(self._max_num_steps)[:, tf.newaxis] < tf.tile(
        self._num_steps, [num_particles])
    # Masks select rather than multiply: 0 * -inf is NaN.
    sums = tf.cumsum(tf.compat.v1.where(
        in_sequence, log_probs, tf.zeros_like(log_probs)))
    return tf.transpose(tf.reshape(
        sums, [self._max_num_steps, num_particles, -1]), [0, 2, 1])
