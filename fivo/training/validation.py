"""Evaluating a run on the valid split while it trains.

The evaluator has its own graph and reads checkpoints, so that it does not
affect training. A process that died catches up on a missed evaluation when it
resumes, before it takes another step.
"""

import math

import tensorflow as tf

from fivo import bounds
from fivo.evaluation import averages
from fivo.evaluation import charts
from fivo.system import errors
from fivo.system import log

SPLIT = "valid"


class _InterruptedError(Exception):
  """A signal arrived during an evaluation."""


class Validator(tf.compat.v1.train.SessionRunHook):
  """Evaluates a run as it trains, exports the best checkpoint, stops early.

  `draw_picture` maps a checkpoint's path to the bytes of a PNG file.
  """

  def __init__(self, config, directory, evaluator, draw_picture=None):
    self._config = config
    self._directory = directory
    self._evaluator = evaluator
    self._draw_picture = draw_picture
    self._summaries = charts.Summaries(directory.path, SPLIT)
    self._checkpoint_hook = self._caught = None  # See `attach`.
    self._record = self._next_step = self._global_step = None

  def attach(self, checkpoint_hook, caught):
    """Takes the `CheckpointHook` before it and the list of caught signals."""
    self._checkpoint_hook = checkpoint_hook
    self._caught = caught
    self._global_step = tf.compat.v1.train.get_global_step()

  def after_create_session(self, session, coord):
    """Catches up on an evaluation that an earlier process missed."""
    step = self._checkpoint_hook.save(session)
    self._record = self._directory.resume_record(self._config.measure, step)
    if self._config.export_best:
      self._directory.repair_best()
    self._plan(step)
    if step % self._config.eval_every == 0 and self._evaluate(session):
      coord.request_stop()

  def before_run(self, run_context):
    """Fetches the global step."""
    return tf.compat.v1.train.SessionRunArgs(self._global_step)

  def after_run(self, run_context, run_values):
    """Evaluates if it is time."""
    # The step fetched with the training step may be the one before it.
    if run_values.results + 1 < self._next_step:
      return
    step = int(run_context.session.run(self._global_step))
    if step >= self._next_step:
      self._plan(step)
      if self._evaluate(run_context.session):
        run_context.request_stop()

  def end(self, session):
    """Evaluates the last step."""
    if not self._caught:
      self._evaluate(session)
    self._summaries.close()

  def _plan(self, step):
    """Sets the step of the next evaluation, which other workers may skip."""
    every = self._config.eval_every
    self._next_step = (step // every + 1) * every

  def _evaluate(self, session):
    """Evaluates the current step, unless it was; returns whether to stop.

    A signal postpones the evaluation until the run is resumed.
    """
    step = self._checkpoint_hook.save(session)
    if not step or step <= self._record.last_step:
      return False
    path = self._directory.path_of(step)
    try:
      _, result = self._evaluator.evaluate(path, self._raise_if_caught)
      bound = self._bound_of(result)
    except _InterruptedError:
      log.info("The evaluation of step %d is postponed.", step)
      return False
    except errors.NonFiniteError as e:
      raise errors.NonFiniteError(
          "--eval_every=%d: the %s bound of the %s split is not finite at step "
          "%d: %s; %s; a lower --learning_rate than %g or --clip_gradient_norm "
          "may help" % (
              self._config.eval_every, self._config.bound, SPLIT, step, e,
              self._best_so_far(), self._config.learning_rate)) from e
    averages.summarize(result, SPLIT, step, self._summaries)
    if self._draw_picture is not None:
      self._summaries.add(
          [], step, pictures=[("samples", self._draw_picture(path))])
    self._record_bound(step, bound, path)
    patience = self._config.early_stop_patience
    if patience is None or self._record.num_worse < patience:
      return False
    log.info(
        "Stopping early at step %d: %d evaluations without a better %s bound "
        "(--early_stop_patience=%d); %s.", step, self._record.num_worse, SPLIT,
        patience, self._best_so_far())
    return True

  def _raise_if_caught(self):
    if self._caught:
      raise _InterruptedError()

  def _bound_of(self, result):
    """The bound that a run trains on, in the unit of its log lines."""
    values = (result.ll_per_t if self._config.normalize_by_seq_len else
              result.ll_per_seq)
    index = bounds.AllBoundsAndSIXO._fields.index(
        self._config.bound_traits.evaluated_as)
    bound = float(values[:, index].mean())
    if math.isnan(bound) or bound == float("inf"):
      raise errors.NonFiniteError("the mean is %f" % bound)
    return bound

  def _record_bound(self, step, bound, path):
    """Logs and records a bound; exports the checkpoint if it is the best."""
    config = self._config
    self._record = self._record.updated(step, bound)
    is_best = not self._record.num_worse
    log.info(
        "Step %d, %s %s bound per %s: %f (%s)", step, SPLIT, config.bound,
        "timestep" if config.normalize_by_seq_len else "sequence", bound,
        "the best so far" if is_best else self._best_so_far())
    # First the record, from which a resumed run repairs a wrong `best`.
    self._directory.keep_record(self._record)
    if is_best and config.export_best:
      self._directory.export_best(path)

  def _best_so_far(self):
    if self._record.best_bound is None:
      return "none is finite so far"
    return "the best is %f at step %d" % (
        self._record.best_bound, self._record.best_step)
