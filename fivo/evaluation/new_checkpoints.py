"""Evaluating the checkpoints of a run as they are saved."""

import os
import time

from fivo.logdir import checkpoints
from fivo.system import log


def evaluate(config, directory, path, evaluate_one):
  """Evaluates a checkpoint and, with `eval_interval_secs`, each new newest one.

  It looks for a new one at that interval until `max_steps`, or the step at
  which the run stopped early. A checkpoint that is missing or incomplete when
  read is skipped; without `eval_interval_secs` the next newest replaces it.

  Returns the result of `evaluate_one(path)` for the last checkpoint.
  """
  if config.eval_interval_secs is None:
    return directory.use_newest(path, evaluate_one)
  result, last_step, last_written = None, -1, -1
  while True:
    step, written = checkpoints.step(path), _time_written(path)
    # A restarted run writes checkpoints of earlier steps; a later step counts
    # even if a copy, or another machine's clock, has set its time.
    if written is not None and (
        step > last_step or written > last_written):
      try:
        result = evaluate_one(path)
        last_step, last_written = step, written
      except checkpoints.UnreadableError as e:
        log.info("Skipped: %s", e)
    if last_step >= config.max_steps:
      return result
    stopped = directory.stopped_step(config.measure, config.early_stop_patience)
    if stopped is not None and last_step >= stopped:
      log.info("The run stopped early at step %d.", stopped)
      return result
    time.sleep(config.eval_interval_secs)
    path = directory.latest(warn=False)


def _time_written(path):
  """The time at which a checkpoint was written, in ns; None if it is gone."""
  try:
    return path and os.stat(path + ".index").st_mtime_ns
  except OSError:
    return None
