"""Finding, checking and restoring checkpoints."""

import glob
import itertools
import os
import re
import time

import tensorflow as tf

from fivo.system import errors
from fivo.system import log

NAME = "model.ckpt"
_STEP = re.compile(r"model\.ckpt-(\d{1,12})$")
_SECONDS_BETWEEN_LOOKS = 1.
_LOOKS_PER_LINE = 30


class UnreadableError(errors.UserError):
  """A checkpoint is damaged, or gone."""


def step(path):
  """The global step in a checkpoint's path; 0 for None or another name."""
  match = _STEP.search(path or "")
  return int(match.group(1)) if match else 0


def path_of(logdir, global_step):
  """The path without suffix that the checkpoint of a step has."""
  return os.path.join(logdir, "%s-%d" % (NAME, global_step))


def latest(logdir, warn=True, known=None):
  """Returns the path, without suffix, of a logdir's newest whole checkpoint.

  It is None where there is none. Checkpoints, which may be half copied or half
  written, are read in full, except for a path known to be whole.
  """
  path, damaged = _find(logdir, known)
  if warn:
    for damaged_path, damage in damaged:
      log.warning("%s: not a whole checkpoint (%s); looking for another.",
                  damaged_path, damage)
  return path


def to_resume(logdir):
  """The path of the checkpoint from which training goes on, or None.

  A `UserError` if all are damaged and training anew would lose steps.
  """
  path, damaged = _find(logdir)
  if path is None:
    for damaged_path, damage in damaged:
      if step(damaged_path) > 0:
        raise errors.UserError(
            "%s: not a whole checkpoint (%s), and there is no other; copy it "
            "again, delete it to start anew, or use another --logdir" % (
                damaged_path, damage))
  return path


def require(logdir, wait=False):
  """The path of the newest checkpoint; waits, or raises, if there is none."""
  for looks in itertools.count():
    path = latest(logdir, warn=looks == 0)
    if path is not None:
      return path
    if not wait:
      raise errors.UserError(
          "--logdir=%s: %s; give the directory of a training run, or "
          "--wait_for_checkpoint" % (logdir, _why_none(logdir)))
    if looks % _LOOKS_PER_LINE == 0:
      log.info("Waiting for a checkpoint in %s.", logdir)
    time.sleep(_SECONDS_BETWEEN_LOOKS)


def _why_none(logdir):
  """Says in a few words why a logdir has no checkpoint to restore."""
  if not os.path.isdir(logdir):
    return "is a file" if os.path.exists(logdir) else "no such directory"
  _, damaged = _find(logdir)
  if damaged:
    return "has no whole checkpoint: of %s, %s" % (
        os.path.basename(damaged[0][0]), damaged[0][1])
  return "has no checkpoint"


def use_newest(logdir, path, use):
  """Returns `use(path)`, or that of a newer checkpoint where this one is gone.

  A run that trains meanwhile may have removed it.
  """
  while True:
    try:
      return use(path)
    except UnreadableError as e:
      newer = latest(logdir, warn=False)
      if newer in (None, path):
        raise
      log.info("Passed over: %s", e)
      path = newer


def listed(logdir):
  """The paths that the file `checkpoint` lists and that exist, oldest first."""
  state = _checkpoint_state(logdir)
  paths = state.all_model_checkpoint_paths if state is not None else []
  return [path for path in (_in_logdir(logdir, path) for path in paths)
          if _STEP.search(path) and os.path.exists(path + ".index")]


def _find(logdir, known=None):
  """The path of the newest whole checkpoint, or None, and what is not whole.

  The latter are pairs of the path of a newer one and what is wrong with it.
  """
  candidates = []
  state = _checkpoint_state(logdir)
  if state is not None:
    candidates.append(_in_logdir(logdir, state.model_checkpoint_path))
  found = [path[:-len(".index")] for path in glob.glob(
      os.path.join(glob.escape(logdir), NAME + "-*.index"))]
  candidates += sorted(
      (path for path in found if _STEP.search(path) and path not in candidates),
      key=step, reverse=True)
  damaged = []
  for path in candidates:
    damage = None if path == known else _damage(path)
    if damage is None:
      return path, damaged
    damaged.append((path, damage))
  return None, damaged


def _checkpoint_state(logdir):
  """Reads the file `checkpoint`; None where it holds nothing of use."""
  # To read a pipe would never end.
  if not os.path.isfile(os.path.join(logdir, "checkpoint")):
    return None
  try:
    return tf.train.get_checkpoint_state(logdir)
  except (tf.errors.OpError, ValueError):
    return None


def _in_logdir(logdir, path):
  """The path in the logdir of what the file `checkpoint` calls `path`.

  Elsewhere there are only other runs, and this one before it was moved.
  """
  return os.path.join(logdir, os.path.basename(path.partition("\0")[0]))


def _damage(path):
  """Says in a few words what is wrong with a checkpoint; None: nothing."""
  data = glob.glob(glob.escape(path) + ".data-?????-of-?????")
  if not os.path.isfile(path + ".index"):
    return "its index is missing"
  if not data or len(data) != int(data[0][-len("00001"):]):
    return "a data file is missing"
  try:
    reader = tf.compat.v1.train.NewCheckpointReader(path)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)  # Verifies its checksum.
  except (tf.errors.OpError, ValueError) as e:
    return errors.first_line(e)
  return None


def check_compatible(path, variables):
  """Refuses a checkpoint that lacks a variable, or has it in another form."""
  try:
    reader = tf.compat.v1.train.NewCheckpointReader(path)
  except (tf.errors.OpError, ValueError) as e:
    raise UnreadableError("%s: not a readable checkpoint: %s" % (
        path, errors.first_line(e))) from e
  shapes = reader.get_variable_to_shape_map()
  dtypes = reader.get_variable_to_dtype_map()
  variables = sorted(variables, key=lambda v: v.op.name)
  for variable in variables:
    name, shape = variable.op.name, variable.shape.as_list()
    dtype = variable.dtype.base_dtype
    if name not in shapes:
      raise errors.UserError(
          "%s: has no variable %s (the model's shape is %s); %s" % (
              path, name, shape, _explain_missing(variables, shapes)))
    if shapes[name] != shape:
      raise errors.UserError(
          "%s: variable %s has shape %s, the model's is %s; give the flags of "
          "the run, or another --logdir" % (path, name, shapes[name], shape))
    if dtypes[name] != dtype:
      raise errors.UserError(
          "%s: variable %s of shape %s is %s, the model's is %s; give another "
          "--logdir" % (path, name, shape, dtypes[name].name, dtype.name))


def _explain_missing(variables, shapes):
  """Says why a checkpoint lacks some variables, and what would help."""
  missing = set(v.op.name for v in variables if v.op.name not in shapes)
  trained = set(v.op.name for v in tf.compat.v1.trainable_variables())
  if trained and not missing & trained:
    return ("the checkpoint holds the model but not the optimizer's state, so "
            "it can be evaluated but not trained further; use another --logdir")
  return ("the checkpoint is of another model, give its flags or another "
          "--logdir")


def restore(session, path, saver=None):
  """Restores every variable of a session's graph, by a new `saver` if None."""
  variables = session.graph.get_collection(
      tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)
  check_compatible(path, variables)
  if saver is None:
    with session.graph.as_default():
      saver = tf.compat.v1.train.Saver(variables)
  try:
    saver.restore(session, path)
  except (tf.errors.OpError, ValueError) as e:
    raise UnreadableError(
        "%s: damaged: %s" % (path, errors.first_line(e))) from e
