"""One checkpoint: its step, what is damaged in it, and restoring it."""

import glob
import os
import re

import tensorflow as tf

from fivo.system import errors

NAME = "model.ckpt"
_STEP = re.compile(r"model\.ckpt-(\d{1,12})$")


class UnreadableError(errors.UserError):
  """A checkpoint is damaged or missing."""


def step(path):
  """The global step in a checkpoint's path; 0 for None or another name."""
  match = _STEP.search(path or "")
  return int(match.group(1)) if match else 0


def is_named(path):
  """True if a path, without suffix, has the name of a checkpoint."""
  return _STEP.search(path) is not None


def missing_file(path):
  """Says briefly which of a checkpoint's files is missing, or None."""
  data = glob.glob(glob.escape(path) + ".data-?????-of-?????")
  if not os.path.isfile(path + ".index"):
    return "its index is missing"
  if not data or len(data) != int(data[0][-len("00001"):]):
    return "a data file is missing"
  return None


def damage(path):
  """Says briefly what is wrong in a checkpoint's files, or None."""
  try:
    reader = tf.compat.v1.train.NewCheckpointReader(path)
    for name in reader.get_variable_to_shape_map():
      reader.get_tensor(name)  # Verifies its checksum.
  except (tf.errors.OpError, ValueError) as e:
    return errors.first_line(e)
  return None


def check_compatible(path, variables):
  """Refuses a checkpoint that lacks a variable, or has another shape of it."""
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
  """Restores all variables of a session's graph, with a new `saver` if None."""
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
