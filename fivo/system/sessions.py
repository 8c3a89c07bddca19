"""The options of TensorFlow's sessions."""

import os

import tensorflow as tf


def options():
  """The ConfigProto of a session that trains or evaluates.

  Several operations run at once, each on one thread: splitting the small ones
  of a particle filter's loop costs more than it saves (on two cores a few
  percent at 4 particles of 4 sequences, half at 16 of 32).
  TF_NUM_INTRAOP_THREADS is for models that are large enough to gain from it.
  """
  if os.environ.get("TF_NUM_INTRAOP_THREADS"):
    return tf.compat.v1.ConfigProto()  # TensorFlow reads the variable.
  return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)
