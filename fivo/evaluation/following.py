"""An evaluator that follows the checkpoints of a run."""

import collections
import contextlib
import os
import signal
import threading
import time

from fivo.config import config as config_lib
from fivo.logdir import checkpoints
from fivo.logdir import restoring
from fivo.logdir import validation_record
from fivo.system import log

# A file of a checkpoint that a restarted run writes again is a new one.
_Version = collections.namedtuple("_Version", "path written_ns")


def evaluate(config, create_evaluator, needs_checkpoint=True):
  """Evaluates the newest checkpoint, or one after another.

  Args:
    config: A `Config`.
    create_evaluator: A callable that takes a `Config` and gives an object with
      the methods `evaluate(path)`, see `evaluate_each`, and `close()`.
    needs_checkpoint: Whether there is something to restore.

  Returns:
    The last result of `evaluate`.

  Raises:
    UserError: If there is no checkpoint, it is not of the model, or as
      `evaluate` says.
    SystemExit: On SIGTERM, if it follows the checkpoints.
  """
  path = None
  if needs_checkpoint:
    config, path = _find_first(config)
  with contextlib.closing(create_evaluator(config)) as evaluator:
    return evaluate_each(config, path, evaluator.evaluate)


def _find_first(config):
  """The newest checkpoint, and the configuration, complete by now.

  A run that began only while this process waited has left its own.
  """
  with _leaving_on_sigterm():
    path = checkpoints.require(config.logdir, config.wait_for_checkpoint)
  if config.wait_for_checkpoint:
    config = config_lib.complete(config)
  return config, path


def evaluate_each(config, path, evaluate):
  """Evaluates a checkpoint, and then, if asked to, each new newest one.

  That is with `eval_interval_secs`, until the checkpoint of step `max_steps` or
  the one with which the run stopped early. Checkpoints that come and go between
  two looks are left out, and one that is gone, or not whole, when it is read:
  without `eval_interval_secs` the next takes its place.

  Args:
    config: A `Config`.
    path: The path of the first checkpoint.
    evaluate: A callable that takes a checkpoint's path, evaluates it, reports
      it, and gives a result.

  Returns:
    The last result.

  Raises:
    UserError: What `evaluate` raises; but not `checkpoints.UnreadableError`
      if it follows.
    SystemExit: On SIGTERM, with the usual exit code, if it follows.
  """
  if config.eval_interval_secs is None:
    return restoring.use_newest(config.logdir, path, evaluate)
  with _leaving_on_sigterm():
    return _follow(config, path, evaluate)


def _follow(config, path, evaluate):
  """Evaluates each new newest checkpoint until the last."""
  done = None
  result = None
  while True:
    version = _version(path)
    if version is not None and _is_news(version, done):
      try:
        result = evaluate(path)
        done = version
      except checkpoints.UnreadableError as e:
        log.info("Passed over: %s", e)
    if done is not None and _is_last(config, checkpoints.step(done.path)):
      return result
    time.sleep(config.eval_interval_secs)
    path = checkpoints.latest(config.logdir, warn=False)


def _version(path):
  """Which checkpoint has a path now; None where there is none."""
  try:
    return path and _Version(path, os.stat(path + ".index").st_mtime_ns)
  except OSError:
    return None


def _is_news(version, done):
  """Whether a checkpoint is of a later step, or of a run that began again.

  Files' times, which a copy or another machine's clock may set, do not hide a
  later step.
  """
  return (done is None or
          checkpoints.step(version.path) > checkpoints.step(done.path) or
          version.written_ns > done.written_ns)


def _is_last(config, step):
  """Whether the run has no checkpoint to come after a step."""
  if step >= config.max_steps:
    return True
  stopped_step = validation_record.stopped_step(config)
  if stopped_step is None or step < stopped_step:
    return False
  log.info("The run has stopped early at step %d.", stopped_step)
  return True


@contextlib.contextmanager
def _leaving_on_sigterm():
  """Lets SIGTERM end the block in order, as Ctrl-C does.

  Outside the main thread, where Python allows no handlers, it keeps its usual
  effect.

  Yields:
    Nothing.

  Raises:
    SystemExit: On SIGTERM, with the usual exit code.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return

  def leave(number, unused_frame):
    raise SystemExit(128 + number)

  previous = signal.signal(signal.SIGTERM, leave)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, previous)
