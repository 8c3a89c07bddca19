"""The op that takes a training step."""

import tensorflow as tf

from fivo.evaluation import charts
from fivo.system import errors

# TensorFlow's suffix of the name of a variable's average.
_AVERAGE = "/ExponentialMovingAverage"


def compute_gradients(loss, variables=None):
  """Pairs of a scalar loss's gradient and its variable.

  By default for all trainable variables; one at least must have a gradient.
  """
  if variables is None:
    variables = tf.compat.v1.trainable_variables()
  gradients = tf.gradients(loss, variables) if variables else []
  grads_and_vars = [
      (gradient, variable) for gradient, variable in zip(gradients, variables)
      if gradient is not None]
  if not grads_and_vars:
    raise errors.UserError(
        "the model has nothing to train: no variable that its bound depends on")
  return grads_and_vars


class Optimizer(object):
  """Adam, optionally with a schedule, clipping and averages.

  The schedule is "constant", or "cosine": from `learning_rate` down to a
  hundredth of it in `num_steps` (Loshchilov & Hutter, SGDR, 2017, equation 5,
  without restarts). Gradients are clipped to a global norm of `max_norm`. The
  decay of the variables' moving averages is at most `average_decay` and (1 +
  step) / (10 + step). None: no clipping, no averages.
  """

  def __init__(self, learning_rate, max_norm=None, average_decay=None,
               schedule="constant", num_steps=None):
    self._learning_rate = learning_rate
    self._max_norm = max_norm
    self._average_decay = average_decay
    self._schedule = schedule
    self._num_steps = num_steps

  def minimize(self, loss, bound_name, grads_and_vars=None, is_counted=True):
    """The op that takes one step to minimize a loss, a scalar Tensor.

    It does so only if the loss and its whole gradient are finite, so that
    variables never become NaN. Only a step that is counted increments the
    global step and has charts.
    """
    global_step = tf.compat.v1.train.get_or_create_global_step()
    learning_rate = self.scheduled_rate()
    optimizer = tf.compat.v1.train.AdamOptimizer(learning_rate)
    if grads_and_vars is None:
      grads_and_vars = compute_gradients(loss)
    if is_counted:
      charts.add("training/learning_rate", tf.convert_to_tensor(
          learning_rate, tf.float32))
      charts.add("training/gradient_norm", tf.linalg.global_norm(
          [gradient for gradient, _ in grads_and_vars]))
    loss_check = tf.debugging.check_numerics(loss, "the %s bound" % bound_name)
    with tf.control_dependencies([loss_check]):
      checks = [
          tf.debugging.check_numerics(
              getattr(gradient, "values", gradient),
              "the %s bound's gradient by %s" % (bound_name, variable.op.name))
          for gradient, variable in grads_and_vars]
    with tf.control_dependencies(checks):
      if self._max_norm is not None:
        grads_and_vars = _clip_by_global_norm(
            grads_and_vars, self._max_norm, bound_name)
      step = optimizer.apply_gradients(
          grads_and_vars, global_step=global_step if is_counted else None)
    if self._average_decay is None:
      return step
    averages = tf.train.ExponentialMovingAverage(
        self._average_decay, global_step)
    with tf.control_dependencies([step]):
      return averages.apply([variable for _, variable in grads_and_vars])

  def scheduled_rate(self):
    """The learning rate at the current step, a float or scalar Tensor."""
    if self._schedule == "constant":
      return self._learning_rate
    return tf.compat.v1.train.cosine_decay(
        self._learning_rate, tf.compat.v1.train.get_or_create_global_step(),
        self._num_steps, alpha=0.01)


def _clip_by_global_norm(grads_and_vars, max_norm, bound_name):
  """Scales gradients down to a joint norm of at most `max_norm`."""
  gradients, variables = zip(*grads_and_vars)
  # The squares of finite gradients may overflow, which would make them NaN.
  norm = tf.debugging.check_numerics(
      tf.linalg.global_norm(gradients),
      "the norm of the %s bound's gradient" % bound_name)
  clipped, _ = tf.clip_by_global_norm(gradients, max_norm, use_norm=norm)
  return list(zip(clipped, variables))


def names_in_checkpoints():
  """The default graph's global variables by their names in checkpoints.

  A variable and its average swap names, so that restoring loads the average.
  """
  variables = {v.op.name: v for v in tf.compat.v1.global_variables()}
  for name in list(variables):
    average = name + _AVERAGE
    if average in variables:
      variables[name], variables[average] = variables[average], variables[name]
  return variables
