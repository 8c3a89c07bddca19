"""Finding, checking and restoring checkpoints."""

import glob
import os
import re
import time

from absl import logging
import tensorflow as tf

from fivo import errors

_STEP = re.compile(r"model\.ckpt-(\d+)$")
_SECONDS_BETWEEN_LOOKS = 1.
_LOOKS_PER_LINE = 30


def latest(logdir):
  """Finds the newest whole checkpoint of a logdir.

  A logdir may have been moved, and a process may have died while it wrote: the
  file `checkpoint` is only the first place to look.

  Args:
    logdir: A directory, which need not exist.

  Returns:
    The checkpoint's path without suffix, or None where there is none.
  """
  candidates = []
  state = _checkpoint_state(logdir)
  if state is not None and state.model_checkpoint_path:
    path = state.model_checkpoint_path
    candidates = [
        path if os.path.isabs(path) else os.path.join(logdir, path),
        os.path.join(logdir, os.path.basename(path))]
  found = [index[:-len(".index")] for index in glob.glob(
      os.path.join(glob.escape(logdir), "model.ckpt-*.index"))]
  candidates += sorted(
      (path for path in found if _STEP.search(path)), key=step, reverse=True)
  for path in candidates:
    if _is_whole(path):
      return path
  return None


def _checkpoint_state(logdir):
  try:
    return tf.train.get_checkpoint_state(logdir)
  except (tf.errors.OpError, UnicodeDecodeError):
    return None


def _is_whole(path):
  """Whether an index and all the data files that it counts are there."""
  data = glob.glob(glob.escape(path) + ".data-?????-of-?????")
  if not os.path.exists(path + ".index") or not data:
    return False
  return len(data) == int(data[0][-len("00001"):])


def step(path):
  """The global step of a checkpoint, from its name.

  Args:
    path: A checkpoint's path, or None.

  Returns:
    An int; 0 where there is no checkpoint, or its name does not tell.
  """
  match = _STEP.search(path or "")
  return int(match.group(1)) if match else 0


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
    path = latest(logdir)
    if path is not None:
      return path
    if not wait:
      raise errors.UserError(
          "--logdir=%s: %s; give the directory of a training run, or "
          "--wait_for_checkpoint" % (
              logdir, "has no checkpoint" if os.path.isdir(logdir) else
              "is a file" if os.path.exists(logdir) else "no such directory"))
    if looks % _LOOKS_PER_LINE == 0:
      logging.info("Waiting for a checkpoint in %s.", logdir)
    looks += 1
    time.sleep(_SECONDS_BETWEEN_LOOKS)


def check_compatible(path, variables):
  """Refuses a checkpoint that does not hold what a graph needs.

  Args:
    path: A checkpoint's path.
    variables: The graph's variables.

  Raises:
    UserError: Naming the first variable that is missing or has another shape.
  """
  try:
    shapes = tf.compat.v1.train.NewCheckpointReader(
        path).get_variable_to_shape_map()
  except (tf.errors.OpError, ValueError) as e:
    raise errors.UserError("%s: not a readable checkpoint: %s" % (
        path, str(e).splitlines()[0])) from e
  for variable in sorted(variables, key=lambda v: v.op.name):
    name, shape = variable.op.name, variable.shape.as_list()
    if name not in shapes:
      raise errors.UserError(
          "%s: has no variable %s (the model's shape is %s); the checkpoint is "
          "of another model, give its flags or another --logdir" % (
              path, name, shape))
    if shapes[name] != shape:
      raise errors.UserError(
          "%s: variable %s has shape %s, the model's is %s; give the flags of "
          "the run, or another --logdir" % (path, name, shapes[name], shape))


def restore(session, path):
  """Restores every variable of a session's graph.

  Args:
    session: A Session.
    path: A checkpoint's path. It may hold more than the graph needs.

  Raises:
    UserError: If the checkpoint lacks a variable, or is damaged.
  """
  variables = session.graph.get_collection(
      tf.compat.v1.GraphKeys.GLOBAL_VARIABLES)
  check_compatible(path, variables)
  with session.graph.as_default():
    saver = tf.compat.v1.train.Saver(variables)
  try:
    saver.restore(session, path)
  except (tf.errors.OpError, ValueError) as e:
    raise errors.UserError(
        "%s: damaged: %s" % (path, str(e).splitlines()[0])) from e
