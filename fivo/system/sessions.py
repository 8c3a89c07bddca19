"""The options of TensorFlow's sessions."""

import os

import tensorflow as tf


def options():
  """The options of a session that trains or evaluates.

  Each operation runs on one thread, while several operations run at once. To
  split the small ones of a particle filter's loop between threads costs more
  than it saves: on two cores steps are a few percent faster without at 4
  particles of 4 sequences, and nearly half as fast again at 16 of 32. Whoever
  has a model large enough to gain from it sets TF_NUM_INTRAOP_THREADS.

  Returns:
    A ConfigProto.
  """
  if os.environ.get("TF_NUM_INTRAOP_THREADS"):
    return tf.compat.v1.ConfigProto()  # TensorFlow reads it where this is open.
  return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)
