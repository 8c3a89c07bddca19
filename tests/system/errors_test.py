"""Tests of what is told in one line, and what keeps its stack trace."""

import errno

import pytest
import tensorflow as tf

from fivo.system import errors


def _tensorflow_error(class_, message):
  return class_(None, None, message)


@pytest.mark.parametrize("error, line", [
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
    (MemoryError(), "out of memory; --batch_size, "),
    (MemoryError("Unable to allocate array"),
     "out of memory: Unable to allocate array; --batch_size, "),
    (_tensorflow_error(tf.errors.ResourceExhaustedError,
                       "OOM when allocating tensor with shape[9,9]\n\t[[node"),
     "out of memory: OOM when allocating tensor with shape[9,9]; --batch_size"),
])
def test_memory(error, start):
  assert errors.explain(error).startswith(start)
  with pytest.raises(type(error)):
    with errors.writing_to("logdir", "/x"):
      raise error


@pytest.mark.parametrize("error", [
    OSError(errno.EINVAL, "Invalid argument"),
    ValueError("shapes differ"),
    ValueError("/a; No space left on device"),
    _tensorflow_error(tf.errors.OutOfRangeError, "End of sequence"),
    KeyError("x"),
])
def test_defects_keep_their_stack_trace(error):
  assert errors.explain(error) is None
  with pytest.raises(type(error)) as caught:
    with errors.writing_to("logdir", "/x"):
      raise error
  assert caught.value is error


def test_naming_flag():
  with pytest.raises(errors.UserError) as caught:
    with errors.naming_flag("in_file"):
      raise errors.UserError("x.pkl: no")
  assert str(caught.value) == "--in_file=x.pkl: no"


@pytest.mark.parametrize("word, guess", [
    ("FIVO", "; did you mean --fivo?"), ("best", "")])
def test_did_you_mean(word, guess):
  assert errors.did_you_mean(word, ["elbo", "fivo"], "--") == guess
