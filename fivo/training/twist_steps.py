"""Steps of the classifier that learns a twist, between steps on the bound."""

import tensorflow as tf

from fivo import twists
from fivo.evaluation import charts
from fivo.system import errors
from fivo.training import optimization


def learn_by_density_ratio(config, model, objective, simulate, num_steps):
  """Trains the twist by a classifier, and all other variables by the bound.

  Given the model, with variables, the `runs.Objective` of the bound, and T of
  its batch, returns an objective whose gradients leave out the twist, with a
  hook that takes the twist's steps. `simulate` maps T, a scalar int32 Tensor,
  to sequences drawn from the model, as `twists.density_ratio_loss` takes them.
  """
  variables = tf.compat.v1.trainable_variables()
  twist_variables = [x for x in variables if twists.is_of_twist(x)]
  if not twist_variables:
    raise errors.UserError(
        "--twist=dre: no variable of the model has a name that begins with "
        "twist; give it one, or use --twist=joint")
  num_steps = tf.convert_to_tensor(num_steps)
  num_steps_placeholder = tf.compat.v1.placeholder_with_default(num_steps, [])
  loss = twists.density_ratio_loss(model, *simulate(num_steps_placeholder))
  charts.add("training/twist_loss", loss)
  optimizer = optimization.Optimizer(
      config.learning_rate, config.clip_gradient_norm)
  train_op = optimizer.minimize(
      loss, "density ratio",
      optimization.compute_gradients(loss, twist_variables), is_counted=False)
  hook = TwistHook(train_op, config.twist_steps, config.model_steps,
                   config.start_step, num_steps, num_steps_placeholder)
  return objective._replace(
      grads_and_vars=optimization.compute_gradients(
          -objective.value,
          [x for x in variables if not twists.is_of_twist(x)]),
      hooks=list(objective.hooks) + [hook])


class TwistHook(tf.compat.v1.train.SessionRunHook):
  """Takes `twist_steps` on the twist after every `model_steps` on the bound.

  `num_taken` steps on the bound were taken before; `num_steps` is T of the
  bound's batch, and `num_steps_placeholder` is read by `train_op`.
  """

  def __init__(self, train_op, twist_steps, model_steps, num_taken, num_steps,
               num_steps_placeholder):
    self._train_op = train_op
    self._twist_steps = twist_steps
    self._model_steps = model_steps
    self._num_taken = num_taken
    self._num_steps = num_steps
    self._num_steps_placeholder = num_steps_placeholder

  def before_run(self, run_context):
    """Fetches the length of the bound's batch."""
    return tf.compat.v1.train.SessionRunArgs(self._num_steps)

  def after_run(self, run_context, run_values):
    """Counts a step on the bound, and takes steps on the twist."""
    self._num_taken += 1
    if self._num_taken % self._model_steps == 0:
      for _ in range(self._twist_steps):
        # Fetching the length of a batch would draw one.
        run_context.session.run(
            self._train_op, {self._num_steps_placeholder: run_values.results})
