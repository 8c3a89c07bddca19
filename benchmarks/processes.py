"""Runs one command and notes when each of its lines came.

Everything is measured from outside, on a process as a user starts it. All
commands get this process's environment, so whatever is set for TensorFlow or
OpenMP holds for all of them. This package must not import TensorFlow: Linux
counts the memory of a parent as the peak of its child until that has started.
"""

import collections
import contextlib
import os
import re
import signal
import subprocess
import sys
import time

from fivo.system import errors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Bytes in the unit of `ru_maxrss`; see getrusage(2).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MB = 2.**20
_LINES_OF_COMPLAINT = 3

# A line of output, and the seconds from the start of the process to its coming.
Line = collections.namedtuple("Line", ("seconds", "text"))


class Outcome(collections.namedtuple("Outcome", ("name", "lines", "peak_mb"))):
  """What a command did.

  Attributes:
    name: What the command is called in messages.
    lines: A list of `Line`s: stdout and stderr, as they came.
    peak_mb: The largest resident set, of the command or a child of it that
      ended before, in MB of 2**20 bytes.
  """

  __slots__ = ()

  def find(self, pattern):
    """Finds the lines that match a regular expression.

    Args:
      pattern: A regular expression.

    Returns:
      A list of pairs: a line's seconds, and its match object.
    """
    found = [(line.seconds, re.search(pattern, line.text))
             for line in self.lines]
    return [(seconds, match) for seconds, match in found if match]

  def require(self, pattern):
    """Like `find`, but raises a `UserError` if no line matches."""
    found = self.find(pattern)
    if not found:
      raise errors.UserError("%s: printed no line like '%s'; its last were: %s"
                             % (self.name, pattern, _last_words(self.lines)))
    return found


def run(name, command):
  """Runs a command to its end.

  Args:
    name: What to call it in messages.
    command: A list of arguments, run in the checkout; or a string, run by the
      shell in the working directory.

  Returns:
    An `Outcome`.

  Raises:
    UserError: If the command cannot be started, or fails.
  """
  is_shell = isinstance(command, str)
  start = time.perf_counter()
  process = subprocess.Popen(
      command, shell=is_shell, cwd=None if is_shell else ROOT,
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, universal_newlines=True, errors="replace",
      start_new_session=True)
  try:
    lines = [Line(time.perf_counter() - start, text.rstrip("\n"))
             for text in process.stdout]
    # Unlike getrusage's, these figures are this child's alone.
    _, status, usage = os.wait4(process.pid, 0)
  except BaseException:
    # The whole session, because a shell leaves its children behind.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise
  finally:
    process.stdout.close()
  process.returncode = status  # So that Popen does not wait for it again.
  if status:
    raise errors.UserError("%s: failed: %s" % (name, _last_words(lines)))
  return Outcome(name, lines, usage.ru_maxrss * _RSS_UNIT / _MB)


def _last_words(lines):
  """The last lines, in one."""
  texts = [line.text for line in lines if line.text.strip()]
  return " | ".join(texts[-_LINES_OF_COMPLAINT:]) or "it printed nothing"
