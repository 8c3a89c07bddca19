"""Runs a command and records when each line of its output arrives.

Everything is measured from outside, on a process as a user starts it. This
package must not import TensorFlow: Linux counts the memory of a parent as the
peak of its child until that has started.
"""

import collections
import contextlib
import os
import platform
import re
import signal
import subprocess
import sys
import time

from fivo.system import errors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROGRAM = [sys.executable, os.path.join(ROOT, "run_fivo.py")]
# The unit of `ru_maxrss`, see getrusage(2), in MB of 2**20 bytes.
_RSS_UNIT = 2.**-20 if sys.platform == "darwin" else 2.**-10


# Pairs of the seconds after the start and a line of output; the peak memory.
Outcome = collections.namedtuple("Outcome", "name lines peak_mb")


def find(pattern, outcome):
  """Pairs of seconds and a match object, of the lines that match."""
  found = [(seconds, re.search(pattern, text))
           for seconds, text in outcome.lines]
  return [(seconds, match) for seconds, match in found if match]


def run(name, command):
  """Runs a list of arguments, or a shell command; returns an `Outcome`."""
  is_shell = isinstance(command, str)
  start = time.perf_counter()
  process = subprocess.Popen(
      command, shell=is_shell, cwd=None if is_shell else ROOT,
      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT, universal_newlines=True, errors="replace",
      start_new_session=True)
  try:
    lines = [(time.perf_counter() - start, text.rstrip("\n"))
             for text in process.stdout]
    # Unlike getrusage's, these figures are this child's alone.
    _, process.returncode, usage = os.wait4(process.pid, 0)
  except BaseException:
    # The whole session, because a shell leaves its children behind.
    with contextlib.suppress(ProcessLookupError):
      os.killpg(process.pid, signal.SIGKILL)
    raise
  if process.returncode:
    raise errors.UserError("%s: failed: %s" % (
        name, " | ".join(text for _, text in lines[-3:])))
  return Outcome(name, lines, usage.ru_maxrss * _RSS_UNIT)


def machine():
  """The processor, and how many of its cores this process may use."""
  processor = platform.processor() or platform.machine()
  num_cores = os.cpu_count()
  if sys.platform.startswith("linux"):
    num_cores = len(os.sched_getaffinity(0))
    with open("/proc/cpuinfo") as stream:
      found = re.search(r"model name\s*: (.*)", stream.read())
    processor = found.group(1) if found else processor
  return "%s, cores: %d" % (processor, num_cores)
