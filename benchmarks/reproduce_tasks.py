"""Runs commands some at a time, so that any interruption costs little.

Each task has a directory with the log of its command, `NAME.log`, and what is
known of it, `NAME.json`: the command, the seconds that it has run in all, and
whether it has come to its end. A task that has is not run again; one that was
interrupted is, and goes on where it stopped if its command can. So the same
call of a script that died finishes what it began.
"""

import collections
import contextlib
import fcntl
import functools
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

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_BETWEEN_SAVES = 5.
# How often a command that a signal has killed is started once more.
_MAX_DEATHS = 3
_LOG_TAIL_BYTES = 1 << 14


def always():
  """The `is_wanted` of most tasks."""
  return True


class Task(collections.namedtuple("Task", (
    "name", "directory", "kind", "command", "needs", "is_wanted"))):
  """A command to run to its end.

  Attributes:
    name: What it is called in messages.
    directory: The directory of its log and its state, made if need be.
    kind: "train" or "eval", say: the stem of the two files' names.
    command: A list of arguments, run in the checkout.
    needs: A tuple of tasks that must have ended before.
    is_wanted: A function without arguments, called then: whether to run it.
  """

  __slots__ = ()

  @property
  def log(self):
    """The path of the log."""
    return os.path.join(self.directory, self.kind + ".log")

  @property
  def _path(self):
    return os.path.join(self.directory, self.kind + ".json")

  def state(self):
    """What is known of the task.

    Returns:
      A dict of `command`, `machine`, `seconds`, `cpu_seconds` and `done`.

    Raises:
      UserError: If the directory holds the same task with another command.
    """
    # Not the interpreter and the program: the checkout may have moved.
    command = " ".join(map(shlex.quote, self.command[2:]))
    state = {"command": command, "machine": machine.summary(), "seconds": 0.,
             "cpu_seconds": 0., "done": False}
    if os.path.exists(self._path):
      state.update(files.read_json(self._path))
    if state["command"] != command:
      raise errors.UserError(
          "%s: was begun with other flags, %s; delete the directory or use "
          "another --out_dir" % (self._path, state["command"]))
    return state

  def save(self, state):
    """Keeps what is known of the task."""
    files.write_json(self._path, sorted(state.items()))

  def is_done(self):
    """Whether the command has come to its end."""
    return self.state()["done"]

  def last_line(self, pattern):
    """The match of a regular expression in the last line of the log with one.

    Args:
      pattern: A regular expression.

    Returns:
      A match object, or None.
    """
    if not os.path.exists(self.log):
      return None
    with open(self.log, "rb") as stream:
      stream.seek(max(0, os.path.getsize(self.log) - _LOG_TAIL_BYTES))
      lines = stream.read().decode("utf-8", "replace").splitlines()
    found = (re.search(pattern, line) for line in reversed(lines))
    return next(filter(None, found), None)


class _Running(object):
  """The process of a task.

  Attributes:
    task: The `Task`.
    process: The `subprocess.Popen`.
  """

  def __init__(self, task, lock):
    os.makedirs(task.directory, exist_ok=True)
    self.task = task
    self._state = task.state()
    self._seconds_before = self._state["seconds"]
    self._start = self._saved = time.monotonic()
    task.save(self._state)
    with open(task.log, "ab") as stream:
      # A session of its own: Ctrl-C of a terminal comes from here alone.
      self.process = subprocess.Popen(
          task.command, cwd=processes.ROOT, stdin=subprocess.DEVNULL,
          stdout=stream, stderr=subprocess.STDOUT, start_new_session=True,
          pass_fds=[lock],
          preexec_fn=functools.partial(signals.die_with, os.getpid()))

  def look(self, options=os.WNOHANG):
    """Sees whether the process has ended, and saves how long it has run.

    Args:
      options: Of `os.wait4`; 0 waits for the end.

    Returns:
      The exit code, negative where a signal killed it; None if it runs still.
    """
    # Unlike getrusage's, this usage is this child's alone.
    pid, status, usage = os.wait4(self.process.pid, options)
    if pid:
      self.process.returncode = (
          -os.WTERMSIG(status) if os.WIFSIGNALED(status) else
          os.WEXITSTATUS(status))
      self._state["cpu_seconds"] += usage.ru_utime + usage.ru_stime
      self._state["done"] = self.process.returncode == 0
    now = time.monotonic()
    if pid or now - self._saved > _SECONDS_BETWEEN_SAVES:
      self._saved = now
      self._state["seconds"] = self._seconds_before + now - self._start
      self.task.save(self._state)
    return self.process.returncode


def run(out_dir, tasks, num_jobs, progress_secs, describe, on_done):
  """Runs tasks, in their order where what they need allows it.

  Args:
    out_dir: A directory, in which no other process must run tasks: it is waited
      for.
    tasks: A list of `Task`s.
    num_jobs: How many to run at a time.
    progress_secs: Seconds between lines that say how far each has come.
    describe: A function of a task that says that in a few words.
    on_done: A function of a task, called when it has ended well.

  Raises:
    UserError: If a command fails, once all others have ended that do not need
      it.
    SystemExit: After Ctrl-C or SIGTERM, with the usual exit code, once the
      commands have ended, which get a SIGTERM.
  """
  running, failures = [], []
  deaths = collections.Counter()
  last_progress = time.monotonic()
  with _lock(out_dir) as lock, signals.catch_signals() as caught:
    waiting = [task for task in tasks if not task.is_done()]
    try:
      while (waiting or running) and not caught:
        _start_ready(waiting, running, num_jobs, lock)
        if not running:
          break  # What is left needs what has failed.
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        _collect(waiting, running, failures, deaths, on_done)
        if time.monotonic() - last_progress > progress_secs:
          last_progress = time.monotonic()
          _log_progress(waiting, running, describe)
    finally:
      _stop(running)
  if caught:
    logging.info("Stopped by signal %d; the same command goes on.", caught[0])
    raise SystemExit(128 + caught[0])
  if failures:
    raise errors.UserError("; ".join(failures))


@contextlib.contextmanager
def _lock(out_dir):
  """Holds a lock that the commands inherit.

  A call that comes after one that was killed waits until its commands, which
  are told to end then, have saved what they have.

  Args:
    out_dir: The directory to lock.

  Yields:
    A file descriptor.
  """
  with open(os.path.join(out_dir, "lock"), "ab") as stream:
    try:
      fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      logging.info("Waiting for the processes that are at work in %s.", out_dir)
      fcntl.flock(stream, fcntl.LOCK_EX)
    yield stream.fileno()


def _start_ready(waiting, running, num_jobs, lock):
  """Starts tasks until enough run."""
  for task in list(waiting):
    if len(running) >= num_jobs:
      return
    if all(needed.is_done() for needed in task.needs):
      waiting.remove(task)
      if not task.is_wanted():
        continue
      logging.info("%s: starting.", task.name)
      running.append(_Running(task, lock))


def _collect(waiting, running, failures, deaths, on_done):
  """Sees to the tasks that have ended."""
  for job in list(running):
    exit_code = job.look()
    if exit_code is None:
      continue
    running.remove(job)
    task = job.task
    if exit_code == 0:
      logging.info("%s: done.", task.name)
      on_done(task)
    elif exit_code < 0 and deaths[task.name] < _MAX_DEATHS:
      deaths[task.name] += 1
      logging.warning("%s: was killed by signal %d; starting it again.",
                      task.name, -exit_code)
      waiting.insert(0, task)
    else:
      last = task.last_line(r"\S.*")
      failures.append("%s: failed (%s): %s" % (
          task.name, task.log, last.group() if last else "it said nothing"))
      logging.error("%s", failures[-1])


def _log_progress(waiting, running, describe):
  """Logs how far each running task has come, and what there is to do."""
  for job in running:
    logging.info("%s: %s", job.task.name, describe(job.task))
  logging.info("%d running, %d waiting.", len(running), len(waiting))


def _stop(running):
  """Ends the tasks that run; training saves a checkpoint first."""
  for job in running:
    job.process.terminate()
  for job in running:
    job.look(0)
