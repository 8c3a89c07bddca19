"""Tests of what is told in one line, and what keeps its stack trace."""

import errno

import pytest
import tensorflow as tf

from fivo.system import errors

_FULL = tf.errors.ResourceExhaustedError


@pytest.mark.parametrize("error, line", [
    (OSError(errno.ENOSPC, "No space left on device"),
     "No space left on device"),
    (OSError(errno.EROFS, "Read-only file system", "/a/b"),
     "/a/b: Read-only file system"),
    (_FULL(None, None, "/a/m; x.tempstate1; No space left on device\n"
                       "\t [[node save/SaveV2]]"),
     "/a/m; x.tempstate1: No space left on device"),
    (tf.errors.OutOfRangeError(None, None, "/a; File too large"),
     "/a: File too large"),
    (ValueError("Parent directory of /a/b doesn't exist, can't save."),
     "No such file or directory"),
])
def test_faults_of_disks(error, line):
  assert errors.explain(error) == line
  with pytest.raises(errors.UserError) as caught:
    with errors.writing_to("logdir", "/x", "a remark"):
      raise error
  assert str(caught.value) == (
      "--logdir=/x: cannot be written to: %s; a remark" % line)


@pytest.mark.parametrize("error, start", [
    (MemoryError("Unable to allocate array"),
     "out of memory: Unable to allocate array; --batch_size, "),
    (_FULL(None, None, "OOM when allocating tensor with shape[9,9]\n\t[[node"),
     "out of memory: OOM when allocating tensor with shape[9,9]; --batch_size"),
    (OSError(errno.EINVAL, "Invalid argument"), None),
    (ValueError("/a; No space left on device"), None),
    (tf.errors.OutOfRangeError(None, None, "End of sequence"), None),
    (KeyError("x"), None),
])
def test_no_faults_of_disks(error, start):
  """Memory is explained; defects keep their stack trace."""
  line = errors.explain(error)
  assert line is None if start is None else line.startswith(start)
  with pytest.raises(type(error)) as caught:
    with errors.writing_to("logdir", "/x"):
      raise error
  assert caught.value is error
