"""The op that takes a training step."""

import tensorflow as tf

from fivo.system import charts
from fivo.system import errors

# What a schedule leaves of the learning rate at its end.
_LAST_RATE = 0.01
# What TensorFlow appends to a variable's name for its average's.
_AVERAGE = "/ExponentialMovingAverage"


def compute_gradients(loss, variables=None):
  """The gradients of a loss by all variables that it depends on.

  Args:
    loss: A scalar float Tensor.
    variables: The variables to look at; None: all that are trainable.

  Returns:
    A list of pairs of gradients and trainable variables.

  Raises:
    UserError: If no trainable variable has a gradient.
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


def scheduled_learning_rate(config):
  """The learning rate at the present step.

  `cosine` is the annealing of Loshchilov & Hutter, SGDR, 2017, equation 5,
  without restarts, from the learning rate down to a hundredth of it.

  Args:
    config: A `Config`.

  Returns:
    A float; a scalar float32 Tensor where there is a schedule.
  """
  if config.learning_rate_schedule == "constant":
    return config.learning_rate
  global_step = tf.compat.v1.train.get_or_create_global_step()
  return tf.compat.v1.train.cosine_decay(
      config.learning_rate, global_step, config.schedule_steps,
      alpha=_LAST_RATE)


def create_train_op(loss, bound_name, learning_rate, clip_gradient_norm=None,
                    grads_and_vars=None, average_decay=None, is_counted=True):
  """Makes the op that takes one step of Adam.

  No step is taken unless the loss and its whole gradient are finite, so the
  variables never hold a NaN.

  Args:
    loss: A scalar float Tensor.
    bound_name: The bound's name, for error messages.
    learning_rate: A float, or a scalar Tensor.
    clip_gradient_norm: None, or the largest norm of the gradient by all
      variables together: a longer one is scaled down to it, see
      `_clip_by_global_norm`.
    grads_and_vars: What `compute_gradients` gives, where it has been called
      already.
    average_decay: None, or the decay of the variables' averages, see
      `names_in_checkpoints`. The first steps count for less: the decay is at
      most (1 + step) / (10 + step).
    is_counted: Whether the step increments the global step, and has charts.

  Returns:
    An op that updates the variables.

  Raises:
    UserError: If no trainable variable has a gradient.
  """
  global_step = tf.compat.v1.train.get_or_create_global_step()
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
    if clip_gradient_norm is not None:
      grads_and_vars = _clip_by_global_norm(
          grads_and_vars, clip_gradient_norm, bound_name)
    step = optimizer.apply_gradients(
        grads_and_vars, global_step=global_step if is_counted else None)
  if average_decay is None:
    return step
  averages = tf.train.ExponentialMovingAverage(average_decay, global_step)
  with tf.control_dependencies([step]):
    return averages.apply([variable for _, variable in grads_and_vars])


def names_in_checkpoints():
  """What a training session saves and restores under which name.

  Where variables have averages, the two change names, so that whoever reads a
  checkpoint gets the averages for the variables.

  Returns:
    A dict of the default graph's global variables by name.
  """
  variables = {v.op.name: v for v in tf.compat.v1.global_variables()}
  for name in list(variables):
    average = name + _AVERAGE
    if average in variables:
      variables[name], variables[average] = variables[average], variables[name]
  return variables


def _clip_by_global_norm(grads_and_vars, max_norm, bound_name):
  """Scales gradients down to a joint norm.

  With the norm of all gradients together, `n`, each becomes
  `gradient * max_norm / max(n, max_norm)` (Pascanu, Mikolov & Bengio, On the
  difficulty of training recurrent neural networks, 2013, algorithm 1).

  Args:
    grads_and_vars: A list of pairs of finite gradients and variables.
    max_norm: A float above zero.
    bound_name: The bound's name, for error messages.

  Returns:
    A list of pairs of gradients and variables.
  """
  gradients, variables = zip(*grads_and_vars)
  # The squares of finite gradients may overflow, which would make them NaN.
  norm = tf.debugging.check_numerics(
      tf.linalg.global_norm(gradients),
      "the norm of the %s bound's gradient" % bound_name)
  clipped, _ = tf.clip_by_global_norm(gradients, max_norm, use_norm=norm)
  return list(zip(clipped, variables))
