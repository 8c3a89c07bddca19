"""Runs calls of `run_fivo.py` in parallel, so that interruptions cost little.

Each call has a directory with its log, `MODE.log`, and its state, `MODE.json`.
A call that has finished is not run again; one that was interrupted is, and
training resumes from its checkpoint. So repeating a command finishes it.
"""

from concurrent import futures
import fcntl
import functools
import os
import re
import shlex
import subprocess
import time

from benchmarks import processes
from fivo.cluster import supervision
from fivo.system import errors
from fivo.system import files
from fivo.system import log


class Call(object):
  """A call of `run_fivo.py` in a mode, with a list of further flags."""

  def __init__(self, mode, directory, flags):
    self.name = "%s of %s" % (mode, os.path.basename(directory))
    self.flags = ["--mode=" + mode] + flags
    self.log = os.path.join(directory, mode + ".log")
    self._path = os.path.join(directory, mode + ".json")

  def state(self):
    """A dict of `machine`, `seconds`, `cpu_seconds` and `done`."""
    if os.path.exists(self._path):
      return files.read_json(self._path)
    return dict(
        machine=processes.machine(), seconds=0., cpu_seconds=0., done=False)

  def save(self, state):
    """Writes the state of the call."""
    files.write_json(self._path, sorted(state.items()))

  def matches(self, pattern):
    """Lists the matches in the lines of the log."""
    with open(self.log, errors="replace") as stream:
      return list(filter(None, (re.search(pattern, line) for line in stream)))

  def last_match(self, pattern):
    """The match in the last matching line of the log, or None."""
    return (self.matches(pattern) or [None])[-1]


class Runner(object):
  """Finishes calls below a directory, or only prints them."""

  def __init__(self, out_dir, is_dry):
    self._out_dir = out_dir
    self._is_dry = is_dry
    self._has_stopped = False
    self._running = set()  # Processes.

  def map(self, function, items, num_jobs):
    """Calls a function, which calls `run`, on several items at a time."""
    os.makedirs(self._out_dir, exist_ok=True)
    with open(os.path.join(self._out_dir, "lock"), "ab") as self._lock, (
        futures.ThreadPoolExecutor(num_jobs)) as executor:
      # Calls of a command that was killed are ending, and hold the lock.
      fcntl.flock(self._lock, fcntl.LOCK_EX)
      jobs = [executor.submit(function, item) for item in items]
      try:
        futures.wait(jobs)
      finally:  # After Ctrl-C or SIGTERM; training saves a checkpoint.
        self._has_stopped = True
        for job in jobs:
          job.cancel()
        for process in list(self._running):
          process.terminate()
    failures = [str(job.exception()) for job in jobs if job.exception()]
    if failures:
      raise errors.UserError("; ".join(failures))

  def run(self, call):
    """Finishes a `Call` and returns True; or only prints it: False."""
    if self._is_dry:
      print(" ".join(map(shlex.quote, processes.PROGRAM + call.flags)))
    elif not call.state()["done"]:
      log.info("%s: starting; its log is %s.", call.name, call.log)
      if self._run(call):
        found = call.last_match(r"\S.*")
        raise errors.UserError("%s: failed: %s" % (
            call.name, found.group() if found else "nothing said"))
      log.info("%s: done.", call.name)
    return not self._is_dry

  def _run(self, call):
    """Runs a `Call`, records its time, and returns its exit status."""
    os.makedirs(os.path.dirname(call.log), exist_ok=True)
    state, start = call.state(), time.monotonic()
    with open(call.log, "ab") as stream:
      # A separate session: only this process passes Ctrl-C on to it.
      process = subprocess.Popen(
          processes.PROGRAM + call.flags, cwd=processes.ROOT,
          stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT,
          start_new_session=True, pass_fds=[self._lock.fileno()],
          preexec_fn=functools.partial(supervision.die_with, os.getpid()))
    self._running.add(process)
    if self._has_stopped:
      process.terminate()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    self._running.discard(process)
    state["seconds"] += time.monotonic() - start
    state["cpu_seconds"] += usage.ru_utime + usage.ru_stime
    state["done"] = not status
    call.save(state)
    return status
