"""Threads of TensorFlow's sessions, and the variables that decide on them."""

import faulthandler
import os
import re
import resource

import tensorflow as tf

from fivo.system import errors

_INTRA_OP_THREADS = "TF_NUM_INTRAOP_THREADS"
_THREADS = (_INTRA_OP_THREADS, "TF_NUM_INTEROP_THREADS")
_MAX_THREADS = 1000
_COMPILER = ("XLA_FLAGS", "TF_XLA_FLAGS")
_COMPLAINT = re.compile(r"(Unknown flags? in (XLA_FLAGS|TF_XLA_FLAGS): .*)")


def check_environment():
  """Refuses environment variables with which a session ends the process.

  Raises:
    UserError: Naming the variable, its value, and what would be right.
  """
  for name in _THREADS:
    value = os.environ.get(name, "")
    if value and not (re.fullmatch("[0-9]{1,4}", value) and
                      int(value) <= _MAX_THREADS):
      raise errors.UserError("%s=%s: must be an integer from 0 to %d" % (
          name, value, _MAX_THREADS))
  if any(os.environ.get(name) for name in _COMPILER):
    _check_compiler_flags()


def _check_compiler_flags():
  """Opens a session in a child, since only TensorFlow knows all flags."""
  reader, writer = os.pipe()
  child = os.fork()
  if not child:
    try:
      os.dup2(writer, 2)
      faulthandler.disable()
      resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
      tf.compat.v1.Session(graph=tf.Graph())
    finally:
      os._exit(0)
  os.close(writer)
  with open(reader, encoding="utf-8", errors="backslashreplace") as stream:
    complaint = _COMPLAINT.search(stream.read())
  _, status = os.waitpid(child, 0)
  if status and complaint:
    name = complaint.group(2)
    raise errors.UserError("%s=%s: %s" % (
        name, os.environ[name], complaint.group(1).strip()))


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
  if os.environ.get(_INTRA_OP_THREADS):
    return tf.compat.v1.ConfigProto()  # TensorFlow reads it where this is open.
  return tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1)
