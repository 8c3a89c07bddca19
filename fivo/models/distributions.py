"""Distributions whose densities cost few operations.

In the particle filter's loop each operation costs a few microseconds whatever
its size. These distributions extend TensorFlow Probability's and draw the same
numbers. For `isinstance` and `kl_divergence` they also count as TensorFlow's
own, which old code knows as `tf.distributions` and `tf.contrib.distributions`.
"""

import numpy as np
import tensorflow as tf
from tensorflow.python.util import deprecation
import tensorflow_probability as tfp

_HALF_LOG_2_PI = 0.5 * np.log(2. * np.pi)


class Normal(tfp.distributions.Normal):
  """A Normal with a cheap density, cheaper still for its own samples."""

  def standard_log_prob(self, noise):
    """The log density at loc + scale * noise, in nats, of the batch shape.

    The gradients through the sample and through loc cancel; both are omitted.
    """
    return -0.5 * tf.square(noise) - (tf.math.log(self.scale) + _HALF_LOG_2_PI)

  def _log_prob(self, x):
    return self.standard_log_prob((x - self.loc) / self.scale)

  def _kl_divergence(self, other):
    return super(Normal, self)._kl_divergence(_to_tfp(other))


class Bernoulli(tfp.distributions.Bernoulli):
  """A Bernoulli with logits, whose softplus is exact for logits of any size."""

  def _log_prob(self, event):
    return tf.cast(event, self.logits.dtype) * self.logits - tf.nn.softplus(
        self.logits)


def sample_with_log_prob(distribution, seed=None):
  """Returns a sample of any distribution, and its log density in nats."""
  if isinstance(distribution, Normal):
    return transform_with_log_prob(distribution, tf.random.normal(
        tf.shape(distribution.loc), dtype=distribution.dtype, seed=seed))
  sample = distribution.sample(seed=seed)
  return sample, distribution.log_prob(sample)


def transform_with_log_prob(normal, noise):
  """As `sample_with_log_prob` for a Normal, given standard Normal noise."""
  sample = noise * normal.scale + normal.loc
  if isinstance(normal, Normal):
    return sample, normal.standard_log_prob(noise)
  return sample, normal.log_prob(sample)


def _to_tfp(distribution):
  """Converts a Normal of TensorFlow's own to TensorFlow Probability's."""
  if isinstance(distribution, tfp.distributions.Distribution):
    return distribution
  return tfp.distributions.Normal(distribution.loc, distribution.scale)


def _kl_divergence(a, b, name=None):
  return tfp.distributions.kl_divergence(
      _to_tfp(a), _to_tfp(b), name=name)


_OLD = tf.compat.v1.distributions
_OLD.Normal.register(Normal)
_OLD.Bernoulli.register(Bernoulli)
with deprecation.silence():
  for _pair in ((tfp.distributions.Normal, tfp.distributions.Normal),
                (tfp.distributions.Normal, _OLD.Normal),
                (_OLD.Normal, tfp.distributions.Normal)):
    _OLD.RegisterKL(*_pair)(_kl_divergence)
