"""Errors that are not defects of this code, each explained in one line."""

import contextlib
import difflib
import errno
import os
import re

# The state of the user's disk and permissions.
_ERRNOS = frozenset([
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO,
    errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EPIPE, errno.EROFS,
    errno.ESTALE])
# TensorFlow's message is "PATH; the C library's message for the error number";
# its Saver has a message of its own for a missing directory.
_DISK = re.compile(r"^(.*); (%s)$" % "|".join(
    re.escape(os.strerror(number)) for number in _ERRNOS))
_GONE = re.compile(r"^Parent directory of .* doesn't exist")
# The second is about a constant that does not fit.
_NO_MEMORY = ("OOM when allocating", "Cannot parse tensor from proto")
_MAX_WORDS = 200  # Of TensorFlow's own.


class UserError(ValueError):
  """A wrong flag, file or combination of them.

  The message is one line: the culprit, its value, and what would be right.
  """


class NonFiniteError(UserError):
  """A bound or its gradient is NaN or infinite."""


def explain(error):
  """Says in one line what went wrong; None if it is a defect of this code."""
  if isinstance(error, UserError):
    return str(error)
  words = first_line(error)
  if isinstance(error, MemoryError) or (
      _is_tensorflows(error) and words.startswith(_NO_MEMORY)):
    return ("out of memory%s; --batch_size, --num_samples, --latent_size and "
            "the length of sequences decide how much is needed" % (
                words and ": " + words[:_MAX_WORDS]))
  return _explain_disk(error)


def _explain_disk(error):
  """Quotes the file system if an exception comes from it; else None."""
  if isinstance(error, OSError) and error.errno in _ERRNOS:
    return (error.strerror if error.filename is None else
            "%s: %s" % (error.filename, error.strerror))
  if isinstance(error, ValueError) and _GONE.match(first_line(error)):
    return os.strerror(errno.ENOENT)
  found = _is_tensorflows(error) and _DISK.match(first_line(error))
  return "%s: %s" % found.groups() if found else None


def _is_tensorflows(error):
  return type(error).__module__.startswith("tensorflow.")


def first_line(error):
  """The relevant line of a message, even of TensorFlow's long ones."""
  return str(getattr(error, "message", error)).partition("\n")[0]


@contextlib.contextmanager
def writing_to(flag, path, remark=""):
  """Turns a disk error into a `UserError` about --flag=path."""
  try:
    yield
  except Exception as e:  # pylint: disable=broad-except
    reason = _explain_disk(e)
    if reason is None:
      raise
    raise UserError("--%s=%s: cannot be written to: %s%s" % (
        flag, path, reason, remark and "; " + remark)) from e


@contextlib.contextmanager
def naming_flag(name):
  """Puts a flag's name before the value that a `UserError` begins with."""
  try:
    yield
  except UserError as error:
    raise UserError("--%s=%s" % (name, error)) from error


def did_you_mean(word, candidates, prefix=""):
  """Says "; did you mean CANDIDATE?", or "" if no candidate is similar."""
  near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
  return "; did you mean %s%s?" % (prefix, near[0]) if near else ""
