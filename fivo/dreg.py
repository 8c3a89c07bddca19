"""Doubly reparameterized gradients of the IWAE bound.

Tucker, Lawson, Gu & Maddison, Doubly Reparameterized Gradient Estimators for
Monte Carlo Objectives, 2018. Let w_n be the weights of N trajectories, W_n the
normalised ones, log w = log p - log q. The sum

    sum_n W_n^2 (gradient of log w_n through its latents)
          + W_n (gradient of log p_n at fixed latents)

has the expectation of the gradient of the bound. It lacks the gradient of log q
at fixed latents, which is pure noise where the proposal is exact.

Each trajectory is computed three times, with the same latents: as it is; with
its latents fixed and log q without a gradient; with its latents fixed. The
gradient through the latents is that of the first less that of the third.
"""

import contextlib

import tensorflow as tf

from fivo.models import base
from fivo.models import distributions
from fivo.resampling.gradients import surrogate

# As it is; latents fixed and log q without a gradient; latents fixed.
COPIES = 3


@contextlib.contextmanager
def drawing_copies(model):
  """Has all copies of a particle share their latents while the block runs.

  Args:
    model: An `ELBOTrainableSequenceModel` that draws by its method `draw`, and
      has `COPIES` times as many particles.

  Yields:
    Nothing.
  """
  with base.drawing_by(model, _draw_copies):
    yield


def _draw_copies(distribution, seed=None):
  """Draws for the first copies alone; replaces a model's `draw`."""
  latent, _ = distributions.sample_with_log_prob(distribution, seed)
  latent = latent[:tf.shape(latent)[0] // COPIES]
  fixed = tf.stop_gradient(latent)
  latent = tf.concat([latent, fixed, fixed], axis=0)
  log_q = distribution.log_prob(latent)
  with_q, without_q, all_fixed = tf.split(log_q, COPIES)
  return latent, tf.concat(
      [with_q, tf.stop_gradient(without_q), all_fixed], axis=0)


def split_copies(log_weights):
  """Combines the copies of trajectories.

  Args:
    log_weights: A float Tensor `[..., 3 N]`, of the first copies of all
      trajectories, then the second, then the third.

  Returns:
    A float Tensor `[..., N]`, the log weights without a gradient; and a float
    Tensor `[...]` of zeros with the gradient of the bound.
  """
  whole, log_p, fixed = tf.split(log_weights, COPIES, axis=-1)
  weights = tf.stop_gradient(tf.nn.softmax(whole))
  return tf.stop_gradient(whole), surrogate(tf.reduce_sum(
      tf.square(weights) * (whole - fixed) + weights * log_p, axis=-1))
