"""The directory of a run, its logdir: its checkpoints, records and lock.

Whenever a process dies while it writes `best`, one whole checkpoint is in it.
The record of evaluations is written first: a resumed run exports a checkpoint
that was missed by a death in between.
"""

import contextlib
import glob
import itertools
import os
import shutil
import time

import tensorflow as tf

from fivo.config import stored
from fivo.logdir import checkpoints
from fivo.logdir import locks
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.system import files
from fivo.system import log

_BEST = "best"
_STATE = 'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n'
_SECONDS_BETWEEN_LOOKS = 1.
_LOOKS_PER_LINE = 30


class RunDirectory(object):
  """A logdir, which need not exist yet.

  Paths of checkpoints have no suffix. A checkpoint may be half copied or half
  written, so it is read in full when it is first found.
  """

  def __init__(self, path):
    self.path = os.fspath(path)
    self._whole = None  # The checkpoint that was last found to be whole.

  def path_of(self, step):
    """The path that the checkpoint of a global step has."""
    return os.path.join(self.path, "%s-%d" % (checkpoints.NAME, step))

  def latest(self, warn=True):
    """The path of the newest whole checkpoint; None if there is none."""
    path, damaged = self._find()
    if warn:
      for damaged_path, damage in damaged:
        log.warning("%s: not a whole checkpoint (%s); looking for another.",
                    damaged_path, damage)
    return path

  def latest_step(self):
    """The global step of the newest whole checkpoint; 0 without one."""
    return checkpoints.step(self.latest(warn=False))

  def checkpoint_to_resume(self):
    """The path of the checkpoint from which training resumes, or None.

    A `UserError` if all are damaged and starting anew would lose steps.
    """
    path, damaged = self._find()
    if path is None:
      for damaged_path, damage in damaged:
        if checkpoints.step(damaged_path) > 0:
          raise errors.UserError(
              "%s: not a whole checkpoint (%s), and there is no other; copy it "
              "again, delete it to start anew, or use another --logdir" % (
                  damaged_path, damage))
    return path

  def require(self, wait=False):
    """The path of the newest checkpoint; waits, or raises, if there is none."""
    for looks in itertools.count():
      path = self.latest(warn=looks == 0)
      if path is not None:
        return path
      if not wait:
        raise errors.UserError(
            "--logdir=%s: %s" % (self.path, self._why_none()))
      if looks % _LOOKS_PER_LINE == 0:
        log.info("Waiting for a checkpoint in %s.", self.path)
      time.sleep(_SECONDS_BETWEEN_LOOKS)

  def _why_none(self):
    """Says why there is no checkpoint to restore, and what to do."""
    _, damaged = self._find()
    if damaged:
      return ("%s is not a whole checkpoint (%s), and there is no other; copy "
              "it again" % (os.path.basename(damaged[0][0]), damaged[0][1]))
    reason = "has no checkpoint"
    if not os.path.isdir(self.path):
      reason = "is a file" if os.path.exists(self.path) else "no such directory"
    return reason + ("; give the directory of a training run, or "
                     "--wait_for_checkpoint")

  def use_newest(self, path, use):
    """Returns `use(path)`, or that of a newer checkpoint if this one is gone.

    A run that is training may have removed it.
    """
    while True:
      try:
        return use(path)
      except checkpoints.UnreadableError as e:
        newer = self.latest(warn=False)
        if newer in (None, path):
          raise
        log.info("Skipped: %s", e)
        path = newer

  def listed_checkpoints(self):
    """Paths that the file `checkpoint` lists and that exist, oldest first."""
    state = self._checkpoint_state()
    paths = state.all_model_checkpoint_paths if state is not None else []
    return [path for path in map(self._own, paths)
            if checkpoints.is_named(path) and os.path.exists(path + ".index")]

  def _find(self):
    """The path of the newest whole checkpoint, or None, and damaged ones.

    The latter are pairs of the path of a newer one and what is wrong with it.
    """
    candidates = []
    state = self._checkpoint_state()
    if state is not None:
      candidates.append(self._own(state.model_checkpoint_path))
    found = [path[:-len(".index")] for path in glob.glob(
        os.path.join(glob.escape(self.path), checkpoints.NAME + "-*.index"))]
    candidates += sorted(
        (path for path in found
         if checkpoints.is_named(path) and path not in candidates),
        key=checkpoints.step, reverse=True)
    damaged = []
    for path in candidates:
      damage = checkpoints.missing_file(path)
      if damage is None and path != self._whole:
        damage = checkpoints.damage(path)
      if damage is None:
        self._whole = path
        return path, damaged
      damaged.append((path, damage))
    return None, damaged

  def _checkpoint_state(self):
    """Reads the file `checkpoint`; None if it holds nothing useful."""
    # Reading a pipe would never end.
    if not os.path.isfile(os.path.join(self.path, "checkpoint")):
      return None
    try:
      return tf.train.get_checkpoint_state(self.path)
    except (tf.errors.OpError, ValueError):
      return None

  def _own(self, path):
    """The path in this directory of a `path` in the file `checkpoint`.

    Other directories are those of other runs, or of this one before a move.
    """
    return os.path.join(self.path, os.path.basename(path.partition("\0")[0]))

  @property
  def best(self):
    """The `RunDirectory` inside this one that keeps the best checkpoint."""
    return RunDirectory(os.path.join(self.path, _BEST))

  def check_best(self):
    """Refuses a logdir whose `best` is a link or cannot be written to."""
    if os.path.islink(self.best.path):  # It may lead into another run.
      raise errors.UserError(
          "--logdir=%s: its %s is a link; remove it, or leave --export_best out"
          % (self.path, _BEST))
    files.check_directory("logdir", self.best.path)

  def export_best(self, path):
    """Makes a checkpoint the best; raises errors as `check_best`."""
    self.check_best()
    best, name = self.best.path, os.path.basename(path)
    os.makedirs(best, exist_ok=True)
    _copy(os.path.join(self.path, stored.FILE_NAME), best)
    for data in glob.glob(glob.escape(path) + ".data-*-of-?????"):
      _copy(data, best)
    _copy(path + ".index", best)
    with files.atomic_write(os.path.join(best, "checkpoint"), "w") as stream:
      stream.write(_STATE % (name, name))
    for other in glob.glob(os.path.join(
        glob.escape(best), checkpoints.NAME + "-*")):
      if not os.path.basename(other).startswith(name + "."):
        os.remove(other)

  def best_is_outdated(self):
    """True if `best` disagrees with the record of evaluations."""
    record = self.record()
    return (record is not None and
            (record.best_step or 0) != self.best.latest_step())

  def repair_best(self):
    """Makes `best` agree with the record, if that checkpoint still exists."""
    if not self.best_is_outdated():
      return
    step = self.record().best_step
    path = self.path_of(step)
    if os.path.exists(path + ".index"):
      self.export_best(path)
    else:
      log.warning("The best checkpoint so far, of step %d, was not kept.", step)

  def record(self):
    """The `validation_record.Record` of evaluations; None without one."""
    return validation_record.load(self.path)

  def keep_record(self, record):
    """Writes a `Record`; an OSError if the directory cannot be written to."""
    validation_record.save(self.path, record)

  def resume_record(self, measure, step):
    """The record of a run that resumes from a step; a new one if that is 0."""
    record = self.record()
    if record is None:
      return validation_record.Record(measure)
    if step and record.measure == measure:
      # Steps after the checkpoint, if any, are repeated.
      return record._replace(last_step=min(record.last_step, step))
    if step:
      log.info(
          "The best so far is of the %s, which is not comparable with the %s: "
          "the next will be the best.", record.measure, measure)
    elif record.last_step:
      log.info("%s is of an earlier run that no longer has a checkpoint: it "
               "starts over.", os.path.join(
                   self.path, validation_record.FILE_NAME))
    return validation_record.Record(measure)

  def stopped_step(self, measure, patience):
    """The global step at which a run with these options stopped, or None."""
    record = None if patience is None else self.record()
    has_stopped = (record is not None and record.measure == measure and
                   record.num_worse >= patience)
    return record.last_step if has_stopped else None

  def check(self):
    """Refuses, before any work, a directory that cannot be trained in."""
    files.check_directory("logdir", self.path, [stored.FILE_NAME, "checkpoint"])

  @contextlib.contextmanager
  def reserved(self):
    """Reserves the directory for training here while the block runs."""
    files.prepare_directory("logdir", self.path)
    with errors.writing_to("logdir", self.path):
      with locks.training_lock(self.path):
        yield


def _copy(source, directory):
  """Copies a file, whole or not at all."""
  with open(source, "rb") as stream, files.atomic_write(
      os.path.join(directory, os.path.basename(source))) as copy:
    shutil.copyfileobj(stream, copy)
