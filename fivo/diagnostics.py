"""Diagnostics of a particle filter at every timestep."""

import collections

import tensorflow as tf


class Diagnostics(collections.namedtuple("Diagnostics", (
    "ess", "resampled", "log_weight_variance", "num_ancestors", "num_roots"))):
  """Diagnostics of each filter at each step, float Tensors `[T, B]`.

  Attributes:
    ess: The effective sample size, 1 / sum_n W_n^2, before resampling.
    resampled: One where the filter resampled, else zero.
    log_weight_variance: The variance of the accumulated log weights over the
      particles, in squared nats.
    num_ancestors: The number of the step's particles that survive resampling.
    num_roots: The number of the first step's particles that still have
      descendants.
  """


def diagnose(log_weights, resampled, ancestors):
  """Computes `Diagnostics` from these fields of an `smc.SMCResult`."""
  _, variance = tf.nn.moments(log_weights, axes=[2])
  first = ancestors[0]
  roots = tf.scan(
      lambda roots, ancestors_t: tf.gather(roots, ancestors_t, batch_dims=1),
      ancestors[1:], initializer=first)
  roots = tf.concat([first[tf.newaxis], roots], axis=0)
  return Diagnostics(
      ess=effective_sample_size(log_weights),
      resampled=resampled,
      log_weight_variance=variance,
      num_ancestors=_count_distinct(ancestors, log_weights.dtype),
      num_roots=_count_distinct(roots, log_weights.dtype))


def effective_sample_size(log_weights):
  """1 / sum_n W_n^2 for normalised weights W, over the last axis."""
  return 1. / tf.reduce_sum(tf.square(tf.nn.softmax(log_weights)), axis=-1)


def _count_distinct(particles, dtype):
  """Counts the distinct indices below N along the last axis."""
  is_present = tf.reduce_any(
      tf.one_hot(particles, tf.shape(particles)[2], on_value=True,
                 off_value=False), axis=2)
  return tf.reduce_sum(tf.cast(is_present, dtype), axis=2)
