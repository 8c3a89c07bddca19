"""Faults of disks, file systems and memory, in one line.

A full disk or one that has become read-only is not a defect of this code, so it
must not give a stack trace, whether Python meets it (`OSError`) or TensorFlow's
writers (one of `tf.errors`, depending on the fault). Nor is a model that does
not fit into memory.
"""

import contextlib
import errno
import os
import re

import tensorflow as tf

from fivo.system import errors

# TensorFlow says "PATH; what the C library says of the error number".
_TENSORFLOW_FAULT = re.compile("^(?P<path>.*); (?P<reason>%s)$" % "|".join(
    re.escape(os.strerror(number)) for number in errors.EXPECTED_ERRNOS))
# The second is of a constant that it finds no room for.
_NO_MEMORY = ("OOM when allocating", "Cannot parse tensor from proto")
_MAX_WORDS = 200  # Of TensorFlow's own.
_NO_PARENT = re.compile("^Parent directory of .* doesn't exist")


def explain(error):
  """Says what the file system says in an exception.

  Args:
    error: An exception.

  Returns:
    A few words, with the path where it is known; None if the exception has
    another cause.
  """
  if isinstance(error, OSError) and error.errno in errors.EXPECTED_ERRNOS:
    return (error.strerror if error.filename is None else
            "%s: %s" % (error.filename, error.strerror))
  lines = str(getattr(error, "message", error)).splitlines()
  if isinstance(error, tf.errors.OpError) and lines:
    found = _TENSORFLOW_FAULT.match(lines[0])
    return found and "%s: %s" % (found.group("path"), found.group("reason"))
  # TensorFlow's Saver, where the directory has gone.
  if isinstance(error, ValueError) and lines and _NO_PARENT.match(lines[0]):
    return os.strerror(errno.ENOENT)
  return None


@contextlib.contextmanager
def writing_to(flag, path, remark=""):
  """Turns a fault into one line that names the flag.

  Args:
    flag: The flag that names what the block writes to.
    path: Its value.
    remark: What to say beside the fault.

  Yields:
    Nothing.

  Raises:
    UserError: If the block raises an exception that `explain` can explain.
  """
  try:
    yield
  except errors.UserError:
    raise
  except (OSError, ValueError, tf.errors.OpError) as e:
    reason = explain(e)
    if reason is None:
      raise
    raise errors.UserError("--%s=%s: cannot be written to: %s%s" % (
        flag, path, reason, remark and "; " + remark)) from e


@contextlib.contextmanager
def naming_memory():
  """Turns a lack of memory into one line that names the flags that cost it.

  Yields:
    Nothing.

  Raises:
    UserError: If the block runs out of memory, in Python or in TensorFlow.
  """
  try:
    yield
  except (MemoryError, tf.errors.OpError) as e:
    words = str(getattr(e, "message", e)).partition("\n")[0][:_MAX_WORDS]
    # Other exhaustion is of a disk, or of a message that is too large.
    if not isinstance(e, MemoryError) and not words.startswith(_NO_MEMORY):
      raise
    raise errors.UserError(
        "out of memory%s; --batch_size, --num_samples, --latent_size and the "
        "length of sequences decide how much is needed" % (
            words and ": " + words)) from e
