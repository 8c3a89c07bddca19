"""The one exception that stands for a mistake of the caller.

`run_fivo.py` and the data commands print its message as one line and exit;
every other exception is a defect of this code and keeps its stack trace.
"""

import contextlib
import difflib
import errno

# The state of the user's disk and permissions, not a defect of this code.
EXPECTED_ERRNOS = frozenset([
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EIO,
    errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENAMETOOLONG, errno.ENOENT,
    errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS, errno.ESTALE])


class UserError(ValueError):
  """A wrong flag, file or combination of them.

  The message is one line: the culprit, its value, and what would be right.
  """


class NonFiniteError(UserError):
  """A bound or its gradient is NaN or infinite."""


def did_you_mean(word, candidates, prefix=""):
  """Names what somebody may have meant, for the end of a message.

  Args:
    word: What was written.
    candidates: A list of what could have been written.
    prefix: What to put before the candidate.

  Returns:
    "; did you mean CANDIDATE?", or "" where none is near.
  """
  near = difflib.get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
  return "; did you mean %s%s?" % (prefix, near[0]) if near else ""


@contextlib.contextmanager
def naming_flag(name):
  """Puts a flag before the value with which a `UserError` begins."""
  try:
    yield
  except UserError as error:
    raise UserError("--%s=%s" % (name, error)) from error
