"""A conditional distribution with separate parameters for every timestep."""

import numpy as np
import tensorflow as tf

from fivo.models import distributions


class NonstationaryLinearDistribution(object):
  """A diagonal distribution, linear in its inputs, that changes with time.

  At timestep t, given inputs `[inputs_t, batch]`, the distribution has

      loc = w_t^T inputs + b_t,
      scale = sqrt(max(exp(log_variance_t), variance_min)).

  It can express the exact filtering and smoothing proposals of a linear
  Gaussian model, whose coefficients differ from step to step near the ends
  (Maddison et al., Filtering Variational Objectives, 2017, section 5.1).

  The constructor creates the variables in the current variable scope, or in a
  new one if that has them already and does not reuse variables.

  Attributes:
    num_timesteps: T, an int.
    mean_weights: The w_t, a list of T variables `[inputs_t, outputs_t]` named
      `proposal_w_<t>`.
    mean_biases: The b_t, `[outputs_t]`, `proposal_b_<t>`.
    log_variances: Likewise, `proposal_log_variance_<t>`.
  """

  def __init__(self, num_timesteps, inputs_per_timestep=None,
               outputs_per_timestep=None, initializers=None, variance_min=0.0,
               output_distribution=distributions.Normal, dtype=tf.float32):
    """Creates the variables.

    Args:
      num_timesteps: T, a positive int.
      inputs_per_timestep: T positive ints, the number of inputs of each step.
        Defaults to ones.
      outputs_per_timestep: T positive ints, the dimension of the random
        variable at each step. Defaults to ones.
      initializers: None, or a dict with initializers for "w" (default Xavier)
        and "b" (default zeros), which is that of the log variances too.
      variance_min: The smallest variance, a float or scalar Tensor.
      output_distribution: A callable that makes a distribution from keyword
        arguments `loc` `[outputs_t, batch]` and `scale` `[outputs_t, 1]`.
      dtype: The float dtype of the variables.
    """
    self.num_timesteps = num_timesteps
    self._num_inputs, self._num_outputs = [
        [1] * num_timesteps if sizes is None else [int(size) for size in sizes]
        for sizes in (inputs_per_timestep, outputs_per_timestep)]
    self._variance_min = variance_min
    self._output_distribution = output_distribution
    self._dtype = tf.as_dtype(dtype)
    initializers = dict(
        {"w": tf.compat.v1.initializers.glorot_uniform(),
         "b": tf.compat.v1.initializers.zeros()}, **(initializers or {}))
    vectors = [[size] for size in self._num_outputs]
    with _fresh_variable_scope("proposal_w_0"):
      self.mean_weights = self._variables(
          "w", zip(self._num_inputs, self._num_outputs), initializers["w"])
      self.mean_biases = self._variables("b", vectors, initializers["b"])
      self.log_variances = self._variables(
          "log_variance", vectors, initializers["b"])
    # For loops: gathering rows from one large Tensor would accumulate gradients
    # of all T rows at each of T steps.
    self._parameter_tas = [
        _padded_ta(variables) for variables in (
            self.mean_weights, self.mean_biases, self.log_variances)]

  def __call__(self, t, inputs):
    """The `output_distribution` `[outputs_t, batch]` at timestep t.

    Args:
      t: The timestep, an int from 0 to T - 1, or a scalar integer Tensor,
        possibly inside a `tf.while_loop`.
      inputs: A float Tensor `[inputs_t, batch]`. If t is a Tensor, missing rows
        count as zeros; rows beyond `inputs_t`, up to the largest number of
        inputs of any step, have no influence but must be finite.
    """
    inputs = tf.convert_to_tensor(inputs, dtype=self._dtype)
    if tf.is_tensor(t):
      num_rows = max(self._num_inputs)
      if tf.compat.dimension_value(inputs.shape[0]) != num_rows:
        batch_size = inputs.shape[1]
        inputs = tf.pad(
            inputs, [[0, num_rows - tf.shape(inputs)[0]], [0, 0]])
        inputs.set_shape([num_rows, batch_size])
      weights, bias, log_variance = [ta.read(t) for ta in self._parameter_tas]
      if len(set(self._num_outputs)) > 1:
        size = tf.gather(self._num_outputs, t)
        weights, bias, log_variance = (
            weights[:, :size], bias[:size], log_variance[:size])
    else:
      weights, bias, log_variance = (
          self.mean_weights[t], self.mean_biases[t], self.log_variances[t])
    loc = tf.matmul(weights, inputs, transpose_a=True) + bias[:, tf.newaxis]
    variance = tf.exp(log_variance)
    if tf.is_tensor(self._variance_min) or self._variance_min:
      variance = tf.maximum(variance, self._variance_min)
    return self._output_distribution(
        loc=loc, scale=tf.sqrt(variance)[:, tf.newaxis])

  def _variables(self, kind, shapes, initializer):
    """Creates a variable for each timestep."""
    return [
        tf.compat.v1.get_variable(
            "proposal_%s_%d" % (kind, t), shape=list(shape), dtype=self._dtype,
            initializer=initializer)
        for t, shape in enumerate(shapes)]


def _fresh_variable_scope(name):
  """The current variable scope, or one inside it if the variable exists."""
  scope = tf.compat.v1.get_variable_scope()
  full_name = scope.name + "/" + name if scope.name else name
  taken = any(variable.op.name == full_name
              for variable in tf.compat.v1.global_variables())
  if taken and not scope.reuse:
    return tf.compat.v1.variable_scope(
        None, default_name="nonstationary_linear_distribution")
  return tf.compat.v1.variable_scope(scope)


def _padded_ta(tensors):
  """A TensorArray of Tensors, padded with zeros to a common shape."""
  shape = np.max([x.shape.as_list() for x in tensors], axis=0)
  missing = [shape - x.shape.as_list() for x in tensors]
  # Of a thousand Tensors most already have the shape.
  padded = tf.stack([
      tf.pad(x, [[0, size] for size in sizes]) if sizes.any() else x
      for x, sizes in zip(tensors, missing)])
  ta = tf.TensorArray(padded.dtype, len(tensors),
                      clear_after_read=False).unstack(padded)
  ta.mark_used()  # Calls with ints do not read it.
  return ta
