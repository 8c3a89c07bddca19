"""Checkpoints of one variable."""

import os

import tensorflow as tf

from fivo.logdir import checkpoints


def save(logdir, *steps, relative=True):
  """Saves checkpoints of a variable w `[3]` that is the step; the last path."""
  os.makedirs(str(logdir), exist_ok=True)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable("w", [3])
    saver = tf.compat.v1.train.Saver(save_relative_paths=relative)
    for step in steps:
      variable.load([step] * 3, session)
      path = saver.save(
          session, os.path.join(str(logdir), "model.ckpt"), global_step=step)
  return path


def restore(path, size=3, name="w", dtype=tf.float32):
  """Restores a variable of a size; gives its value."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    variable = tf.compat.v1.get_variable(name, [size], dtype)
    checkpoints.restore(session, path)
    return session.run(variable)
