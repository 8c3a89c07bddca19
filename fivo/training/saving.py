"""Saving checkpoints while a session trains."""

import os
import time

import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import log


class CheckpointHook(tf.compat.v1.train.SessionRunHook):
  """Saves a checkpoint at the start, every so many seconds, and at the end.

  Unlike TensorFlow's hook of that purpose it does not write the graph as text,
  which takes half a second of every start, and does not save again what it has
  just restored.
  """

  def __init__(self, logdir, save_secs, scaffold, restored_step=None,
               on_saved=None):
    """Creates the hook.

    Args:
      logdir: The directory of the checkpoints.
      save_secs: Seconds between checkpoints.
      scaffold: The session's Scaffold; it has the Saver.
      restored_step: The global step of the checkpoint that the session starts
        from, or None.
      on_saved: None, or a callable of the Session and the checkpoint's path,
        called with each that was saved.
    """
    self._on_saved = on_saved
    self._logdir = logdir
    self._path = os.path.join(logdir, checkpoints.NAME)
    self._scaffold = scaffold
    self._saved_step = restored_step
    self._save_secs = save_secs
    self._saved_time = None  # By a clock that nobody sets.
    self._global_step = None

  def begin(self):
    """Finds the global step of the graph."""
    self._global_step = tf.compat.v1.train.get_global_step()

  def after_create_session(self, session, coord):
    """Saves the graph for TensorBoard, and the first checkpoint."""
    tf.compat.v1.summary.FileWriterCache.get(self._logdir).add_graph(
        session.graph)
    # So that a run that is resumed often keeps no more than another.
    saver = self._scaffold.saver
    saver.recover_last_checkpoints(checkpoints.drop_one_too_many(
        checkpoints.listed(self._logdir), saver.saver_def.max_to_keep))
    self.save(session)

  def after_run(self, run_context, run_values):
    """Saves if it is time to."""
    if time.monotonic() >= self._saved_time + self._save_secs:
      self.save(run_context.session)

  def end(self, session):
    """Saves the last step."""
    self.save(session)

  def save(self, session):
    """Saves a checkpoint unless this step's has been saved.

    Args:
      session: A Session.

    Returns:
      The global step.

    Raises:
      UserError: If the logdir cannot be written to.
    """
    step = int(session.run(self._global_step))
    is_saved = step == self._saved_step
    # A session that takes the place of a lost one must not put off a save: else
    # a cluster whose parameter servers die often would never have one.
    if not is_saved or self._saved_time is None:
      self._saved_time = time.monotonic()
    if is_saved:
      return step
    log.info("Saving checkpoints for %d into %s.", step, self._path)
    # Explained here, because a session takes the OutOfRangeError of a file
    # that grows too large for the end of the data.
    saver = self._scaffold.saver
    with errors.writing_to("logdir", self._logdir, self._last_saved()):
      # The Saver itself removes one after it has taken it from its list, so
      # that a kill in between would leave it for good.
      saver.recover_last_checkpoints(checkpoints.drop_one_too_many(
          saver.last_checkpoints, saver.saver_def.max_to_keep - 1))
      path = saver.save(session, self._path, global_step=step)
    if self._on_saved:
      self._on_saved(session, path)
    self._saved_step = step
    return step

  def _last_saved(self):
    """What is left if the next checkpoint fails, in a few words."""
    if self._saved_step is None:
      return "there is no checkpoint"
    return "the last checkpoint is %s-%d" % (checkpoints.NAME, self._saved_step)
