"""Tests of what a run survives: kills, full disks, read-only directories."""

import errno

import pytest
import tensorflow as tf

from fivo import errors
from fivo import faults


def _tensorflow_error(class_, message):
  return class_(None, None, message)


@pytest.mark.parametrize("error, explanation", [
    (OSError(errno.ENOSPC, "No space left on device"),
     "No space left on device"),
    (OSError(errno.EROFS, "Read-only file system", "/a/b"),
     "/a/b: Read-only file system"),
    (_tensorflow_error(
        tf.errors.ResourceExhaustedError,
        "/a/m; x.tempstate1; No space left on device\n\t [[node save/SaveV2]]"),
     "/a/m; x.tempstate1: No space left on device"),
    (_tensorflow_error(tf.errors.OutOfRangeError, "/a; File too large"),
     "/a: File too large"),
    (_tensorflow_error(tf.errors.PermissionDeniedError,
                       "/a; Read-only file system"),
     "/a: Read-only file system"),
    (_tensorflow_error(tf.errors.NotFoundError,
                       "/a; No such file or directory"),
     "/a: No such file or directory"),
    (ValueError("Parent directory of /a/b doesn't exist, can't save."),
     "No such file or directory"),
])
def test_faults_are_explained(error, explanation):
  assert faults.explain(error) == explanation
  with pytest.raises(errors.UserError) as caught:
    with faults.naming_flag("logdir", "/x", "a remark"):
      raise error
  assert str(caught.value) == (
      "--logdir=/x: cannot be written to: %s; a remark" % explanation)


@pytest.mark.parametrize("error", [
    OSError(errno.EINVAL, "Invalid argument"),
    ValueError("shapes differ"),
    _tensorflow_error(tf.errors.ResourceExhaustedError,
                      "OOM when allocating tensor with shape[9,9]"),
    _tensorflow_error(tf.errors.OutOfRangeError, "End of sequence"),
    KeyError("x"),
])
def test_defects_keep_their_stack_trace(error):
  assert faults.explain(error) is None
  with pytest.raises(type(error)) as caught:
    with faults.naming_flag("logdir", "/x"):
      raise error
  assert caught.value is error
