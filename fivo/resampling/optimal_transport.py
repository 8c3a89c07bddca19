"""Optimal transport between weighted and equally weighted particles.

The entropy-regularised ensemble transform of Corenflos, Thornton, Deligiannidis
& Doucet (Differentiable Particle Filtering via Entropy-Regularized Optimal
Transport, 2021). Let x_1, ..., x_N be particles with normalised weights W. Of
all plans P_{ij} >= 0 that transport the weights W_j to equal ones,

    sum_j P_ij = 1 / N,    sum_i P_ij = W_j,

take the one that minimizes sum_ij P_ij (c_ij + epsilon log P_ij), with c_ij the
squared distance between x_i and x_j. New particle i is N sum_j P_ij x_j. The
weighted mean of the particles is preserved, and everything is differentiable
with respect to the weights. The estimate of the likelihood is biased.

The plan has the form P_ij = exp((f_i + g_j - c_ij) / epsilon) W_j / N, and
Sinkhorn's iterations alternate between the two conditions on it:

    f_i = -epsilon log sum_j W_j exp((g_j - c_ij) / epsilon)
    g_j = -epsilon log sum_i exp((f_i - c_ij) / epsilon) / N
"""

import numpy as np
import tensorflow as tf

# The relative error allowed in a plan's sums over j, which should be 1 / N.
_TOLERANCE = 1e-4


def transport_plan(log_weights, features, epsilon=.5, max_iterations=100):
  """The blending weights N P_ij, `[N, B, N]`: new particle, filter, old one.

  Particles have unnormalised log weights `[N, B]` and lie at `features`,
  `[N, B, size]`. Epsilon is relative to the mean squared distance between the
  particles of a filter; smaller values take more iterations.
  """
  log_weights, costs = _scale_costs(
      tf.transpose(log_weights), tf.transpose(features, [1, 0, 2]), epsilon)
  log_num_particles = tf.math.log(
      tf.cast(tf.shape(log_weights)[1], costs.dtype))

  def next_f(g):
    return -tf.reduce_logsumexp(
        (g + log_weights)[:, tf.newaxis] - costs, axis=2)

  def iterate(i, f, g, unused_error):
    f = next_f(g)
    g = log_num_particles - tf.reduce_logsumexp(
        f[:, :, tf.newaxis] - costs, axis=1)
    return i + 1, f, g, tf.reduce_max(tf.abs(tf.exp(f - next_f(g)) - 1.))

  # f and g are `[B, N]` and divided by epsilon.
  zeros = tf.zeros_like(log_weights)
  _, f, g, _ = tf.while_loop(
      lambda i, f, g, error: tf.logical_and(
          i < max_iterations, error > _TOLERANCE),
      iterate,
      (tf.constant(0), zeros, zeros, tf.constant(np.inf, zeros.dtype)),
      parallel_iterations=1)
  plan = tf.exp(
      f[:, :, tf.newaxis] + (g + log_weights)[:, tf.newaxis] - costs)
  return tf.transpose(plan, [1, 0, 2])


def _scale_costs(log_weights, features, epsilon):
  """Normalised log weights `[B, N]`, and costs `[B, N, N]` over epsilon."""
  # A filter without a single possible particle is transported in any way, since
  # its likelihood is zero already.
  is_possible = tf.greater(log_weights, -float("inf"))
  any_possible = tf.reduce_any(is_possible, axis=1, keepdims=True)
  log_weights = tf.compat.v2.where(
      any_possible, log_weights, tf.zeros([], log_weights.dtype))
  # An impossible particle may be infinite, and 0 * inf is NaN.
  features = tf.compat.v2.where(
      is_possible[:, :, tf.newaxis], features, tf.zeros([], features.dtype))
  costs = tf.reduce_sum(tf.math.squared_difference(
      features[:, :, tf.newaxis], features[:, tf.newaxis]), axis=3)
  scale = tf.reduce_mean(costs, axis=[1, 2], keepdims=True)
  tiny = np.finfo(costs.dtype.as_numpy_dtype).tiny
  return (tf.nn.log_softmax(log_weights),
          costs / (epsilon * tf.maximum(scale, tiny / epsilon)))
