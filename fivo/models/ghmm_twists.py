"""Twists of the Gaussian hidden Markov model: quadratics of the latent.

The optimal twist p(x_{t+1}, ..., x_{T-1} | z_t) is, up to a constant, evidence
about z_t in the sense of `kalman.py`: exp(-a z_t^2 / 2 + b z_t), with a
precision a that is the same for all sequences and an information b that is
linear in the observations.
"""

import numpy as np
import tensorflow as tf

from fivo.models import base


class Quadratic(object):
  """log r = -a z^2 / 2 + b z + c, with coefficients of each timestep."""

  def __init__(self, precisions, informations, constants=None):
    """Puts coefficients where a loop can read them, again and again.

    Args:
      precisions: a, a float Tensor `[T, 1]` or `[T, batch]`.
      informations: b, a float Tensor `[T, batch]`.
      constants: c, the like of b, or None for zeros.
    """
    coefficients = [precisions, informations]
    if constants is not None:
      coefficients.append(constants)
    self._tas = [base.ta_for_tensor(x, clear_after_read=False)
                 for x in coefficients]

  def read(self, t, z):
    """log r of timestep t, where z is, and this returns, a Tensor `[batch]`."""
    precision, information, *constant = [ta.read(t) for ta in self._tas]
    return sum(constant, (information - precision * z / 2) * z)


class LearnedTwist(object):
  """A twist with parameters of its own at every timestep.

      log r = -a_t z^2 / 2 + b_t z - k_t b_t^2 / 2 + c_t
      b_t = w_t^T (x_{t+1}, ..., x_{T-1}) + d_t,   a_t > 0

  The first two terms contain the optimal twist. With the others, which mean
  nothing to a bound, log r can be log p(z_t, x_{t+1:T}) / p(z_t) p(x_{t+1:T}),
  the optimal logit of a classifier: if z_t has the variance P, then for
  k = P / (1 + P a) and c = log(1 + P a) / 2.
  """

  def __init__(self, num_timesteps, dtype=tf.float32):
    """Creates the variables of T timesteps, which begin as zeros."""
    with tf.compat.v1.variable_scope(None, default_name="twist"):
      self._weights = _zeros("w", [num_timesteps, num_timesteps], dtype)
      self._raw_precisions, self._biases, self._scales, self._constants = [
          _zeros(name, [num_timesteps, 1], dtype)
          for name in ("raw_precision", "b", "k", "c")]

  def __call__(self, xs):
    """The `Quadratic` given observations `[steps, batch]`, padded by zeros."""
    num_steps = tf.shape(xs)[0]
    later = np.triu(np.ones(self._weights.shape.as_list()), k=1)
    weights = self._weights * later.astype(xs.dtype.as_numpy_dtype)
    biases, scales, constants, raw_precisions = [
        x[:num_steps] for x in (
            self._biases, self._scales, self._constants, self._raw_precisions)]
    informations = tf.matmul(weights[:num_steps, :num_steps], xs) + biases
    return Quadratic(
        tf.nn.softplus(raw_precisions), informations,
        constants - scales * informations ** 2 / 2)


def _zeros(name, shape, dtype):
  return tf.compat.v1.get_variable(
      name, shape, dtype, tf.compat.v1.zeros_initializer())
