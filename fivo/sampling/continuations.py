"""Sampling continuations of observed prefixes."""

import tensorflow as tf

from fivo import bounds
from fivo import roll_outs


def sample_continuations(model, inputs, targets, mean, bound_name, num_samples,
                         sample_length, parallel_iterations=30,
                         random_seed=None):
  """Conditions a model on prefixes and samples how they go on.

  The particles that a bound's filter leaves at the end of the prefix stand for
  the posterior of the latent state there, once they are resampled by their
  final weights. With the ELBO, which has a single trajectory, N independent
  draws of the proposal take their place, unweighted.

  Args:
    model: An `ELBOTrainableSequenceModel` that also has
      `sample_step(state, inputs, t) -> (state, x_t)`.
    inputs: A float Tensor `[P, B, D]`, the prefix centred, one step later.
    targets: A float Tensor `[P, B, D]`, the prefix.
    mean: A float Tensor `[D]` that centres inputs, or None.
    bound_name: A name of `catalogue.BOUNDS`.
    num_samples: N, the number of particles and of trajectories per prefix.
    sample_length: S, the number of timesteps to sample.
    parallel_iterations: How many timesteps may run at once.
    random_seed: The op seed of the resampling, or None.

  Returns:
    A float Tensor `[S, B, N, D]`: entry `[:, b, n]` continues prefix b.
  """
  prefix_length, batch_size, data_size = tf.unstack(tf.shape(targets))
  result = bounds.create_bound(
      "iwae" if bound_name == "elbo" else bound_name, model, (inputs, targets),
      tf.fill([batch_size], prefix_length), num_samples=num_samples,
      parallel_iterations=parallel_iterations, random_seed=random_seed)
  state = result.final_state
  if bound_name != "elbo":
    state = bounds.resample_by_final_weights(
        result, num_samples, batch_size, random_seed=random_seed)
  rows = roll_outs.roll_out(
      model, state, tf.tile(targets[-1], [num_samples, 1]),
      0. if mean is None else mean, prefix_length + tf.range(sample_length),
      record=lambda unused_state, observation: observation)
  # Rows are particle-major, see smc.py.
  by_particle = tf.reshape(
      rows, [sample_length, num_samples, batch_size, data_size])
  return tf.transpose(by_particle, [0, 2, 1, 3])
