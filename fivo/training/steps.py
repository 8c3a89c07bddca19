"""The steps of a training run: sessions, checkpoints, signals."""

import tensorflow as tf

from fivo.cluster import member
from fivo.cluster import places
from fivo.cluster import state
from fivo.config import options
from fivo.data import batching
from fivo.logdir import checkpoints
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.system import log
from fivo.system import progress
from fivo.system import signals
from fivo.training import optimization
from fivo.training import saving
from fivo.training import speed
from fivo.training import validation


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
    log.info(
        "Stopped early at step %d: nothing to do; a larger "
        "--early_stop_patience than %d goes on.", stopped_step,
        config.early_stop_patience)
    return True
  if step < config.max_steps or validation.is_due(config, step):
    return False
  log.info("Already at step %d of --max_steps=%d: nothing to do.", step,
           config.max_steps)
  return True


def train(config, train_op, log_tensors, log_line, validator=None, hooks=(),
          num_timesteps=None):
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
    num_timesteps: None, or a scalar int Tensor, the number of timesteps of data
      in the batch of a step.

  Raises:
    UserError: If a checkpoint does not fit the model, the bound is not finite,
      the logdir cannot be written, or another process of the cluster is gone.
    SystemExit: After Ctrl-C or SIGTERM, with the usual exit code.
  """
  is_chief = config.task == 0
  path = checkpoints.latest(
      config.logdir, warn=is_chief, known=config.checkpoint)
  if is_finished(config, checkpoints.step(path)):
    return
  if path is not None and is_chief:
    checkpoints.check_compatible(path, tf.compat.v1.global_variables())
  with signals.catch_signals() as caught:
    place = (member.Member(config, caught) if config.cluster else
             places.Alone(config, path, caught))
    steps = _Steps(config, place, train_op, log_tensors, log_line, caught)
    with place.device():
      scaffold = tf.compat.v1.train.Scaffold(
          saver=tf.compat.v1.train.Saver(
              optimization.names_in_checkpoints(), save_relative_paths=True))
    all_hooks = _create_hooks(
        config, scaffold, is_chief, checkpoints.step(path) if path else None,
        place.on_saved, num_timesteps)
    if validator is not None:
      validator.attach(all_hooks[0], caught)
      all_hooks.append(validator)
    all_hooks.extend(hooks)
    outcome = state.FAILED if is_chief else None
    try:
      steps.take(scaffold, all_hooks)
      outcome = None if caught else state.FINISHED
    except member.TrainingOverError:
      log.info("Training is over.")
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
      place: A `places.Place`.
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
    with progress.StepBar(self._total, self._config.progress) as bar:
      while True:
        try:
          with self._place.open(scaffold, hooks) as session:
            self._take_in_session(session, bar)
          break
        except self._place.preemptions as e:
          self._place.recover(e)
    if not (self._caught or self.last >= self._place.stop_step or
            validation_record.stopped_step(self._config) is not None):
      log.info("The data ended at step %d.", self.last)

  @property
  def _total(self):
    """The last step; None where it is the default, which nobody waits for."""
    last = self._config.max_steps
    return None if last == options.OPTIONS["max_steps"].default else last

  def _take_in_session(self, session, bar):
    """Takes steps in one session."""
    place, config = self._place, self._config
    self.last = place.before_first_step(
        session, session.run_step_fn(_read_global_step))
    bar.start(self.last)
    is_first = True
    while not (self._caught or self.last >= place.stop_step or
               session.should_stop()):
      before = self.last
      self.last, values = session.run(self._fetches)
      # Other workers may have taken steps in between.
      if is_first or self.last >= config.max_steps or (
          (self.last - 1) // config.summarize_every >
          (before - 1) // config.summarize_every):
        log.info("%s", self._log_line(self.last, values))
      if bar.is_shown:
        # It has the number of the step.
        bar.update(self.last, self._log_line(
            self.last, values).partition(", ")[2])
      is_first = False
      self.last = place.after_step(session, self.last)
    if self._caught:
      log.info("Stopped by signal %d at step %d.", self._caught[0],
               self.last)


def _read_global_step(step_context):
  """Reads the global step without running the hooks of a training step."""
  return step_context.session.run(tf.compat.v1.train.get_global_step())


def _create_hooks(config, scaffold, is_chief, restored_step, on_saved,
                  num_timesteps):
  """What happens between steps: checkpoints, summaries, speed."""
  if not is_chief:
    return []
  return [
      saving.CheckpointHook(
          config.logdir, config.save_checkpoint_secs, scaffold,
          restored_step=restored_step, on_saved=on_saved),
      speed.SpeedHook(
          num_timesteps, every_n_steps=config.summarize_every,
          output_dir=config.logdir),
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
      return errors.NonFiniteError(
          "%s is %s at step %d; the last checkpoint is %s; a lower "
          "--learning_rate than %g may help" % (
              culprit, kind, (last_step or 0) + 1, saved, config.learning_rate))
  return None
