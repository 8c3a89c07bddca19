"""Runs `run_fivo.py`, some calls at a time, so that interruptions cost little.

Each call has a directory with its log, `MODE.log`, and with what is known of
it, `MODE.json`: the flags, how long it has run in all, and whether it has come
to its end. A call that has is not run again; one that was interrupted is, and
training goes on from its checkpoint. So the same command finishes what one that
died began.
"""

from concurrent import futures
import fcntl
import functools
import json
import os
import re
import shlex
import subprocess
import time

from absl import logging

from benchmarks import machine
from benchmarks import processes
from fivo.system import errors
from fivo.system import files
from fivo.system import signals


class Call(object):
  """A call of `run_fivo.py`."""

  def __init__(self, mode, directory, options):
    """Takes the mode, the directory, and an ordered dict of other flags."""
    self.name = "%s of %s" % (mode, os.path.basename(directory))
    self.flags = ["--mode=" + mode] + [
        "--%s=%s" % item for item in options.items()]
    self.log = os.path.join(directory, mode + ".log")
    self._path = os.path.join(directory, mode + ".json")

  def state(self):
    """A dict of `command`, `machine`, `seconds`, `cpu_seconds` and `done`."""
    command = " ".join(map(shlex.quote, self.flags))
    state = dict(command=command, machine=machine.summary(), seconds=0.,
                 cpu_seconds=0., done=False)
    if os.path.exists(self._path):
      with open(self._path) as stream:
        state.update(json.load(stream))
    if state["command"] != command:
      raise errors.UserError(
          "%s: was begun with other flags, %s; delete the directory or use "
          "another --out_dir" % (self._path, state["command"]))
    return state

  def save(self, state):
    """Keeps what is known of the call."""
    os.makedirs(os.path.dirname(self._path), exist_ok=True)
    files.write_json(self._path, sorted(state.items()))

  def last_line(self, pattern=r"\S.*"):
    """The match in the last line of the log that has one, or None."""
    with open(self.log, errors="replace") as stream:
      found = [re.search(pattern, line) for line in stream]
    return next(filter(None, reversed(found)), None)

  def last_words(self):
    """The last line of the log."""
    found = self.last_line()
    return found.group() if found else "nothing said yet"


class Runner(object):
  """Brings calls below a directory to their end, or only prints them."""

  def __init__(self, out_dir, is_dry):
    self._out_dir = out_dir
    self._is_dry = is_dry
    self._has_stopped = False
    self._running = {}  # Processes by their calls.

  def map(self, function, items, num_jobs, progress_secs):
    """Calls a function, which calls `run`, with each item, some at a time.

    Args:
      function: The function.
      items: A list.
      num_jobs: How many to work on at a time.
      progress_secs: Seconds between lines that say how far each call has come.

    Raises:
      UserError: If calls have failed, once the other items are done.
    """
    if self._is_dry:
      for item in items:
        function(item)
      return
    os.makedirs(self._out_dir, exist_ok=True)
    with open(os.path.join(self._out_dir, "lock"), "ab") as self._lock, (
        futures.ThreadPoolExecutor(num_jobs)) as executor:
      # Calls of a command that was killed have been told to end, and hold it.
      fcntl.flock(self._lock, fcntl.LOCK_EX)
      jobs = [executor.submit(function, item) for item in items]
      try:
        while futures.wait(jobs, progress_secs).not_done:
          for call in list(self._running):
            logging.info("%s: %s", call.name, call.last_words())
      finally:  # After Ctrl-C or SIGTERM; training saves a checkpoint.
        self._has_stopped = True
        for job in jobs:
          job.cancel()
        for process in list(self._running.values()):
          process.terminate()
    failures = [str(job.exception()) for job in jobs if job.exception()]
    if failures:
      raise errors.UserError("; ".join(failures))

  def run(self, call):
    """Brings a `Call` to its end, unless it is only printed.

    Args:
      call: The `Call`.

    Returns:
      Whether it has come to its end.

    Raises:
      UserError: If it fails or is killed.
    """
    if self._is_dry:
      print(" ".join(map(shlex.quote, processes.PROGRAM + call.flags)))
    elif not call.state()["done"]:
      logging.info("%s: starting.", call.name)
      code = self._run(call)
      if code:
        raise errors.UserError("%s: failed with code %d (%s): %s" % (
            call.name, code, call.log, call.last_words()))
      logging.info("%s: done.", call.name)
    return not self._is_dry

  def _run(self, call):
    """Runs a `Call`, notes what it takes, and gives its exit code."""
    state, start = call.state(), time.monotonic()
    call.save(state)
    with open(call.log, "ab") as stream:
      # A session of its own: Ctrl-C of a terminal comes from here alone.
      process = subprocess.Popen(
          processes.PROGRAM + call.flags, cwd=processes.ROOT,
          stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
          start_new_session=True, pass_fds=[self._lock.fileno()],
          preexec_fn=functools.partial(signals.die_with, os.getpid()))
    self._running[call] = process
    if self._has_stopped:
      process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    del self._running[call]
    state["seconds"] += time.monotonic() - start
    state["cpu_seconds"] += usage.ru_utime + usage.ru_stime
    state["done"] = not status
    call.save(state)
    return os.WEXITSTATUS(status) - os.WTERMSIG(status)  # One of them is 0.
