"""Hooks of a training session: checkpoints, and the measured speed."""

import os
import time

import tensorflow as tf

from fivo.evaluation import charts
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import log


class CheckpointHook(tf.compat.v1.train.SessionRunHook):
  """Saves a checkpoint at the start, every `save_secs`, and at the end.

  Unlike TensorFlow's own hook it does not write the graph as text, which takes
  half a second, nor save the restored checkpoint, of `restored_step`, again.
  """

  def __init__(self, directory, save_secs, scaffold, restored_step=None):
    self._directory = directory
    self._scaffold = scaffold
    self._saved_step = restored_step
    self._save_secs = save_secs
    self._saved_time = None
    self._global_step = tf.compat.v1.train.get_global_step()

  def after_create_session(self, session, coord):
    """Saves the graph for TensorBoard, and the first checkpoint."""
    tf.compat.v1.summary.FileWriterCache.get(
        self._directory.path).add_graph(session.graph)
    # So that a run that is resumed often keeps no more than another.
    saver = self._scaffold.saver
    paths = self._directory.listed_checkpoints()
    num_kept = saver.saver_def.max_to_keep
    for path in paths[:-num_kept]:
      tf.compat.v1.train.remove_checkpoint(path)
    saver.recover_last_checkpoints(paths[-num_kept:])
    self.save(session)

  def after_run(self, run_context, run_values):
    """Saves if it is time."""
    if time.monotonic() >= self._saved_time + self._save_secs:
      self.save(run_context.session)

  def end(self, session):
    """Saves the last step."""
    self.save(session)

  def save(self, session):
    """Saves a checkpoint unless this step has one; returns the global step."""
    step = int(session.run(self._global_step))
    is_saved = step == self._saved_step
    # A session that replaces a lost one must not delay a save: else a cluster
    # whose parameter servers die often would never save.
    if not is_saved or self._saved_time is None:
      self._saved_time = time.monotonic()
    if is_saved:
      return step
    path = os.path.join(self._directory.path, checkpoints.NAME)
    log.info("Saving checkpoints for %d into %s.", step, path)
    # Explained here, because a session mistakes the OutOfRangeError of a file
    # that grows too large for the end of the data.
    remark = ("there is no checkpoint" if self._saved_step is None else
              "the last checkpoint is %s-%d" % (
                  checkpoints.NAME, self._saved_step))
    with errors.writing_to("logdir", self._directory.path, remark):
      self._scaffold.saver.save(session, path, global_step=step)
    self._saved_step = step
    return step


class SpeedHook(tf.compat.v1.train.StepCounterHook):
  """Logs and writes steps per second, and timesteps of data per second.

  The number of timesteps in the batch of a step is a scalar Tensor, or None.
  """

  def __init__(self, num_timesteps, **kwargs):
    super().__init__(**kwargs)
    self._num_timesteps = [] if num_timesteps is None else [num_timesteps]
    self._seen = []

  def before_run(self, run_context):
    """Fetches the number of timesteps too."""
    arguments = super().before_run(run_context)
    return arguments._replace(fetches=[arguments.fetches, self._num_timesteps])

  def after_run(self, run_context, run_values):
    """Counts the timesteps."""
    step, num_timesteps = run_values.results
    self._seen += num_timesteps
    super().after_run(run_context, run_values._replace(results=step))

  def _log_and_record(self, elapsed_steps, elapsed_time, global_step):
    super()._log_and_record(elapsed_steps, elapsed_time, global_step)
    steps_per_second = elapsed_steps / elapsed_time
    values = [("speed/steps_per_second", steps_per_second)]
    if self._seen:
      # Steps of other workers are of batches that this one does not see.
      values.append(("speed/timesteps_per_second",
                     steps_per_second * sum(self._seen) / len(self._seen)))
      self._seen = []
    self._summary_writer.add_summary(
        charts.values_summary(values), global_step)
