"""Evaluating a run on the valid split while it trains.

The evaluator has a graph and sessions of its own and reads checkpoints, so that
training computes what it would compute alone. Each evaluation is of a
checkpoint that was saved for it: a process that dies evaluates it when it comes
back, before it takes another step.
"""

import math
import os

import tensorflow as tf

from fivo import bounds
from fivo.evaluation import averages
from fivo.evaluation import splits
from fivo.evaluation import summaries
from fivo.logdir import best_checkpoint
from fivo.logdir import checkpoints
from fivo.logdir import validation_record
from fivo.sampling import pictures
from fivo.system import errors
from fivo.system import log

SPLIT = "valid"


class _InterruptedError(Exception):
  """A signal has come during an evaluation."""


def create(config, create_dataset_and_model_fn):
  """Builds what evaluates a run, where it asks for that.

  Args:
    config: A `Config`.
    create_dataset_and_model_fn: A callable like
      `runners.create_dataset_and_model`.

  Returns:
    A `Validator`; None without `eval_every`, and for workers that are not the
    chief.

  Raises:
    UserError: If there is no valid split, or it is bad.
  """
  if config.eval_every is None or config.task != 0:
    return None
  return Validator(config, create_dataset_and_model_fn)


def is_due(config, step):
  """Whether a run that has taken its last step is to be evaluated still."""
  if config.eval_every is None or config.task != 0 or not step:
    return False
  record = validation_record.load(config.logdir)
  return record is None or record.last_step < step


def lacks_best(config):
  """Whether `best` is not the checkpoint that the run's record names."""
  if not config.export_best or config.task != 0:
    return False
  record = validation_record.load(config.logdir)
  return (record is not None and record.best_step is not None and
          record.best_step != best_checkpoint.step_in(config.logdir))


def mend_best(config):
  """Makes `best` what the run's record says, unless that was not kept."""
  if not lacks_best(config):
    return
  best_step = validation_record.load(config.logdir).best_step
  path = checkpoints.path_of(config.logdir, best_step)
  if os.path.exists(path + ".index"):
    best_checkpoint.export(config.logdir, path)
  else:
    log.warning("The best checkpoint so far, of step %d, was not kept.",
                best_step)


def bound_of(result, config):
  """The bound that a run trains on, in the unit of its log lines.

  Args:
    result: An `averages.EvalResult`.
    config: A `Config`.

  Returns:
    A float, in nats per timestep or per sequence; the mean over repeats.
  """
  values = (result.ll_per_t if config.normalize_by_seq_len else
            result.ll_per_seq)
  name = "fivo" if config.bound == "fivo-aux" else config.bound
  return float(values[:, bounds.AllBoundsAndSIXO._fields.index(name)].mean())


def _path_of_all_splits(config):
  """The `dataset_path` that has the valid split too.

  Of speech, where it is the file of one split, that is the directory, which has
  the others beside it.
  """
  if config.dataset_type == "speech" and os.path.isfile(config.dataset_path):
    return os.path.dirname(os.path.abspath(config.dataset_path))
  return config.dataset_path


class Validator(object):
  """Evaluates checkpoints of a run and keeps the record of that."""

  def __init__(self, config, create_dataset_and_model_fn):
    """Builds the graph; for arguments see `create`."""
    self._config = config
    # Every evaluation draws the same noise, wherever the run was resumed.
    self._valid_config = config._replace(
        split=SPLIT, start_step=0,
        dataset_path=_path_of_all_splits(config))
    try:
      self._evaluator = splits.Evaluator(
          self._valid_config, create_dataset_and_model_fn)
    except errors.UserError as e:
      raise errors.UserError("--eval_every=%d: of the %s split: %s" % (
          config.eval_every, SPLIT, e)) from e
    self._pictures = None
    if config.render:
      self._pictures = pictures.Pictures(
          self._valid_config, create_dataset_and_model_fn)
    self._summaries = summaries.of_split(self._valid_config)
    self.record = None

  def resume(self, step):
    """Reads the record of a run that goes on from a step; mends `best`."""
    self.record = validation_record.resume(
        self._config.logdir, self._config.measure, step)
    mend_best(self._config)

  def evaluate(self, step, caught):
    """Evaluates the checkpoint of a step, unless a signal comes.

    Args:
      step: The global step.
      caught: A list that receives the numbers of signals.

    Returns:
      Whether the run is to stop early, which is logged.

    Raises:
      NonFiniteError: If the bound is NaN or positive infinity.
    """
    def before_batch():
      if caught:
        raise _InterruptedError()

    path = checkpoints.path_of(self._config.logdir, step)
    try:
      _, result = self._evaluator.evaluate(path, before_batch)
    except _InterruptedError:
      log.info("The evaluation of step %d is left for later.", step)
      return False
    except errors.NonFiniteError as e:
      raise self._explain_non_finite(step, str(e)) from e
    bound = bound_of(result, self._config)
    if math.isnan(bound) or bound == float("inf"):
      raise self._explain_non_finite(step, "the mean is %f" % bound)
    averages.summarize(result, self._valid_config, step, self._summaries)
    if self._pictures is not None:
      self._summaries.add_picture(
          pictures.TAG, self._pictures.draw(path), step)
    self._note(step, bound, path)
    return self._says_stop(step)

  def close(self):
    """Closes the file of summaries."""
    self._summaries.close()

  def _note(self, step, bound, path):
    """Logs and records a bound; keeps the checkpoint if it is the best.

    The record decides which is the best, so it is written first: whatever
    `best` holds if the process dies before the export, a resume mends.
    """
    record = validation_record.update(self.record, step, bound)
    is_best = record.best_step is not None and not record.num_worse
    log.info(
        "Step %d, %s %s bound per %s: %f (%s)", step, SPLIT, self._config.bound,
        "timestep" if self._config.normalize_by_seq_len else "sequence", bound,
        "the best so far" if is_best else _describe_best(record))
    validation_record.save(self._config.logdir, record)
    self.record = record
    if is_best and self._config.export_best:
      best_checkpoint.export(self._config.logdir, path)

  def _says_stop(self, step):
    """Whether patience is at an end, which is logged."""
    patience = self._config.early_stop_patience
    if patience is None or self.record.num_worse < patience:
      return False
    log.info(
        "Stopping early at step %d: %d evaluations without a better %s bound "
        "(--early_stop_patience=%d); %s.", step, self.record.num_worse, SPLIT,
        patience, _describe_best(self.record))
    return True

  def _explain_non_finite(self, step, cause):
    """The error of a bound that is not finite."""
    return errors.NonFiniteError(
        "--eval_every=%d: the %s bound of the %s split is not finite at step "
        "%d: %s; %s; a lower --learning_rate than %g may help" % (
            self._config.eval_every, self._config.bound, SPLIT, step, cause,
            _describe_best(self.record), self._config.learning_rate))


def _describe_best(record):
  """The best bound so far, in a few words."""
  if record.best_bound is None:
    return "none is finite so far"
  return "the best is %f at step %d" % (record.best_bound, record.best_step)


class ValidationHook(tf.compat.v1.train.SessionRunHook):
  """Evaluates every so many steps and at the end of training."""

  def __init__(self, validator, every_steps, checkpoint_hook, caught):
    """Creates the hook.

    Args:
      validator: A `Validator`.
      every_steps: Steps between evaluations.
      checkpoint_hook: The `saving.CheckpointHook` of the session, which must
        come before this hook.
      caught: A list that receives the numbers of signals.
    """
    self._validator = validator
    self._every_steps = every_steps
    self._checkpoint_hook = checkpoint_hook
    self._caught = caught
    self._next_step = None
    self._global_step = None

  def begin(self):
    """Finds the global step of the graph."""
    self._global_step = tf.compat.v1.train.get_global_step()

  def after_create_session(self, session, coord):
    """Makes up for an evaluation that a process before this one missed."""
    step = self._checkpoint_hook.save(session)
    self._validator.resume(step)
    self._plan(step)
    is_due = step and not step % self._every_steps
    if is_due and self._evaluate(session):
      coord.request_stop()

  def before_run(self, run_context):
    """Asks for the global step."""
    return tf.compat.v1.train.SessionRunArgs(self._global_step)

  def after_run(self, run_context, run_values):
    """Evaluates if it is time to."""
    # The step fetched with the training step may be the one before it.
    if run_values.results + 1 < self._next_step:
      return
    session = run_context.session
    step = int(session.run(self._global_step))
    if step >= self._next_step:
      self._plan(step)
      if self._evaluate(session):
        run_context.request_stop()

  def end(self, session):
    """Evaluates the last step."""
    if not self._caught:
      self._evaluate(session)
    self._validator.close()

  def _plan(self, step):
    """Sets the step of the next evaluation; other workers may skip it."""
    self._next_step = (step // self._every_steps + 1) * self._every_steps

  def _evaluate(self, session):
    """Evaluates the present step unless it has been; whether to stop."""
    step = self._checkpoint_hook.save(session)
    if not step or step <= self._validator.record.last_step:
      return False
    return self._validator.evaluate(step, self._caught)
