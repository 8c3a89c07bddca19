"""A training run of any model, from its configuration to its last step.

A `Family` holds the differences between kinds of models: `runners.py` has that
of the recurrent models, `ghmm_runners.py` that of the Gaussian HMM.
"""

import abc
import contextlib
from typing import Any
from typing import NamedTuple
from typing import Sequence

import tensorflow as tf

from fivo.cluster import process as process_lib
from fivo.config import config as config_lib
from fivo.config import stored
from fivo.data import feeding
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.training import optimization
from fivo.training import steps


class Objective(NamedTuple):
  """The objective that a training run maximizes."""

  value: Any  # A scalar float Tensor, in nats.
  log_values: Any  # Nested scalar Tensors.
  log_line: Any = None  # A function of a step and of `log_values`.
  # Pairs of a gradient of minus `value` and a variable; None: computed later.
  grads_and_vars: Any = None
  hooks: Sequence = ()  # SessionRunHooks of the training session.
  num_timesteps: Any = None  # Of the batch's data, a scalar Tensor.


class Family(abc.ABC):
  """A kind of model, as training uses it; all methods take a `Config`."""

  own_names = False  # See `Config.own_names`.

  def create_validator(self, unused_config, unused_directory):
    """Creates the `Validator` of a run in a `RunDirectory`, or None."""
    return None

  @abc.abstractmethod
  def create(self, config):
    """Creates the model, nested Tensors of the next batch, and the data's mean.

    It seeds the default graph first. The mean, a float Tensor or array `[D]` or
    None, is kept with the run.
    """

  def config_to_keep(self, config):
    """The configuration for the logdir, once `create` has been called."""
    return config

  @abc.abstractmethod
  def objective(self, config, model, batch):
    """The `Objective` of a model and a batch from `create`, or placeholders."""


def train(source, family):
  """Trains a model of a `Family`, see `runners.run_train`."""
  config, directory, process = begin(source, family.own_names)
  if steps.is_finished(config, directory, config.start_step, process.is_chief):
    if (process.is_chief and config.export_best and
        directory.best_is_outdated()):
      with directory.reserved():
        directory.repair_best()
    return
  if process.is_chief:
    directory.check()  # Before work is done.
    if config.export_best:
      directory.check_best()
  with tf.Graph().as_default():
    with process.placing_variables():
      model, batch, train_mean = family.create(config)
      feeders = []
      if process.feeds_server:
        feeders = [feeding.Feeder(
            lambda: family.create(config)[1], config.random_seed)]
        batch = feeders[0].placeholders
      objective = family.objective(config, model, batch)
      optimizer = optimization.Optimizer(
          config.learning_rate, config.clip_gradient_norm,
          config.average_variables, config.learning_rate_schedule,
          config.schedule_steps)
      train_op = optimizer.minimize(
          -objective.value, config.bound, objective.grads_and_vars)
    # After the training data, whose faults are not those of the valid split.
    validator = (family.create_validator(config, directory)
                 if process.is_chief else None)
    if train_mean is not None:  # None where it is not constant.
      train_mean = tf.get_static_value(tf.convert_to_tensor(train_mean))
    with contextlib.ExitStack() as stack:
      if process.is_chief:
        stack.enter_context(directory.reserved())
        stored.save(family.config_to_keep(config), train_mean)
      steps.train(
          config, directory, process, train_op, objective, validator, feeders)


def begin(source, own_names=False):
  """Begins a run: joins its cluster, and resumes from its logdir.

  Returns its `Config`, its `RunDirectory` and this `Process`.
  """
  config = config_lib.resolve_and_log(source, "train", own_names)
  directory = run_directory.RunDirectory(config.logdir)
  process = process_lib.Process(
      config.cluster, config.master, config.task, config.ps_tasks,
      config.cluster_timeout_secs)
  # Only the chief complains about the logdir; others may read while it writes.
  path = (directory.checkpoint_to_resume() if process.is_chief else
          directory.latest(warn=False))
  return config._replace(random_seed=config.process_seed,
                         start_step=checkpoints.step(path)), directory, process
