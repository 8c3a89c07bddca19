"""Finding, checking and restoring checkpoints."""

import glob
import os
import re
import time

import tensorflow as tf

from fivo.logdir import checkpoint_index
from fivo.system import errors
from fivo.system import log

NAME = "model.ckpt"
_STEP = re.compile(r"model\.ckpt-(\d{1,12})$")
# What TensorFlow's and this program's own writers leave when they are killed.
_LEFTOVERS = ("model.ckpt-*.tempstate*", "model.ckpt-*.tmp*",
              "checkpoint.tmp*", "config.json.*.tmp", "validation.json.*.tmp")
# Of the file `checkpoint`; a path takes some hundred.
_MAX_STATE_BYTES = 1 << 20
_SECONDS_BETWEEN_LOOKS = 1.
_LOOKS_PER_LINE = 30


class UnreadableError(errors.UserError):
  """A checkpoint is damaged, or gone."""


def latest(logdir, warn=True, known=None):
  """Finds the newest whole checkpoint of a logdir.

  A logdir may have been moved or copied in part, and a process may have died
  while it wrote: the file `checkpoint` is only the first place to look, and
  what is found is read in full before it is trusted.

  Args:
    logdir: A directory, which need not exist.
    warn: Whether to log a warning of each damaged checkpoint passed over.
    known: The path of one that was whole before, and is not read again, or
      None.

  Returns:
    The checkpoint's path without suffix, or None where there is none.
  """
  path, damaged = _find(logdir, known)
  if warn:
    for damaged_path, damage in damaged:
      log.warning("%s: not a whole checkpoint (%s); looking for another.",
                  damaged_path, damage)
  return path


def to_resume(logdir):
  """Finds the checkpoint from which training goes on.

  Args:
    logdir: A directory, which need not exist.

  Returns:
    The checkpoint's path without suffix, or None where training starts anew:
    there is no checkpoint, or none but that of step 0, which a process did not
    live to write in full.

  Raises:
    UserError: If there are only damaged checkpoints, and steps to lose.
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


def listed(logdir):
  """The checkpoints that the file `checkpoint` lists, oldest first.

  Before the last of them comes one that a process saved and did not live to
  list, else every such death would leave a checkpoint for good: the one
  checkpoint that is newer than the last. If several are newer, they are
  somebody's own.

  Args:
    logdir: A directory.

  Returns:
    A list of paths without suffix, of those that are there.
  """
  state = _checkpoint_state(logdir)
  paths = state.all_model_checkpoint_paths if state is not None else []
  paths = [path for path in (_in_logdir(logdir, path) for path in paths)
           if _STEP.search(path) and os.path.exists(path + ".index")]
  if paths:
    newer = [path for path in _found(logdir)
             if path not in paths and step(path) > max(map(step, paths))]
    if len(newer) == 1:
      paths[-1:-1] = newer
  return paths


def drop_one_too_many(paths, num_kept):
  """Removes the first checkpoint if there are too many.

  A `Saver` removes one checkpoint with each that it saves. If it were handed
  one more than it keeps, there would be one too many for good.

  Args:
    paths: A list of paths without suffix.
    num_kept: How many to keep.

  Returns:
    A list, the paths that are left.
  """
  if len(paths) <= num_kept:
    return paths
  tf.compat.v1.train.remove_checkpoint(paths[0])
  return paths[1:]


def remove_leftovers(logdir):
  """Removes what processes that died while they wrote left behind.

  That is temporary files, and the data of a checkpoint without its index, which
  is written last, unless the file `checkpoint` lists it.

  Args:
    logdir: A directory in which no other process trains.
  """
  paths = [path for pattern in _LEFTOVERS for path in glob.glob(
      os.path.join(glob.escape(logdir), pattern))]
  state = _checkpoint_state(logdir)
  kept = set() if state is None else set(
      os.path.basename(path) for path in state.all_model_checkpoint_paths)
  for path in glob.glob(
      os.path.join(glob.escape(logdir), "model.ckpt-*.data-*-of-?????")):
    prefix = path.rpartition(".data-")[0]
    if (os.path.basename(prefix) not in kept and
        not os.path.exists(prefix + ".index")):
      paths.append(path)
  for path in paths:
    os.remove(path)
  if paths:
    log.info("Removed %d half-written files of an earlier process from %s.",
             len(paths), logdir)


def _find(logdir, known=None):
  """Looks for a whole checkpoint.

  Args:
    logdir: A directory, which need not exist.
    known: See `latest`.

  Returns:
    The path of the newest whole checkpoint, or None; and a list of pairs: the
    path of each damaged one that was found before, and what is wrong with it.
  """
  candidates = []
  state = _checkpoint_state(logdir)
  if state is not None and state.model_checkpoint_path:
    candidates = [_in_logdir(logdir, state.model_checkpoint_path)]
  candidates += sorted(
      (path for path in _found(logdir) if path not in candidates),
      key=step, reverse=True)
  damaged = []
  for path in candidates:
    damage = None if path == known else _damage(path)
    if damage is None:
      return path, damaged
    damaged.append((path, damage))
  return None, damaged


def _found(logdir):
  """The checkpoints in a logdir that have an index, in any order."""
  indices = glob.glob(os.path.join(glob.escape(logdir), "model.ckpt-*.index"))
  paths = [index[:-len(".index")] for index in indices]
  return [path for path in paths if _STEP.search(path)]


def _checkpoint_state(logdir):
  """Reads the file `checkpoint`; None where it holds nothing of use."""
  path = os.path.join(logdir, "checkpoint")
  # To read a pipe would never end.
  if not os.path.isfile(path) or os.path.getsize(path) > _MAX_STATE_BYTES:
    return None
  try:
    return tf.train.get_checkpoint_state(logdir)
  except (tf.errors.OpError, ValueError):
    return None


def _in_logdir(logdir, path):
  """Finds the checkpoint that the file `checkpoint` calls `path`.

  In the logdir, whatever directory the file names: it may have been written
  before a move; and what lies elsewhere belongs to another run, which training
  here must neither take for its own nor delete when it has new checkpoints.

  Args:
    logdir: A directory.
    path: A path without suffix, which may hold anything.

  Returns:
    A path without suffix.
  """
  return os.path.join(logdir, os.path.basename(path.partition("\0")[0]))


def _damage(path):
  """Says in a few words what is wrong with a checkpoint; None: nothing."""
  data = glob.glob(glob.escape(path) + ".data-?????-of-?????")
  if not os.path.exists(path + ".index"):
    return "its index is missing"
  if not data or len(data) != int(data[0][-len("00001"):]):
    return "a data file is missing"
  if glob.escape(path) != path:
    return None  # TensorFlow's reader takes the path for a pattern.
  try:
    checkpoint_index.check(path)
    reader = tf.compat.v1.train.NewCheckpointReader(path)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)  # Verifies its checksum.
  except (tf.errors.OpError, ValueError) as e:
    return str(getattr(e, "message", e)).partition("\n")[0]
  return None


def step(path):
  """The global step of a checkpoint, from its name.

  Args:
    path: A checkpoint's path, or None.

  Returns:
    An int; 0 where there is no checkpoint, or its name does not tell.
  """
  match = _STEP.search(path or "")
  return int(match.group(1)) if match else 0


def path_of(logdir, global_step):
  """The path without suffix that the checkpoint of a step has."""
  return os.path.join(logdir, "%s-%d" % (NAME, global_step))


def require(logdir, wait=False):
  """Finds the newest checkpoint, or says that there is none.

  Args:
    logdir: A directory.
    wait: Whether to wait for a checkpoint to appear.

  Returns:
    The checkpoint's path without suffix.

  Raises:
    UserError: If there is none and `wait` is false.
  """
  looks = 0
  while True:
    path = latest(logdir, warn=looks == 0)
    if path is not None:
      return path
    if not wait:
      raise errors.UserError(
          "--logdir=%s: %s; give the directory of a training run, or "
          "--wait_for_checkpoint" % (logdir, _why_none(logdir)))
    if looks % _LOOKS_PER_LINE == 0:
      log.info("Waiting for a checkpoint in %s.", logdir)
    looks += 1
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


def check_compatible(path, variables):
  """Refuses a checkpoint that does not hold what a graph needs.

  Args:
    path: A checkpoint's path.
    variables: The graph's variables.

  Raises:
    UserError: Naming the first variable that is missing or has another shape
      or type; `UnreadableError` if the checkpoint cannot be read.
  """
  try:
    checkpoint_index.check(path)
    reader = tf.compat.v1.train.NewCheckpointReader(path)
    shapes = reader.get_variable_to_shape_map()
    dtypes = reader.get_variable_to_dtype_map()
  except (tf.errors.OpError, ValueError) as e:
    raise UnreadableError("%s: not a readable checkpoint: %s" % (
        path, str(e).splitlines()[0])) from e
  variables = sorted(variables, key=lambda v: v.op.name)
  for variable in variables:
    name, shape = variable.op.name, variable.shape.as_list()
    if name not in shapes:
      raise errors.UserError(
          "%s: has no variable %s (the model's shape is %s); %s" % (
              path, name, shape, _explain_missing(variables, shapes)))
    if shapes[name] != shape:
      raise errors.UserError(
          "%s: variable %s has shape %s, the model's is %s; give the flags of "
          "the run, or another --logdir" % (path, name, shapes[name], shape))
    if dtypes[name] != variable.dtype.base_dtype:
      raise errors.UserError(
          "%s: variable %s of shape %s is %s, the model's is %s; give another "
          "--logdir" % (path, name, shape, dtypes[name].name,
                        variable.dtype.base_dtype.name))


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
  """Restores every variable of a session's graph.

  Args:
    session: A Session.
    path: A checkpoint's path. It may hold more than the graph needs.
    saver: A Saver of these variables. None: one is added to the graph.

  Raises:
    UserError: If the checkpoint lacks a variable, or is damaged or gone
      (`UnreadableError`).
  """
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
        "%s: damaged: %s" % (path, str(e).splitlines()[0])) from e
