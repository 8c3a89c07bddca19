"""Runs a command and notes when each of its lines came.

Everything is measured from outside, on a process as a user starts it. This
package must not import TensorFlow: Linux counts the memory of a parent as the
peak of its child until that has started.
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
PROGRAM = [sys.executable, os.path.join(ROOT, "run_fivo.py")]

# Bytes in the unit of `ru_maxrss`; see getrusage(2).
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_MB = 2.**20
_NUM_LAST_WORDS = 3

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
    """Pairs of seconds and a match object for each line that matches."""
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
    UserError: If the command fails.
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
    _, process.returncode, usage = os.wait4(process.pid, 0)
  except BaseException:
    # The whole session, because a shell leaves its children behind.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    raise
  finally:
    process.stdout.close()
  if process.returncode:
    raise errors.UserError("%s: failed: %s" % (name, _last_words(lines)))
  return Outcome(name, lines, usage.ru_maxrss * _RSS_UNIT / _MB)


def _last_words(lines):
  texts = [line.text for line in lines if line.text.strip()]
  return " | ".join(texts[-_NUM_LAST_WORDS:]) or "it printed nothing"
