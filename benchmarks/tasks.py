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
import threading
import time

from absl import logging

from benchmarks import machine
from benchmarks import processes
from fivo.system import errors
from fivo.system import files
from fivo.system import signals

# How often a call that a signal has killed is started once more.
_MAX_DEATHS = 3


class Call(object):
  """A call of `run_fivo.py`, to be brought to its end."""

  def __init__(self, mode, directory, options):
    """Takes the mode, the directory, and an ordered dict of other flags."""
    self.name = "%s of %s" % (mode, os.path.basename(directory))
    self.flags = ["--mode=" + mode] + ["--%s=%s" % item
                                       for item in options.items()]
    self.log = os.path.join(directory, mode + ".log")
    self.process = None
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

  def last_line(self, pattern=r"\S.*"):
    """The match in the last line of the log that has one, or None."""
    with open(self.log, errors="replace") as stream:
      found = [re.search(pattern, line) for line in stream]
    return next(filter(None, reversed(found)), None)

  def start(self, lock):
    """Starts the process, which inherits the descriptor of a lock."""
    os.makedirs(os.path.dirname(self.log), exist_ok=True)
    with open(self.log, "ab") as stream:
      # A session of its own: Ctrl-C of a terminal comes from here alone.
      self.process = subprocess.Popen(
          processes.PROGRAM + self.flags, cwd=processes.ROOT,
          stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
          start_new_session=True, pass_fds=[lock],
          preexec_fn=functools.partial(signals.die_with, os.getpid()))

  def wait(self):
    """Waits for the end, keeps what it took, and gives the exit code."""
    state, start = self.state(), time.monotonic()
    _, status, usage = os.wait4(self.process.pid, 0)
    code = os.WEXITSTATUS(status) - os.WTERMSIG(status)  # One of them is 0.
    self.process.returncode = code
    state["seconds"] += time.monotonic() - start
    state["cpu_seconds"] += usage.ru_utime + usage.ru_stime
    state["done"] = not code
    files.write_json(self._path, sorted(state.items()))
    return code


class Runner(object):
  """Runs calls below a directory, or only prints them."""

  def __init__(self, out_dir, is_dry=False):
    self._out_dir = out_dir
    self._is_dry = is_dry
    self._start_lock = threading.Lock()
    self._has_stopped = False
    self._running = []

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
            last = call.last_line()
            logging.info("%s: %s", call.name,
                         last.group() if last else "starting")
      finally:
        self._stop(jobs)
    failures = [str(job.exception()) for job in jobs if job.exception()]
    if failures:
      raise errors.UserError("; ".join(failures))

  def _stop(self, jobs):
    """Has the calls that run end; training saves a checkpoint first."""
    with self._start_lock:
      self._has_stopped = True
      for job in jobs:
        job.cancel()
      for call in self._running:
        call.process.terminate()

  def run(self, call):
    """Brings a `Call` to its end, unless it is only printed.

    Args:
      call: The `Call`.

    Returns:
      Whether it has come to its end.

    Raises:
      UserError: If it fails, or has to end for a signal to this process.
    """
    if self._is_dry:
      print(" ".join(map(shlex.quote, processes.PROGRAM + call.flags)))
      return False
    if call.state()["done"]:
      return True
    for _ in range(1 + _MAX_DEATHS):
      with self._start_lock:
        if self._has_stopped:
          raise errors.UserError("%s: stopped" % call.name)
        call.start(self._lock.fileno())
        self._running.append(call)
      logging.info("%s: started.", call.name)
      code = call.wait()
      self._running.remove(call)
      if code >= 0:
        break
      logging.warning("%s: was killed by signal %d.", call.name, -code)
    if code:
      last = call.last_line()
      raise errors.UserError("%s: failed (%s): %s" % (
          call.name, call.log, last.group() if last else "it said nothing"))
    logging.info("%s: done.", call.name)
    return True
