"""Resampling criteria: when a particle filter resamples.

A criterion takes the log weights `[N, B]` of B filters, unnormalised, and the
timestep, and returns a bool Tensor `[B]`, true where a filter should resample.
"""

import functools

import tensorflow as tf


def ess_criterion(log_weights, unused_t, threshold=.5):
  """Resamples a filter whose effective sample size is at most N / 2.

  The effective sample size is 1 / sum_n W_n^2 for normalised weights W (Liu &
  Chen, Blind Deconvolution via Sequential Imputations, 1995). It lies in
  [1, N], so with N = 2 the criterion holds only in the limit of a zero weight:
  FIVO with two particles hardly differs from IWAE, unless the threshold is
  above one half.

  Args:
    log_weights: A float Tensor `[N, B]`.
    unused_t: The timestep.
    threshold: A float, the fraction of N at or below which to resample.

  Returns:
    A bool Tensor `[B]`, false where all weights are zero or any is NaN.
  """
  # Scaling by the largest weight cancels in the ratio and keeps equal weights
  # exact. If all weights are zero, a comparison with NaN gives false.
  weights = tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True))
  if weights.dtype == tf.float16:
    weights = tf.cast(weights, tf.float32)  # N^2 may exceed 65504.
  num_particles = tf.cast(tf.shape(weights)[0], weights.dtype)
  return (tf.square(tf.reduce_sum(weights, axis=0)) <=
          num_particles * threshold * tf.reduce_sum(tf.square(weights), axis=0))


def never_resample_criterion(log_weights, unused_t):
  """Resamples no filter: importance sampling of whole trajectories."""
  return tf.fill([tf.shape(log_weights)[1]], False)


def always_resample_criterion(log_weights, unused_t):
  """Resamples every filter at every step."""
  return tf.fill([tf.shape(log_weights)[1]], True)


def by_name(name, ess_threshold=.5):
  """The criterion named by --resampling_criterion: ess, always or never."""
  return {
      "ess": functools.partial(ess_criterion, threshold=ess_threshold),
      "always": always_resample_criterion,
      "never": never_resample_criterion,
  }[name]
