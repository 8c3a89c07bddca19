"""The training loop that all models share: steps, checkpoints, signals."""

import contextlib

from absl import logging
import tensorflow as tf

from fivo import bounds
from fivo.cluster import member as cluster_member
from fivo.cluster import servers as cluster
from fivo.cluster import state as cluster_state
from fivo.cluster import watch as cluster_watch
from fivo.config import config as config_lib
from fivo.data import batching
from fivo.logdir import checkpoints
from fivo.logdir import locks
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.system import faults
from fivo.system import files
from fivo.system import sessions
from fivo.system import signals
from fivo.training import hooks as hooks_lib
from fivo.training import optimization
from fivo.training import validation


def begin(config):
  """What a training run does before it builds a graph.

  Args:
    config: A configuration, see `config.from_object`.

  Returns:
    A `Config`, complete, checked, aware of the step it resumes at, and of its
    server if it is of a cluster.

  Raises:
    UserError: If the configuration is wrong, or the logdir holds a run whose
      checkpoints are all damaged.
  """
  config = config_lib.resolve(config, log_changes=True)
  config_lib.validate(config, "train")
  config = cluster.join(config)
  # Only the chief judges the logdir; others may look while it writes.
  path = (checkpoints.to_resume(config.logdir) if config.task == 0 else
          checkpoints.latest(config.logdir, warn=False))
  return config._replace(start_step=checkpoints.step(path))


def is_finished(config, step):
  """Whether a run has nothing left to do, which is logged.

  Args:
    config: A `Config`.
    step: The step of the run's newest checkpoint, 0 if there is none.

  Returns:
    A bool.
  """
  stopped_step = validation_record.stopped_step(config)
  if step and stopped_step is not None:
    logging.info(
        "Stopped early at step %d: nothing to do; a larger "
        "--early_stop_patience than %d goes on.", stopped_step,
        config.early_stop_patience)
    return True
  if step < config.max_steps or validation.is_due(config, step):
    return False
  logging.info("Already at step %d of --max_steps=%d: nothing to do.", step,
               config.max_steps)
  return True


def create_bound(config, model, observations, lengths, **kwargs):
  """The bound that a configuration asks for.

  Args:
    config: A `Config`.
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`.
    lengths: An int Tensor `[B]`.
    **kwargs: Passed on to `bounds.create_bound`.

  Returns:
    A `bounds.FIVOBound`.
  """
  return bounds.create_bound(
      config.bound, model, observations, lengths,
      num_samples=config.num_samples,
      resampling_type=config.resampling_type,
      relaxed_resampling_temperature=config.relaxed_resampling_temperature,
      parallel_iterations=config.parallel_iterations,
      random_seed=config_lib.noise_seed(config), **kwargs)


def device_setter(config):
  """Places variables on the parameter servers, where there are any."""
  return tf.device(tf.compat.v1.train.replica_device_setter(
      ps_tasks=config.ps_tasks,
      worker_device=cluster.device(config.job_name, config.task)
      if config.job_name else "/job:worker"))


def train(config, train_op, log_tensors, log_line, validator=None, hooks=()):
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
    validator: None, or the `validation.Validator` of a run with `eval_every`.
    hooks: More SessionRunHooks.

  Raises:
    UserError: If a checkpoint does not fit the model, the bound is not finite,
      the logdir cannot be written, or another process of the cluster is gone.
    SystemExit: After Ctrl-C or SIGTERM, with the usual exit code.
  """
  path = checkpoints.latest(config.logdir, warn=config.task == 0)
  if is_finished(config, checkpoints.step(path)):
    return
  is_chief = config.task == 0
  if path is not None and is_chief:
    checkpoints.check_compatible(path, tf.compat.v1.global_variables())
  with signals.catch_signals() as caught:
    place = (cluster_member.Member(config, caught) if config.job_name else
             _Alone(config, path, caught))
    steps = _Steps(config, place, train_op, log_tensors, log_line, caught)
    with place.device():
      scaffold = tf.compat.v1.train.Scaffold(
          saver=tf.compat.v1.train.Saver(
              optimization.names_in_checkpoints(), save_relative_paths=True))
    all_hooks = _create_hooks(
        config, scaffold, is_chief, checkpoints.step(path) if path else None,
        place.on_saved)
    if validator is not None:
      all_hooks.append(validation.ValidationHook(
          validator, config.eval_every, all_hooks[0], caught))
    all_hooks.extend(hooks)
    outcome = cluster_state.FAILED if is_chief else None
    try:
      steps.take(scaffold, all_hooks)
      outcome = None if caught else cluster_state.FINISHED
    except cluster_member.TrainingOverError:
      logging.info("Training is over.")
    except tf.errors.InvalidArgumentError as e:
      raise (_explain_non_finite(e, config, steps.last) or
             batching.find_user_error(e) or e) from e
    finally:
      place.leave(None if caught else outcome)
  if caught:
    raise SystemExit(128 + caught[0])


class _Steps(object):
  """The steps of a training run.

  Attributes:
    last: The global step after the last step that was taken, or None.
  """

  def __init__(self, config, place, train_op, log_tensors, log_line, caught):
    """Creates the ops of a step; for arguments see `train`.

    Args:
      config: A `Config`.
      place: An `_Alone` or a `cluster_member.Member`.
      train_op: An op that takes one step.
      log_tensors: A dict of scalar Tensors to log.
      log_line: A callable `(step, values) -> str`.
      caught: A list that receives the numbers of signals.
    """
    self._config = config
    self._place = place
    self._log_line = log_line
    self._caught = caught
    self.last = None
    global_step = tf.compat.v1.train.get_or_create_global_step()
    # The step is read after the update, and where the update takes place, so
    # that the two never disagree.
    with tf.control_dependencies([train_op]):
      with tf.compat.v1.colocate_with(global_step):
        step_after = global_step.read_value()
    self._fetches = [step_after, log_tensors]

  def take(self, scaffold, hooks):
    """Takes steps until the last, the end of the data, or a signal.

    Args:
      scaffold: A Scaffold.
      hooks: A list of SessionRunHooks.
    """
    while True:
      try:
        with self._place.open(scaffold, hooks) as session:
          self._take_in_session(session)
        break
      except self._place.preemptions as e:
        self._place.recover(e)
    if not (self._caught or self.last >= self._place.stop_step or
            validation_record.stopped_step(self._config) is not None):
      logging.info("The data ended at step %d.", self.last)

  def _take_in_session(self, session):
    """Takes steps in one session."""
    place, config = self._place, self._config
    self.last = place.before_first_step(
        session, session.run_step_fn(_read_global_step))
    is_first = True
    while not (self._caught or self.last >= place.stop_step or
               session.should_stop()):
      before = self.last
      self.last, values = session.run(self._fetches)
      # Other workers may have taken steps in between.
      if is_first or self.last >= config.max_steps or (
          (self.last - 1) // config.summarize_every >
          (before - 1) // config.summarize_every):
        logging.info("%s", self._log_line(self.last, values))
      is_first = False
      self.last = place.after_step(session, self.last)
    if self._caught:
      logging.info("Stopped by signal %d at step %d.", self._caught[0],
                   self.last)


class _Alone(object):
  """The place of a process that trains alone, or with servers of the user's.

  It has what `cluster_member.Member` has.
  """

  preemptions = ()
  on_saved = None

  def __init__(self, config, path, caught):
    """Creates the place.

    Args:
      config: A `Config`.
      path: The checkpoint to resume from, or None.
      caught: A list that receives the numbers of signals.
    """
    self._config = config
    self._path = path
    self._caught = caught
    self.stop_step = config.max_steps

  def device(self):
    return tf.device(None)

  def open(self, scaffold, hooks):
    """Opens a MonitoredSession."""
    config = self._config
    if config.master:
      cluster_watch.wait_for_master(config, self._caught)
    if config.task == 0:
      creator = tf.compat.v1.train.ChiefSessionCreator(
          scaffold, master=config.master,
          config=sessions.options(),
          checkpoint_filename_with_path=self._path)
    else:
      creator = tf.compat.v1.train.WorkerSessionCreator(
          scaffold, master=config.master, config=sessions.options())
      if config.stagger_workers:
        hooks = hooks + [tf.compat.v1.train.GlobalStepWaiterHook(
            config.task * cluster.STEPS_OF_STAGGER)]
    return tf.compat.v1.train.MonitoredSession(creator, hooks=hooks)

  def before_first_step(self, unused_session, step):
    return step

  def after_step(self, unused_session, step):
    return step

  def leave(self, outcome):
    pass


def _read_global_step(step_context):
  """Reads the global step without running the hooks of a training step."""
  return step_context.session.run(tf.compat.v1.train.get_global_step())


def _create_hooks(config, scaffold, is_chief, restored_step, on_saved):
  """What happens between steps: checkpoints, summaries, speed."""
  if not is_chief:
    return []
  return [
      hooks_lib.CheckpointHook(
          config.logdir, config.save_checkpoint_secs, scaffold,
          restored_step=restored_step, on_saved=on_saved),
      tf.compat.v1.train.StepCounterHook(
          every_n_steps=config.summarize_every, output_dir=config.logdir),
      tf.compat.v1.train.SummarySaverHook(
          save_steps=config.summarize_every, output_dir=config.logdir,
          scaffold=scaffold),
  ]


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
  if config.task != 0:
    yield
    return
  files.prepare_directory("logdir", config.logdir)
  with faults.naming_flag("logdir", config.logdir):
    with locks.training_lock(config.logdir) as is_held:
      if is_held:
        checkpoints.remove_leftovers(config.logdir)
      yield
