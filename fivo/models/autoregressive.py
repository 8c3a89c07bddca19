"""An autoregressive emission of dependent binary entries.

Given a condition c, made of the latent and the memory of the past, the D
entries of an observation, for example the notes of a chord, have

    p(x | c) = prod_i p(x_i | x_1, ..., x_{i-1}, c),

where each factor is a Bernoulli that depends on the entries before it, such as
lower notes. All D logits come from one network with masked weights (MADE,
Germain et al., Masked Autoencoder for Distribution Estimation, 2015), where
g(c) are the hidden layers of a multilayer perceptron:

    hidden = relu(W [x, g(c)] + b)        masked, so that logit i depends on
    logits = V [hidden, x, g(c)] + d      x_1, ..., x_{i-1} and c alone.

Without the weights from x this is the independent emission with one more hidden
layer. All D conditionals take two matrix products.
"""

import numpy as np
import tensorflow as tf

from fivo.models import distributions
from fivo.models import mlp

# The size of the masked hidden layer, as a multiple of that of its input layer.
HIDDEN_MULTIPLE = 4
# Logits beyond it, in absolute value, count as it and have no gradient. Units
# that see or predict only notes which never sound would otherwise grow with
# every step of Adam, however small their gradient, until such a note costs
# thousands of nats. A probability is at least 3e-7.
MAX_LOGIT = 15.


class ConditionalAutoregressiveDistribution(object):
  """Bernoullis, each given the lower ones, with logits from a network.

  A drop-in replacement for `base.ConditionalBernoulliDistribution`, for float32
  inputs.

  Attributes:
    size: The dimension of the random variable, D.
    fcnet: The MLP that reads the condition.
    bias_init: As given to the constructor.
  """

  def __init__(self, size, hidden_layer_sizes, hidden_activation_fn=tf.nn.relu,
               initializers=None, bias_init=0.0,
               name="conditional_autoregressive_distribution"):
    """Creates the distribution and the variables of its masked layers.

    Arguments are those of `base.ConditionalBernoulliDistribution`; if
    `hidden_layer_sizes` is empty there is one hidden layer, of `size`.
    """
    self.size = size
    self.bias_init = bias_init
    self._activation = hidden_activation_fn
    layer_sizes = list(hidden_layer_sizes) or [size]
    self.fcnet = mlp.MLP(
        layer_sizes, hidden_activation_fn, initializers, name=name + "_fcnet")
    # A unit's degree: the highest entry that it depends on, counted from 1.
    inputs = np.append(np.arange(1, size + 1), np.zeros(layer_sizes[-1]))
    hidden = 1 + np.arange(HIDDEN_MULTIPLE * layer_sizes[-1]) % max(size - 1, 1)
    with tf.compat.v1.variable_scope(None, default_name=name + "_made"):
      self._hidden_layer = _masked_layer(
          inputs, hidden, initializers or {}, "hidden")
      self._logits_layer = _masked_layer(
          np.append(hidden, inputs), np.arange(size), initializers or {},
          "logits")

  def __call__(self, *args):
    """The `AutoregressiveBernoulli` given float32 Tensors `[batch, ...]`."""
    features = self._activation(self.fcnet(tf.concat(args, axis=1)))
    return AutoregressiveBernoulli(self, features)

  def condition(self, features, x):
    """The logits `[batch, size]` given g(c) and the lower entries of x."""
    inputs = tf.concat([x, features], axis=1)
    hidden = self._activation(_linear(inputs, *self._hidden_layer))
    logits = self.bias_init + _linear(
        tf.concat([hidden, inputs], axis=1), *self._logits_layer)
    return tf.clip_by_value(logits, -MAX_LOGIT, MAX_LOGIT)


class AutoregressiveBernoulli(object):
  """A `ConditionalAutoregressiveDistribution` at a given condition."""

  def __init__(self, conditional, features):
    """Takes g(c), `[batch, features_size]`."""
    self._conditional = conditional
    self._features = features

  def log_prob(self, x):
    """log p(x_i | x_1, ..., x_{i-1}, c) of each entry of x `[batch, size]`."""
    x = tf.cast(x, self._features.dtype)
    return distributions.Bernoulli(
        logits=self._conditional.condition(self._features, x)).log_prob(x)

  def sample(self, seed=None):
    """Draws zeros and ones, a float32 Tensor `[batch, size]`.

    An entry is one if a uniform number lies below its probability given the
    lower ones. So each pass of the network settles at least one more entry, and
    all are settled once a pass changes nothing, usually long before pass
    `size`.
    """
    size, dtype = self._conditional.size, self._features.dtype
    uniforms = tf.random.uniform(
        [tf.shape(self._features)[0], size], dtype=dtype, seed=seed)

    def draw(i, x, unused_changed):
      logits = self._conditional.condition(self._features, x)
      new_x = tf.cast(uniforms < tf.sigmoid(logits), dtype)
      return i + 1, new_x, tf.reduce_any(tf.not_equal(new_x, x))

    _, x, _ = tf.while_loop(
        lambda i, unused_x, changed: tf.logical_and(changed, i < size), draw,
        (tf.constant(0), tf.zeros_like(uniforms), tf.constant(True)),
        back_prop=False)
    return x


def _masked_layer(input_degrees, degrees, initializers, name):
  """Masked weights and biases of units that read no input of higher degree."""
  mask = tf.constant(
      input_degrees[:, np.newaxis] <= degrees, tf.float32, name="mask")
  with tf.compat.v1.variable_scope(name):
    w = tf.compat.v1.get_variable(
        "w", mask.shape, tf.float32, initializers.get("w"))
    b = tf.compat.v1.get_variable(
        "b", [len(degrees)], tf.float32,
        initializers.get("b", tf.compat.v1.zeros_initializer()))
    return mask * w, b


def _linear(inputs, w, b):
  return tf.nn.bias_add(tf.matmul(inputs, w), b)
