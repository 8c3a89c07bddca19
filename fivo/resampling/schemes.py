"""Resampling schemes: which particles are kept, and how often.

With W_n the normalised weight of particle n, a scheme that copies particles
draws ancestors a_1, ..., a_N such that particle n is expected to be copied
N W_n times; that keeps a particle filter's estimate of the likelihood unbiased
(Doucet & Johansen, A Tutorial on Particle Filtering and Smoothing, 2009,
section 3.4). Schemes differ in how much the numbers of copies vary (Douc, Cappe
& Moulines, Comparison of Resampling Schemes for Particle Filtering, 2005).

A scheme is a function of the log weights `[N, B]` of B filters. It returns

* int32 ancestors `[N, B]`: new particle n of filter b is a copy of particle
  `ancestors[n, b]` of that filter;
* or float blending weights `[N, B, N]`: new particle n of filter b is the sum
  over l of `blend[n, b, l]` times particle l of that filter.

`functions.py` moves the particles.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp


def multinomial(log_weights, random_seed=None, uniforms=None):
  """Draws each ancestor independently, with the normalised weights.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights. In a filter
      whose weights are all minus infinity, or hold a NaN or plus infinity, the
      ancestors are arbitrary, but valid.
    random_seed: The op seed of the draw, or None.
    uniforms: A float Tensor `[N, B]` of draws from [0, 1) that decide in place
      of draws of its own, or None.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  log_weights = tf.stop_gradient(log_weights)
  num_particles = _num_particles(log_weights)
  if uniforms is not None:
    return _invert_distribution_function(_to_weights(log_weights), uniforms)
  # TensorFlow 1.15 splits this op between threads whose random numbers overlap:
  # with more than one thread per operation some filters of a large batch share
  # draws. Each filter by itself is right. `system/sessions.py` therefore has
  # one thread per operation; sessions of your own should have, too
  # (intra_op_parallelism_threads=1).
  ancestors = tf.random.categorical(
      tf.transpose(log_weights), num_particles, seed=random_seed,
      dtype=tf.int32)
  # Weights that are all -inf or NaN make the op return N.
  return tf.transpose(tf.minimum(ancestors, num_particles - 1))


def stratified(log_weights, random_seed=None, uniforms=None):
  """Draws one ancestor from each of N equal parts of the weights.

  Particle n falls where (n + u_n) / N does among the cumulative weights, for
  independent uniform u_n (Kitagawa, Monte Carlo Filter and Smoother for
  Non-Gaussian Nonlinear State Space Models, 1996). Offspring vary less than
  with `multinomial`, whose expectation they share.

  Args:
    log_weights: See `multinomial`.
    random_seed: The op seed of the draw, or None.
    uniforms: See `multinomial`.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  return _ancestors_of_strata(
      log_weights, _draw_uniforms(log_weights, random_seed, uniforms))


def systematic(log_weights, random_seed=None, uniforms=None):
  """As `stratified`, with one uniform number for all parts.

  Particle n has N W_n offspring, rounded up or down (Carpenter, Clifford &
  Fearnhead, Improved Particle Filter for Nonlinear Problems, 1999).

  Args:
    log_weights: See `multinomial`.
    random_seed: The op seed of the draw, or None.
    uniforms: See `multinomial`; only the first of each filter counts.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  return _ancestors_of_strata(
      log_weights, _draw_uniforms(log_weights, random_seed, uniforms)[:1])


def residual(log_weights, random_seed=None, uniforms=None):
  """Copies each particle floor(N W_n) times and draws the rest.

  The remaining ancestors are drawn independently, with what is left of the
  weights (Liu & Chen, Sequential Monte Carlo Methods for Dynamic Systems,
  1998).

  Args:
    log_weights: See `multinomial`.
    random_seed: The op seed of the draw, or None.
    uniforms: See `multinomial`.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  expected = tf.nn.softmax(tf.stop_gradient(log_weights), axis=0)
  expected *= tf.cast(_num_particles(log_weights), expected.dtype)
  copies = tf.floor(expected)
  num_copied = tf.cumsum(copies, axis=0)
  # Place n belongs to the first particle up to which more than n are copied.
  places = tf.cast(_column(log_weights), copies.dtype)
  drawn = _invert_distribution_function(
      expected - copies, _draw_uniforms(log_weights, random_seed, uniforms))
  return tf.compat.v1.where(
      places + tf.zeros_like(copies) < num_copied[-1:] + tf.zeros_like(copies),
      _count_below(num_copied, places), drawn)


def _ancestors_of_strata(log_weights, uniforms):
  """The ancestors of one number in each of N equal parts of [0, 1).

  Args:
    log_weights: A float Tensor `[N, B]`.
    uniforms: A float Tensor `[N, B]` or `[1, B]`: where in its part each is.

  Returns:
    An int32 Tensor `[N, B]`.
  """
  strata = tf.cast(_column(log_weights), uniforms.dtype)
  num_particles = tf.cast(_num_particles(log_weights), uniforms.dtype)
  return _invert_distribution_function(
      _to_weights(log_weights), (strata + uniforms) / num_particles)


def _to_weights(log_weights):
  """Weights of which the largest of each filter is one."""
  log_weights = tf.stop_gradient(log_weights)
  return tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True))


def _invert_distribution_function(weights, positions):
  """Finds where numbers from [0, 1) fall among the cumulative weights.

  Args:
    weights: A float Tensor `[N, B]`.
    positions: A float Tensor `[N, B]`.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  cumulative = tf.cumsum(weights, axis=0)
  # Rounded up to the total, a number would choose the last particle whatever
  # its weight.
  positions = tf.minimum(
      tf.cast(positions, cumulative.dtype),
      1. - np.finfo(cumulative.dtype.as_numpy_dtype).epsneg)
  return _count_below(cumulative, positions * cumulative[-1:])


def _count_below(cumulative, thresholds):
  """How many of each filter's cumulative numbers are at most a threshold.

  Args:
    cumulative: A float Tensor `[N, B]`.
    thresholds: A float Tensor `[N, B]` or `[N, 1]`.

  Returns:
    An int32 Tensor `[N, B]`, at most N - 1: a valid ancestor even of NaNs.
  """
  num_below = tf.reduce_sum(tf.cast(
      cumulative[tf.newaxis] <= thresholds[:, tf.newaxis], tf.int32), axis=1)
  return tf.minimum(num_below, _num_particles(cumulative) - 1)


def _draw_uniforms(log_weights, random_seed, uniforms):
  """Draws from [0, 1), `[N, B]`, where none are given."""
  if uniforms is not None:
    return uniforms
  return tf.random.uniform(
      tf.shape(log_weights), dtype=log_weights.dtype, seed=random_seed)


def _column(log_weights):
  """The numbers of the particles, int32 `[N, 1]`."""
  return tf.range(_num_particles(log_weights))[:, tf.newaxis]


def relaxed(log_weights, temperature=0.5, random_seed=None):
  """Draws blending weights whose derivative by the weights is known.

  In place of an ancestor each new particle draws a sample of the Concrete, or
  Gumbel-softmax, distribution (Maddison, Mnih & Teh, The Concrete Distribution,
  2017). At temperature zero this would be multinomial resampling; above it the
  estimate of the likelihood is biased, so it is for training only.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights.
    temperature: A positive float.
    random_seed: The op seed of the draw, or None.

  Returns:
    A float Tensor `[N, B, N]` of blending weights.
  """
  logits = _finite_logits(log_weights)
  return tfp.distributions.RelaxedOneHotCategorical(
      tf.cast(temperature, logits.dtype), logits=logits).sample(
          _num_particles(log_weights), seed=random_seed)


def _finite_logits(log_weights):
  """Makes logits that a low temperature does not make plus infinity or NaN.

  Args:
    log_weights: A float Tensor `[N, B]`.

  Returns:
    A float Tensor `[B, N]` of which the largest per filter is zero, unless a
    weight is NaN or plus infinity.
  """
  logits = tf.transpose(log_weights)
  # A filter without a single possible particle has no distribution to draw
  # from; any will do, since its likelihood is zero already.
  possible = tf.reduce_any(
      tf.greater(logits, -float("inf")), axis=1, keepdims=True)
  logits = tf.compat.v1.where(
      tf.tile(possible, [1, _num_particles(log_weights)]), logits,
      tf.zeros_like(logits))
  # Adding a number to all of them changes neither the draw nor its gradient.
  return logits - tf.stop_gradient(
      tf.reduce_max(logits, axis=1, keepdims=True))


def _num_particles(log_weights):
  """N, an int where it is known."""
  return (tf.compat.dimension_value(log_weights.shape[0]) or
          tf.shape(log_weights)[0])
