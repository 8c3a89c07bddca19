"""Doubly reparameterized gradients of the IWAE bound.

Tucker, Lawson, Gu & Maddison, Doubly Reparameterized Gradient Estimators for
Monte Carlo Objectives, 2018. Let w_n be the weights of N trajectories, W_n the
normalised weights, and log w = log p - log q. The sum

    sum_n W_n^2 (gradient of log w_n through its latents)
          + W_n (gradient of log p_n at fixed latents)

is an unbiased estimate of the bound's gradient. It lacks the gradient of log q
at fixed latents, which is pure noise where the proposal is exact.

Each trajectory is computed three times with the same latents: as it is; with
its latents fixed and no gradient of log q; with its latents fixed. The gradient
through the latents is that of the first minus that of the third.
"""

import tensorflow as tf

from fivo.models import distributions
from fivo.resampling.gradients import surrogate

# As it is; latents fixed and no gradient of log q; latents fixed.
COPIES = 3


def draw_copies(distribution, seed=None):
  """Replaces a model's `draw`: all copies of a particle share a latent."""
  latent, _ = distributions.sample_with_log_prob(distribution, seed)
  latent = latent[:tf.shape(latent)[0] // COPIES]
  fixed = tf.stop_gradient(latent)
  latent = tf.concat([latent, fixed, fixed], axis=0)
  log_q = distribution.log_prob(latent)
  with_q, without_q, all_fixed = tf.split(log_q, COPIES)
  return latent, tf.concat(
      [with_q, tf.stop_gradient(without_q), all_fixed], axis=0)


def split_copies(log_weights):
  """Turns copies `[..., 3 N]` into log weights `[..., N]` and a surrogate."""
  whole, log_p, fixed = tf.split(log_weights, COPIES, axis=-1)
  weights = tf.stop_gradient(tf.nn.softmax(whole))
  return tf.stop_gradient(whole), surrogate(tf.reduce_sum(
      tf.square(weights) * (whole - fixed) + weights * log_p, axis=-1))
