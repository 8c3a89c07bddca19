"""The steps of a training run: sessions, checkpoints, signals."""

import re
import time

import tensorflow as tf

from fivo.cluster import session as cluster_session
from fivo.config import options
from fivo.data import batching
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import log
from fivo.system import progress
from fivo.system import signals
from fivo.training import hooks as hooks_lib
from fivo.training import optimization

# In a server's errors a line with its name comes first.
_NON_FINITE = re.compile("^(.*) : Tensor had (NaN|Inf)", re.MULTILINE)
# The number of sessions of a cluster that may fail in a row without a step.
_MAX_FAILURES = 20
_SECONDS_PER_FAILURE = 0.1


def is_finished(config, directory, step, is_chief=True):
  """True if a run whose newest step is `step` is finished; it logs why.

  A process that died may have left the evaluation of its last step to do.
  """
  stopped = directory.stopped_step(config.measure, config.early_stop_patience)
  if step and stopped is not None:
    log.info(
        "Stopped early at step %d: nothing to do; an "
        "--early_stop_patience above %d continues.", stopped,
        config.early_stop_patience)
    return True
  if step < config.max_steps:
    return False
  if config.eval_every is not None and is_chief and step:
    record = directory.record()
    if record is None or record.last_step < step:
      return False
  log.info("Already at step %d of --max_steps=%d: nothing to do.", step,
           config.max_steps)
  return True


def train(config, directory, process, train_op, objective, validator=None,
          hooks=()):
  """Trains until the global step is `config.max_steps`.

  Resumes from the newest checkpoint of a `RunDirectory`, and saves one at the
  last step, at the end of the data, and after Ctrl-C or SIGTERM, which raise
  SystemExit. It logs the values of the `runs.Objective` and runs its hooks.
  """
  path = directory.latest(warn=process.is_chief)
  if is_finished(
      config, directory, checkpoints.step(path), process.is_chief):
    return
  if path is not None and process.is_chief:
    checkpoints.check_compatible(path, tf.compat.v1.global_variables())
  with signals.catch_signals() as caught, process.supervised():
    steps = _Steps(config, directory, process, train_op, objective, caught)
    # Files are in this process: parameter servers may not see them.
    with tf.device(process.device):
      scaffold = tf.compat.v1.train.Scaffold(saver=tf.compat.v1.train.Saver(
          optimization.names_in_checkpoints(), save_relative_paths=True))
    all_hooks = [steps]
    if process.is_chief:
      checkpoint_hook, *others = _logdir_hooks(
          config, directory, path, scaffold, objective.num_timesteps)
      all_hooks += [checkpoint_hook] + others
    if validator is not None:  # The chief has it.
      validator.attach(checkpoint_hook, caught)
      all_hooks.append(validator)
    all_hooks += list(objective.hooks) + list(hooks) + process.hooks(
        config.max_steps, config.stagger_workers, caught)
    try:
      steps.take(cluster_session.SessionCreator(
          scaffold, process.target, process.session_config,
          process.is_chief and directory.latest, caught), all_hooks)
    except tf.errors.InvalidArgumentError as e:
      raise (_explain_non_finite(
          e, steps.last, directory.latest(), config.learning_rate) or
             batching.find_user_error(e) or e) from e
  if caught:
    raise SystemExit(128 + caught[0])


def _logdir_hooks(config, directory, path, scaffold, num_timesteps):
  """Hooks that write checkpoints, the speed and summaries, in this order."""
  return [
      hooks_lib.CheckpointHook(
          directory, config.save_checkpoint_secs, scaffold,
          restored_step=checkpoints.step(path) if path else None),
      hooks_lib.SpeedHook(
          num_timesteps, every_n_steps=config.summarize_every,
          output_dir=directory.path),
      tf.compat.v1.train.SummarySaverHook(
          save_steps=config.summarize_every, output_dir=directory.path,
          scaffold=scaffold)]


class _Steps(tf.compat.v1.train.SessionRunHook):
  """The steps of a training run; `last` is the global step after the newest."""

  def __init__(self, config, directory, process, train_op, objective, caught):
    self._config = config
    self._directory = directory
    self._process = process
    self._log_line = objective.log_line
    self._caught = caught
    self._num_failures = 0
    self.last = None
    self._global_step = tf.compat.v1.train.get_or_create_global_step()
    # Read after the update, on the same device, so that both agree.
    with tf.control_dependencies([train_op]):
      with tf.compat.v1.colocate_with(self._global_step):
        step_after = self._global_step.read_value()
    self._fetches = [step_after, objective.log_values]

  def after_create_session(self, session, coord):
    """Finds the step at which a session begins."""
    self.last = int(session.run(self._global_step))

  def take(self, creator, hooks):
    """Takes steps until the last, the end of the data, or a signal."""
    config = self._config
    # The default is practically without end.
    total = (config.max_steps if config.max_steps !=
             options.OPTIONS["max_steps"].default else None)
    with progress.StepBar(config.start_step, total, config.progress) as bar:
      while True:
        try:
          with tf.compat.v1.train.MonitoredSession(creator, hooks) as session:
            self._take_in_session(session, bar)
          break
        except cluster_session.PREEMPTIONS as e:
          self._num_failures += 1
          if not self._process.spec or self._num_failures > _MAX_FAILURES:
            raise
          log.info("Lost the session, trying again (%s: %s).",
                   type(e).__name__, " ".join(e.message.split())[:200])
          time.sleep(_SECONDS_PER_FAILURE * self._num_failures)
    if self._caught or self.last >= config.max_steps:
      return
    if not self._process.is_chief:
      log.info("This worker ends at step %d.", self.last)
    elif self._directory.stopped_step(
        config.measure, config.early_stop_patience) is None:
      log.info("The data ended at step %d.", self.last)

  def _take_in_session(self, session, bar):
    """Takes steps in one session."""
    config, is_first = self._config, True
    while not (self._caught or self.last >= config.max_steps or
               session.should_stop()):
      before = self.last
      self.last, values = session.run(self._fetches)
      # Other workers take steps in between.
      if is_first or self.last >= config.max_steps or (
          (self.last - 1) // config.summarize_every >
          (before - 1) // config.summarize_every):
        log.info("%s", self._log_line(self.last, values))
      if bar.is_shown:  # The bar itself shows the step.
        line = self._log_line(self.last, values)
        bar.update(self.last, line.partition(", ")[2])
      is_first = False
      self._num_failures = 0
    if self._caught:
      log.info("Stopped by signal %d at step %d.", self._caught[0], self.last)


def _explain_non_finite(error, last_step, checkpoint, learning_rate):
  """The NonFiniteError of a failed check of finiteness, None for others."""
  found = _NON_FINITE.search(error.message)
  return found and errors.NonFiniteError(
      "%s is %s at step %d; the last checkpoint is %s; a lower "
      "--learning_rate than %g or --clip_gradient_norm may help" % (
          found.group(1), found.group(2), (last_step or 0) + 1, checkpoint,
          learning_rate))
