"""The training loop that all models share: steps, checkpoints, signals."""

import contextlib
import signal
import threading

from absl import logging
import tensorflow as tf

from fivo import bounds
from fivo import checkpoints
from fivo import config as config_lib
from fivo import errors
from fivo import faults
from fivo import files
from fivo import hooks as hooks_lib
from fivo import locks
from fivo.data import batching

_STEPS_OF_STAGGER = 1000


def begin(config):
  """What a training run does before it builds a graph.

  Args:
    config: A configuration, see `config.from_object`.

  Returns:
    A `Config`, complete, checked, and aware of the step it resumes at.

  Raises:
    UserError: If the configuration is wrong, or the logdir holds a run whose
      checkpoints are all damaged.
  """
  config = config_lib.resolve(config, log_changes=True)
  config_lib.validate(config, "train")
  return config._replace(
      start_step=checkpoints.step(checkpoints.to_resume(config.logdir)))


def create_bound(config, model, observations, lengths):
  """The bound that a configuration asks for.

  Args:
    config: A `Config`.
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`.
    lengths: An int Tensor `[B]`.

  Returns:
    A `bounds.FIVOBound`.
  """
  return bounds.create_bound(
      config.bound, model, observations, lengths,
      num_samples=config.num_samples,
      resampling_type=config.resampling_type,
      relaxed_resampling_temperature=config.relaxed_resampling_temperature,
      parallel_iterations=config.parallel_iterations,
      random_seed=config_lib.noise_seed(config))


def create_train_op(loss, bound_name, learning_rate, clip_gradient_norm=None):
  """Makes the op that takes one step of Adam.

  No step is taken unless the loss and its whole gradient are finite, so the
  variables never hold a NaN.

  Args:
    loss: A scalar float Tensor.
    bound_name: The bound's name, for error messages.
    learning_rate: A float.
    clip_gradient_norm: None, or the largest norm of the gradient by all
      variables together: a longer one is scaled down to it, see
      `_clip_by_global_norm`.

  Returns:
    An op that updates the variables and increments the global step.

  Raises:
    UserError: If no trainable variable has a gradient.
  """
  global_step = tf.compat.v1.train.get_or_create_global_step()
  variables = tf.compat.v1.trainable_variables()
  optimizer = tf.compat.v1.train.AdamOptimizer(learning_rate)
  grads_and_vars = [
      (gradient, variable) for gradient, variable in
      optimizer.compute_gradients(loss, var_list=variables)
      if gradient is not None] if variables else []
  if not grads_and_vars:
    raise errors.UserError(
        "the model has nothing to train: no variable that its bound depends on")
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
    return optimizer.apply_gradients(grads_and_vars, global_step=global_step)


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


def device_setter(config):
  """Places variables on the parameter servers, where there are any."""
  return tf.device(tf.compat.v1.train.replica_device_setter(
      ps_tasks=config.ps_tasks))


def train(config, train_op, log_tensors, log_line):
  """Trains until the global step is `config.max_steps`.

  Resumes from the newest checkpoint of the logdir, and leaves one behind on
  every way out that a process can notice: the last step, the end of the data,
  Ctrl-C and SIGTERM.

  Args:
    config: A `Config`.
    train_op: An op that takes one step and increments the global step.
    log_tensors: A dict of scalar Tensors to log.
    log_line: A callable `(step, values) -> str`, the line to log for a step,
      given the values of `log_tensors`.

  Raises:
    UserError: If a checkpoint does not fit the model, the bound is not finite,
      or the logdir cannot be written.
    SystemExit: After Ctrl-C or SIGTERM, with the usual exit code.
  """
  path = checkpoints.latest(config.logdir)
  if checkpoints.step(path) >= config.max_steps:
    logging.info("Already at step %d of --max_steps=%d: nothing to do.",
                 checkpoints.step(path), config.max_steps)
    return
  is_chief = config.task == 0
  if path is not None and is_chief:
    checkpoints.check_compatible(path, tf.compat.v1.global_variables())
  # The step is read after the update, so that the two never disagree.
  with tf.control_dependencies([train_op]):
    step_after = tf.compat.v1.train.get_or_create_global_step().read_value()
  scaffold = tf.compat.v1.train.Scaffold(
      saver=tf.compat.v1.train.Saver(save_relative_paths=True))
  if is_chief:
    session_creator = tf.compat.v1.train.ChiefSessionCreator(
        scaffold, master=config.master, checkpoint_filename_with_path=path)
  else:
    session_creator = tf.compat.v1.train.WorkerSessionCreator(
        scaffold, master=config.master)
  hooks = _create_hooks(
      config, scaffold, is_chief, checkpoints.step(path) if path else None)
  step = None
  with catch_signals() as caught:
    try:
      with tf.compat.v1.train.MonitoredSession(
          session_creator, hooks=hooks) as session:
        step = session.run_step_fn(_read_global_step)
        first = step + 1
        while not (caught or step >= config.max_steps or session.should_stop()):
          step, values = session.run([step_after, log_tensors])
          if (step in (first, config.max_steps) or
              (step - 1) % config.summarize_every == 0):
            logging.info("%s", log_line(step, values))
        if caught:
          logging.info("Stopped by signal %d at step %d.", caught[0], step)
      if not caught and step < config.max_steps:
        logging.info("The data ended at step %d.", step)
    except tf.errors.InvalidArgumentError as e:
      raise (_explain_non_finite(e, config, step) or
             batching.find_user_error(e) or e) from e
  if caught:
    raise SystemExit(128 + caught[0])


def _read_global_step(step_context):
  """Reads the global step without running the hooks of a training step."""
  return step_context.session.run(tf.compat.v1.train.get_global_step())


def _create_hooks(config, scaffold, is_chief, restored_step):
  """What happens between steps: checkpoints, summaries, speed, staggering."""
  hooks = []
  if is_chief:
    hooks = [
        hooks_lib.CheckpointHook(
            config.logdir, config.save_checkpoint_secs, scaffold,
            restored_step=restored_step),
        tf.compat.v1.train.StepCounterHook(
            every_n_steps=config.summarize_every, output_dir=config.logdir),
        tf.compat.v1.train.SummarySaverHook(
            save_steps=config.summarize_every, output_dir=config.logdir,
            scaffold=scaffold),
    ]
  elif config.stagger_workers:
    hooks = [tf.compat.v1.train.GlobalStepWaiterHook(
        config.task * _STEPS_OF_STAGGER)]
  return hooks


def _explain_non_finite(error, config, last_step):
  """Turns a failed check of finiteness into one line.

  Args:
    error: An InvalidArgumentError.
    config: A `Config`.
    last_step: The last step that was taken, or None.

  Returns:
    A NonFiniteError, or None if the error has another cause.
  """
  message = error.message.splitlines()[0]
  for kind in ("NaN", "Inf"):
    culprit, found, _ = message.partition(" : Tensor had %s" % kind)
    if found:
      saved = checkpoints.latest(config.logdir)
      return NonFiniteError(
          "%s is %s at step %d; the last checkpoint is %s; a lower "
          "--learning_rate than %g may help" % (
              culprit, kind, (last_step or 0) + 1, saved, config.learning_rate))
  return None


class NonFiniteError(errors.UserError):
  """The bound or its gradient is not finite."""


@contextlib.contextmanager
def catch_signals(signals=(signal.SIGINT, signal.SIGTERM)):
  """Holds back Ctrl-C and SIGTERM until the current step is done.

  A second signal acts at once. Outside the main thread, where Python allows no
  handlers, signals keep their usual effect.

  Args:
    signals: The signals to hold back.

  Yields:
    A list that receives the number of the signal caught.
  """
  caught = []
  if threading.current_thread() is not threading.main_thread():
    yield caught
    return
  previous = {}

  def restore():
    while previous:
      signal.signal(*previous.popitem())

  def handle(number, unused_frame):
    caught.append(number)
    restore()

  for number in signals:
    previous[number] = signal.signal(number, handle)
  try:
    yield caught
  finally:
    restore()


@contextlib.contextmanager
def owning_logdir(config):
  """Makes the logdir the chief's to train in while the block runs.

  Args:
    config: A `Config`.

  Yields:
    Nothing.

  Raises:
    UserError: If another process trains there, or the logdir cannot be written
      to, at first or later.
  """
  files.prepare_directory("logdir", config.logdir)
  with faults.naming_flag("logdir", config.logdir):
    if config.task != 0:
      yield
      return
    with locks.training_lock(config.logdir) as is_held:
      if is_held:
        checkpoints.remove_leftovers(config.logdir)
      yield
