"""Resampling schemes: which particles are kept, and how often.

Let W_n be the normalised weight of particle n. A scheme that copies particles
draws ancestors a_1, ..., a_N such that the expected number of copies of
particle n is N W_n; that keeps a particle filter's estimate of the likelihood
unbiased (Doucet & Johansen, A Tutorial on Particle Filtering and Smoothing,
2009, section 3.4). Schemes differ in how much the numbers of copies vary (Douc,
Cappe & Moulines, Comparison of Resampling Schemes for Particle Filtering,
2005).

A scheme is a function of the unnormalised log weights `[N, B]` of B filters, of
their states, nested Tensors `[N*B, ...]` that few schemes use, and of its own
options, among them `random_seed`, an op seed or None. One that copies particles
or compiles also takes `uniforms`, see `multinomial`. It returns

* int32 ancestors `[N, B]`: new particle n of filter b is a copy of particle
  `ancestors[n, b]` of that filter;
* or float blending weights `[N, B, N]`: new particle n of filter b is the sum
  over l of `blend[n, b, l]` times particle l of that filter.

`particles.py` moves the particles. A new scheme is a function here and an entry
of `catalogue.SCHEMES`.
"""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.resampling import optimal_transport as transport

# Relative error of N W_n, in units of the dtype's precision, within which it
# counts as a whole number.
_ROUNDING = 16


def multinomial(log_weights, unused_states=None, random_seed=None,
                uniforms=None):
  """Draws each ancestor independently from the normalised weights.

  Args:
    log_weights: A float Tensor `[N, B]`. If a filter's are all minus infinity,
      or any is NaN or infinity, its ancestors are valid but arbitrary.
    unused_states: Ignored.
    random_seed: The op seed of the draw, or None.
    uniforms: A float Tensor `[N, B]` of numbers from [0, 1) to use in place of
      a draw, or None.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  log_weights = tf.stop_gradient(log_weights)
  num_particles = _num_particles(log_weights)
  if uniforms is not None:
    return _find(_to_weights(log_weights), uniforms, 1)
  # TensorFlow 1.15 splits this op between threads whose random numbers overlap:
  # with more than one thread per operation some filters of a large batch share
  # draws. Each filter by itself is right. `system/sessions.py` therefore sets
  # one thread per operation, and so should your own sessions
  # (intra_op_parallelism_threads=1).
  ancestors = tf.random.categorical(
      tf.transpose(log_weights), num_particles, seed=random_seed,
      dtype=tf.int32)
  # Weights that are all -inf or NaN make the op return N.
  return tf.transpose(tf.minimum(ancestors, num_particles - 1))


def stratified(log_weights, unused_states=None, random_seed=None,
               uniforms=None):
  """Draws one ancestor from each of N equal parts of the weights.

  Ancestor n is where (n + u_n) / N falls among the cumulative weights, for
  independent uniform u_n (Kitagawa, Monte Carlo Filter and Smoother for
  Non-Gaussian Nonlinear State Space Models, 1996). Numbers of offspring vary
  less than with `multinomial` and have the same expectation. Arguments and
  result are the same too.
  """
  return _ancestors_of_strata(
      log_weights, _draw_uniforms(log_weights, random_seed, uniforms))


def systematic(log_weights, unused_states=None, random_seed=None,
               uniforms=None):
  """As `stratified`, with one uniform number for all parts.

  Particle n has N W_n offspring, rounded up or down (Carpenter, Clifford &
  Fearnhead, Improved Particle Filter for Nonlinear Problems, 1999). Only the
  first row of `uniforms` is used.
  """
  return _ancestors_of_strata(
      log_weights, _draw_uniforms(log_weights, random_seed, uniforms)[:1])


def residual(log_weights, unused_states=None, random_seed=None, uniforms=None):
  """Copies each particle floor(N W_n) times and draws the rest.

  The remaining ancestors are drawn independently from the residual weights (Liu
  & Chen, Sequential Monte Carlo Methods for Dynamic Systems, 1998). For
  arguments and result see `multinomial`.
  """
  num_particles = _num_particles(log_weights)
  expected = tf.nn.softmax(tf.stop_gradient(log_weights), axis=0)
  expected *= tf.cast(num_particles, expected.dtype)
  # A whole number may have been rounded to slightly less.
  copies = tf.floor(expected * (1. + _ROUNDING * np.finfo(
      expected.dtype.as_numpy_dtype).eps))
  num_copied = tf.cumsum(copies, axis=0)
  # New particle n copies the first particle whose cumulative number of copies
  # exceeds n.
  numbers = tf.cast(tf.range(num_particles)[:, tf.newaxis], copies.dtype)
  drawn = _find(
      tf.maximum(expected - copies, 0.),
      _draw_uniforms(log_weights, random_seed, uniforms), 1)
  return tf.compat.v1.where(
      numbers < num_copied[-1:], _count_below(num_copied, numbers), drawn)


def _ancestors_of_strata(log_weights, uniforms):
  """Ancestors `[N, B]` from numbers `[N or 1, B]` within N equal strata."""
  num_particles = _num_particles(log_weights)
  strata = tf.cast(tf.range(num_particles)[:, tf.newaxis], uniforms.dtype)
  # A sum that is rounded up must not reach the next stratum.
  numbers = tf.minimum(
      strata + uniforms, (strata + 1.) * _below_one(uniforms.dtype))
  return _find(_to_weights(log_weights), numbers, num_particles)


def _to_weights(log_weights):
  """Weights, scaled so that the largest of each filter is one."""
  log_weights = tf.stop_gradient(log_weights)
  return tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True))


def _find(weights, numbers, end):
  """Finds where numbers from [0, end) fall among the cumulative weights."""
  cumulative = tf.cumsum(weights, axis=0)
  total = cumulative[-1:]
  thresholds = tf.cast(numbers, total.dtype) * (
      total / tf.cast(end, total.dtype))
  # A number rounded up to the total would choose the last particle whatever its
  # weight.
  return _count_below(
      cumulative, tf.minimum(thresholds, total * _below_one(total.dtype)))


def _below_one(dtype):
  """The largest number below one."""
  return 1. - np.finfo(dtype.as_numpy_dtype).epsneg


def _count_below(cumulative, thresholds):
  """Counts entries up to a threshold; at most N - 1, a valid ancestor."""
  num_below = tf.reduce_sum(tf.cast(
      cumulative[tf.newaxis] <= thresholds[:, tf.newaxis], tf.int32), axis=1)
  return tf.minimum(num_below, _num_particles(cumulative) - 1)


def _draw_uniforms(log_weights, random_seed, uniforms):
  """Draws numbers from [0, 1), `[N, B]`, unless they are given."""
  if uniforms is not None:
    return uniforms
  return tf.random.uniform(
      tf.shape(log_weights), dtype=log_weights.dtype, seed=random_seed)


def relaxed(log_weights, unused_states=None, temperature=0.5,
            random_seed=None):
  """Draws blending weights, differentiable with respect to the log weights.

  Instead of an ancestor each new particle draws a sample of the Concrete, or
  Gumbel-softmax, distribution (Maddison, Mnih & Teh, The Concrete Distribution,
  2017). At temperature zero this would be multinomial resampling; above it the
  estimate of the likelihood is biased, so it is for training only.

  Args:
    log_weights: A float Tensor `[N, B]`.
    unused_states: Ignored.
    temperature: A positive float, or a scalar Tensor.
    random_seed: The op seed of the draw, or None.

  Returns:
    A float Tensor `[N, B, N]` of blending weights.
  """
  logits = _finite_logits(log_weights)
  return tfp.distributions.RelaxedOneHotCategorical(
      tf.cast(temperature, logits.dtype), logits=logits).sample(
          _num_particles(log_weights), seed=random_seed)


def _finite_logits(log_weights):
  """Logits `[B, N]` that a low temperature does not turn infinite or NaN."""
  logits = tf.transpose(log_weights)
  # A filter without a single possible particle has no distribution to draw
  # from; any will do, since its likelihood is zero already.
  possible = tf.reduce_any(
      tf.greater(logits, -float("inf")), axis=1, keepdims=True)
  logits = tf.compat.v1.where(
      tf.tile(possible, [1, _num_particles(log_weights)]), logits,
      tf.zeros_like(logits))
  # Shifting all logits changes neither the draw nor its gradient.
  return logits - tf.stop_gradient(
      tf.reduce_max(logits, axis=1, keepdims=True))


def optimal_transport(log_weights, states, epsilon=.5, max_iterations=100,
                      random_seed=None):
  """Blends particles by a transport plan from their weights to equal ones.

  Args:
    log_weights: A float Tensor `[N, B]`.
    states: Nested float Tensors `[N*B, ...]`.
    epsilon: A positive float, see `optimal_transport.py`.
    max_iterations: The maximum number of Sinkhorn iterations.
    random_seed: Not used: nothing is drawn.

  Returns:
    A float Tensor `[N, B, N]` of blending weights.
  """
  del random_seed
  num_particles, batch_size = tf.unstack(tf.shape(log_weights))
  features = tf.concat([
      tf.reshape(tf.cast(state, log_weights.dtype),
                 [num_particles, batch_size, -1])
      for state in tf.nest.flatten(states)], axis=2)
  return transport.transport_plan(
      log_weights, features, epsilon, max_iterations)


def _num_particles(log_weights):
  """N, an int if it is static."""
  return (tf.compat.dimension_value(log_weights.shape[0]) or
          tf.shape(log_weights)[0])
