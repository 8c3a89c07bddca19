"""A conditional distribution with parameters of its own at every timestep."""

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.models import per_timestep
from fivo.system import errors

_INITIALIZED = ("w", "b")


class NonstationaryLinearDistribution(object):
  """A diagonal distribution, linear in its inputs, that changes with time.

  At timestep t, given inputs `[inputs_t, batch]`, the distribution has

      loc = w_t^T inputs + b_t,
      scale = sqrt(max(exp(log_variance_t), variance_min)).

  It can express the exact filtering and smoothing proposals of a linear
  Gaussian model, whose coefficients differ from step to step near the ends
  (Maddison et al., Filtering Variational Objectives, 2017, section 5.1).

  The variables are made by the constructor, in the current variable scope:
  `proposal_w_<t>` `[inputs_t, outputs_t]`, `proposal_b_<t>` `[outputs_t]` and
  `proposal_log_variance_<t>` `[outputs_t]`. If the scope has them already, and
  is not set to reuse them, those of the new distribution go into a scope of
  their own.

  Attributes:
    mean_weights: The w_t, a list of T variables.
    mean_biases: The b_t likewise.
    log_variances: Likewise.
  """

  def __init__(self, num_timesteps, inputs_per_timestep=None,
               outputs_per_timestep=None, initializers=None, variance_min=0.0,
               output_distribution=tfp.distributions.Normal, dtype=tf.float32):
    """Creates the variables.

    Args:
      num_timesteps: T, a positive int.
      inputs_per_timestep: T positive ints, the number of inputs of each step.
        Defaults to ones.
      outputs_per_timestep: T positive ints, the dimension of the random
        variable at each step. Defaults to ones.
      initializers: None, or a dict with initializers for "w" (default Xavier)
        and "b" (default zeros), which is that of the log variances too.
      variance_min: The smallest variance, a nonnegative float or scalar Tensor.
      output_distribution: A callable that makes a distribution of `loc`
        `[outputs_t, batch]` and `scale` `[outputs_t, 1]`, given by name.
      dtype: The float dtype of the variables.

    Raises:
      UserError: If an argument is none of these.
    """
    self._num_timesteps = per_timestep.positive_int(
        "num_timesteps", num_timesteps)
    self._num_inputs = self._sizes("inputs_per_timestep", inputs_per_timestep)
    self._num_outputs = self._sizes(
        "outputs_per_timestep", outputs_per_timestep)
    if not tf.is_tensor(variance_min) and not variance_min >= 0:
      raise errors.UserError(
          "variance_min=%s: must be at least 0" % variance_min)
    self._variance_min = variance_min
    self._output_distribution = output_distribution
    self._dtype = per_timestep.float_dtype(dtype)
    self._create_variables(initializers)
    # A loop can read the parameters of any step from these. Reading a row of a
    # TensorArray has a gradient of that row; gathering it from one large
    # Tensor would accumulate gradients of all T rows at each of T steps.
    self._weight_ta = _padded_ta(
        self.mean_weights, [max(self._num_inputs), max(self._num_outputs)])
    self._bias_ta = _padded_ta(self.mean_biases, [max(self._num_outputs)])
    self._log_variance_ta = _padded_ta(
        self.log_variances, [max(self._num_outputs)])

  @property
  def num_timesteps(self):
    """T, an int."""
    return self._num_timesteps

  def __call__(self, t, inputs):
    """The distribution at timestep t.

    Args:
      t: The timestep, an int from 0 to T - 1, or a scalar integer Tensor,
        maybe inside a `tf.while_loop`.
      inputs: A float Tensor `[inputs_t, batch]`. If t is a Tensor, rows that
        are missing count as zeros; those beyond `inputs_t`, up to the largest
        number of inputs of any step, have no influence but must be finite.

    Returns:
      An `output_distribution` of batch shape `[outputs_t, batch]`.

    Raises:
      UserError: If t is an int out of range, or an int with another number of
        inputs than that step takes.
    """
    inputs = tf.convert_to_tensor(inputs, dtype=self._dtype)
    if tf.is_tensor(t):
      inputs = self._pad_inputs(inputs)
      weights, bias, log_variance = self._read_parameters(t)
    else:
      t = self._check_step(t, inputs)
      weights = self.mean_weights[t]
      bias = self.mean_biases[t]
      log_variance = self.log_variances[t]
    loc = tf.matmul(weights, inputs, transpose_a=True) + bias[:, tf.newaxis]
    variance = tf.exp(log_variance)
    if tf.is_tensor(self._variance_min) or self._variance_min:
      variance = tf.maximum(variance, self._variance_min)
    return self._output_distribution(
        loc=loc, scale=tf.sqrt(variance)[:, tf.newaxis])

  def _sizes(self, name, sizes):
    """Checks the sizes of the steps: T positive ints."""
    if sizes is None:
      return [1] * self._num_timesteps
    sizes = [per_timestep.positive_int(name, size) for size in sizes]
    if len(sizes) != self._num_timesteps:
      raise errors.UserError(
          "%s has %d entries: must have one for each of %d timesteps" % (
              name, len(sizes), self._num_timesteps))
    return sizes

  def _create_variables(self, initializers):
    """Creates the variables of every timestep."""
    initializers = dict(initializers or {})
    for name in sorted(set(initializers) - set(_INITIALIZED)):
      raise errors.UserError(
          "initializers has the key %r: must be among %s" % (
              name, ", ".join(_INITIALIZED)))
    initializers.setdefault("w", tf.compat.v1.initializers.glorot_uniform())
    initializers.setdefault("b", tf.compat.v1.initializers.zeros())
    with _fresh_variable_scope("proposal_w_0"):
      self.mean_weights = [
          self._variable("w", t, [num_inputs, num_outputs], initializers["w"])
          for t, (num_inputs, num_outputs) in enumerate(
              zip(self._num_inputs, self._num_outputs))]
      self.mean_biases = [
          self._variable("b", t, [num_outputs], initializers["b"])
          for t, num_outputs in enumerate(self._num_outputs)]
      self.log_variances = [
          self._variable("log_variance", t, [num_outputs], initializers["b"])
          for t, num_outputs in enumerate(self._num_outputs)]

  def _variable(self, kind, t, shape, initializer):
    return tf.compat.v1.get_variable(
        "proposal_%s_%d" % (kind, t), shape=shape, dtype=self._dtype,
        initializer=initializer)

  def _check_step(self, t, inputs):
    """Checks a timestep known now, and its inputs."""
    if not 0 <= t < self._num_timesteps:
      raise errors.UserError("t=%d: must be from 0 to %d" % (
          t, self._num_timesteps - 1))
    num_rows = tf.compat.dimension_value(inputs.shape[0])
    if num_rows not in (None, self._num_inputs[t]):
      raise errors.UserError("inputs has %d rows at t=%d: must have %d" % (
          num_rows, t, self._num_inputs[t]))
    return t

  def _pad_inputs(self, inputs):
    """Pads inputs to `[max_inputs, batch]`, as the padded weights are."""
    num_rows = max(self._num_inputs)
    if tf.compat.dimension_value(inputs.shape[0]) == num_rows:
      return inputs
    padded = tf.pad(
        inputs, [[0, num_rows - tf.shape(inputs)[0]], [0, 0]])
    padded.set_shape([num_rows, inputs.shape[1]])
    return padded

  def _read_parameters(self, t):
    """The weights (padded with rows of zeros), bias and log variance."""
    weights = self._weight_ta.read(t)
    bias = self._bias_ta.read(t)
    log_variance = self._log_variance_ta.read(t)
    if len(set(self._num_outputs)) > 1:
      num_outputs = tf.gather(self._num_outputs, t)
      weights = weights[:, :num_outputs]
      bias = bias[:num_outputs]
      log_variance = log_variance[:num_outputs]
    return weights, bias, log_variance


def _fresh_variable_scope(name):
  """The current variable scope, or one inside it where a variable is free.

  Checkpoints know variables by name, so that the first of several
  distributions in a graph keeps the plain names.

  Args:
    name: A variable's name.

  Returns:
    A context manager.
  """
  scope = tf.compat.v1.get_variable_scope()
  full_name = scope.name + "/" + name if scope.name else name
  taken = any(variable.op.name == full_name
              for variable in tf.compat.v1.global_variables())
  if taken and not scope.reuse:
    return tf.compat.v1.variable_scope(
        None, default_name="nonstationary_linear_distribution")
  return tf.compat.v1.variable_scope(scope)


def _padded_ta(tensors, shape):
  """Pads Tensors with zeros to one shape, in a TensorArray for a loop."""
  padded = tf.stack([_padded(tensor, shape) for tensor in tensors])
  ta = tf.TensorArray(padded.dtype, len(tensors),
                      clear_after_read=False).unstack(padded)
  # Unused it is no mistake: a model may be called with ints only.
  ta.mark_used()
  return ta


def _padded(tensor, shape):
  """Pads a Tensor with zeros; of a thousand most have the shape already."""
  missing = np.subtract(shape, tensor.shape.as_list())
  if not missing.any():
    return tensor
  return tf.pad(tensor, [[0, size] for size in missing])
