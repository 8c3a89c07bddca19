"""The steps of a training run: sessions, checkpoints, signals."""

import functools
import re
import time

import tensorflow as tf

from fivo.cluster import server
from fivo.cluster import session as cluster_session
from fivo.cluster import supervision
from fivo.config import cluster_spec
from fivo.config import options
from fivo.data import batching
from fivo.logdir import checkpoints
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.system import log
from fivo.system import progress
from fivo.system import signals
from fivo.training import hooks as hooks_lib
from fivo.training import optimization

# A server's errors have its name in the line before.
_NON_FINITE = re.compile("^(.*) : Tensor had (NaN|Inf)", re.MULTILINE)
# Worker k waits for step k times this many, where workers are staggered.
_STEPS_OF_STAGGER = 1000
# Sessions of a cluster that fail, with no step in between.
_MAX_FAILURES = 20
_SECONDS_PER_FAILURE = 0.1


def train(config, train_op, log_tensors, log_line, validator=None, hooks=(),
          num_timesteps=None):
  """Trains until the global step is `config.max_steps`.

  Resumes from the newest checkpoint of the logdir, and saves one at the last
  step, the end of the data, and Ctrl-C and SIGTERM, which raise SystemExit.
  `log_tensors`, `log_line` and `num_timesteps` are those of a `runs.Objective`.
  """
  is_chief = config.task == 0
  path = checkpoints.latest(
      config.logdir, warn=is_chief, known=config.checkpoint)
  if validation_record.is_finished(config, checkpoints.step(path)):
    return
  if path is not None and is_chief:
    checkpoints.check_compatible(path, tf.compat.v1.global_variables())
  with signals.catch_signals() as caught, supervision.supervise(
      _needed_processes(config), config.cluster_timeout_secs):
    steps = _Steps(config, train_op, log_tensors, log_line, caught)
    # This process has the files, which parameter servers may not see.
    with tf.device(config.cluster and server.device(
        config.cluster.job, config.cluster.task)):
      scaffold = tf.compat.v1.train.Scaffold(saver=tf.compat.v1.train.Saver(
          optimization.names_in_checkpoints(), save_relative_paths=True))
    all_hooks = [steps]
    if is_chief:
      all_hooks += _logdir_hooks(config, path, scaffold, num_timesteps)
    if validator is not None:
      validator.attach(all_hooks[1], caught)
      all_hooks.append(validator)
    all_hooks += list(hooks) + _cluster_hooks(config, caught)
    find_checkpoint = is_chief and functools.partial(
        checkpoints.latest, config.logdir, known=path)
    try:
      steps.take(cluster_session.SessionCreator(
          scaffold, config.master, cluster_session.options(config.cluster),
          find_checkpoint, caught), all_hooks)
    except tf.errors.InvalidArgumentError as e:
      raise (_explain_non_finite(e, config, steps.last) or
             batching.find_user_error(e) or e) from e
  if caught:
    raise SystemExit(128 + caught[0])


def _needed_processes(config):
  """Names and addresses of the processes that this one cannot do without."""
  if config.cluster:
    return config.cluster.needed
  if not config.master:
    return {}
  address = cluster_spec.master_address(config.master)
  server.bypass_proxies([address])
  return {"server of --master": address}


def _logdir_hooks(config, path, scaffold, num_timesteps):
  """Hooks that write checkpoints, the speed and summaries, in this order."""
  return [
      hooks_lib.CheckpointHook(
          config.logdir, config.save_checkpoint_secs, scaffold,
          restored_step=checkpoints.step(path) if path else None),
      hooks_lib.SpeedHook(
          num_timesteps, every_n_steps=config.summarize_every,
          output_dir=config.logdir),
      tf.compat.v1.train.SummarySaverHook(
          save_steps=config.summarize_every, output_dir=config.logdir,
          scaffold=scaffold)]


def _cluster_hooks(config, caught):
  """The hooks of a process that trains with others."""
  first_step = config.task * _STEPS_OF_STAGGER if config.stagger_workers else 0
  if config.cluster and config.task == 0:
    return [cluster_session.ChiefHook(config.ps_tasks, caught)]
  if config.cluster:
    first_step = min(first_step, config.max_steps)
    return [cluster_session.WorkerHook(first_step, caught)]
  if first_step:
    return [tf.compat.v1.train.GlobalStepWaiterHook(first_step)]
  return []


class _Steps(tf.compat.v1.train.SessionRunHook):
  """The steps of a training run; `last` is the global step after the last."""

  def __init__(self, config, train_op, log_tensors, log_line, caught):
    self._config = config
    self._log_line = log_line
    self._caught = caught
    self._num_failures = 0
    self.last = None
    self._global_step = tf.compat.v1.train.get_or_create_global_step()
    # Read after the update, and where it takes place, so that both agree.
    with tf.control_dependencies([train_op]):
      with tf.compat.v1.colocate_with(self._global_step):
        step_after = self._global_step.read_value()
    self._fetches = [step_after, log_tensors]

  def after_create_session(self, session, coord):
    """Finds the step that a session begins at."""
    self.last = int(session.run(self._global_step))

  def take(self, creator, hooks):
    """Takes steps until the last, the end of the data, or a signal."""
    config = self._config
    # Nobody waits for the default.
    total = (config.max_steps if config.max_steps !=
             options.OPTIONS["max_steps"].default else None)
    with progress.step_bar(
        config.start_step, total, config.progress) as update_bar:
      while True:
        try:
          with tf.compat.v1.train.MonitoredSession(creator, hooks) as session:
            self._take_in_session(session, update_bar)
          break
        except cluster_session.PREEMPTIONS as e:
          self._num_failures += 1
          if not config.cluster or self._num_failures > _MAX_FAILURES:
            raise
          log.info("Lost the session, trying again (%s: %s).",
                   type(e).__name__, " ".join(e.message.split())[:200])
          time.sleep(_SECONDS_PER_FAILURE * self._num_failures)
    if self._caught or self.last >= config.max_steps:
      return
    if config.task:
      log.info("This worker ends at step %d.", self.last)
    elif validation_record.stopped_step(
        config.logdir, config.measure, config.early_stop_patience) is None:
      log.info("The data ended at step %d.", self.last)

  def _take_in_session(self, session, update_bar):
    """Takes steps in one session."""
    config, is_first = self._config, True
    while not (self._caught or self.last >= config.max_steps or
               session.should_stop()):
      before = self.last
      self.last, values = session.run(self._fetches)
      # Workers take steps in between.
      if is_first or self.last >= config.max_steps or (
          (self.last - 1) // config.summarize_every >
          (before - 1) // config.summarize_every):
        log.info("%s", self._log_line(self.last, values))
      if update_bar is not None:  # The bar has the number of the step.
        line = self._log_line(self.last, values)
        update_bar(self.last, line.partition(", ")[2])
      is_first = False
      self._num_failures = 0
    if self._caught:
      log.info("Stopped by signal %d at step %d.", self._caught[0], self.last)


def _explain_non_finite(error, config, last_step):
  """The NonFiniteError of a failed check of finiteness, None for others."""
  found = _NON_FINITE.search(error.message)
  return found and errors.NonFiniteError(
      "%s is %s at step %d; the last checkpoint is %s; a lower "
      "--learning_rate than %g may help" % (
          found.group(1), found.group(2), (last_step or 0) + 1,
          checkpoints.latest(config.logdir), config.learning_rate))
