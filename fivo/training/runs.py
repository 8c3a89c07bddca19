"""A training run of any model, from its configuration to its last step.

What differs between kinds of models is a `Family`: `runners.py` has that of the
recurrent models, `ghmm_runners.py` that of the Gaussian HMM.
"""

import abc
import contextlib
from typing import Any
from typing import NamedTuple
from typing import Sequence

import tensorflow as tf

from fivo.cluster import server
from fivo.config import config as config_lib
from fivo.config import stored
from fivo.data import feeding
from fivo.logdir import best_checkpoint
from fivo.logdir import checkpoints
from fivo.logdir import locks
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.system import files
from fivo.training import optimization
from fivo.training import steps
from fivo.training import validation


class Objective(NamedTuple):
  """What a training run maximizes."""

  value: Any  # A scalar float Tensor, in nats.
  log_values: Any  # Nested scalar Tensors.
  log_line: Any = None  # A function of a step and of `log_values`.
  # Pairs of a gradient of minus `value` and a variable; None: made from it.
  grads_and_vars: Any = None
  hooks: Sequence = ()  # SessionRunHooks of the training session.
  num_timesteps: Any = None  # Of the batch's data, a scalar Tensor.


class Family(abc.ABC):
  """What a kind of model brings to training; all methods take a `Config`."""

  own_names = False  # See `Config.own_names`.

  def create_validator(self, unused_config):
    """Gives the `validation.Validator` of a run, or None."""
    return None

  @abc.abstractmethod
  def create(self, config):
    """Gives the model, nested Tensors of the next batch, and the data's mean.

    It seeds the default graph first. The mean, a float Tensor or array `[D]` or
    None, is kept with the run.
    """

  def config_to_keep(self, config):
    """The configuration for the logdir, once `create` has been called."""
    return config

  @abc.abstractmethod
  def objective(self, config, model, batch):
    """The `Objective` of what `create` gave, or of placeholders for a batch."""


def train(source, family):
  """Trains a model of a `Family`, see `runners.run_train`."""
  config = begin(source, family.own_names)
  if validation_record.is_finished(config, config.start_step):
    if validation.missed_best(config) is not None:
      with owning_logdir(config):
        validation.mend_best(config)
    return
  if config.task == 0:
    # Before work is done.
    files.check_directory(
        "logdir", config.logdir, [stored.FILE_NAME, "checkpoint"])
    if config.export_best:
      best_checkpoint.check(config.logdir)
  validator = family.create_validator(config)
  with tf.Graph().as_default():
    with device_setter(config):
      model, batch, train_mean = family.create(config)
      feeders = []
      if config.master and not config.job_name:  # A server of the user's.
        feeders = [feeding.Feeder(
            lambda: family.create(config)[1], config.random_seed)]
        batch = feeders[0].placeholders
      objective = family.objective(config, model, batch)
      train_op = optimization.create_train_op(
          -objective.value, config.bound,
          optimization.scheduled_learning_rate(
              config.learning_rate, config.learning_rate_schedule,
              config.schedule_steps),
          config.clip_gradient_norm, objective.grads_and_vars,
          config.average_variables)
    if train_mean is not None:  # None where it is not constant.
      train_mean = tf.get_static_value(tf.convert_to_tensor(train_mean))
    with owning_logdir(config):
      if config.task == 0:
        stored.save(family.config_to_keep(config), train_mean)
      steps.train(
          config, train_op, objective.log_values, objective.log_line, validator,
          list(objective.hooks) + feeders, objective.num_timesteps)


def begin(source, own_names=False):
  """The `Config` of a run that joins its cluster and resumes its logdir."""
  config = server.join(config_lib.enter(source, "train", own_names))
  # Only the chief judges the logdir; others may look while it writes.
  path = (checkpoints.to_resume(config.logdir) if config.task == 0 else
          checkpoints.latest(config.logdir, warn=False))
  return config._replace(checkpoint=path, start_step=checkpoints.step(path))


def device_setter(config):
  """Places variables on the parameter servers, where there are any."""
  return tf.device(tf.compat.v1.train.replica_device_setter(
      ps_tasks=config.ps_tasks,
      worker_device=server.device(config.job_name, config.task)
      if config.cluster else "/job:worker"))


@contextlib.contextmanager
def owning_logdir(config):
  """Makes the logdir the chief's to train in while the block runs."""
  if config.task != 0:
    yield
    return
  files.prepare_directory("logdir", config.logdir)
  with errors.writing_to("logdir", config.logdir):
    with locks.training_lock(config.logdir):
      yield
