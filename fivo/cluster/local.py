"""Trains in a cluster of processes on this machine.

  python fivo/cluster/local.py --workers=2 --ps=1 [flags of run_fivo.py]

`bin/run_cluster.sh` adds the flags of `bin/run_train.sh`. Each process appends
its log to a file in the logdir, `chief.log`, `worker_1.log`, `ps_0.log`; the
chief's goes to the standard error too. The cluster ends as a whole: when
training is over, after Ctrl-C or SIGTERM, once the chief has saved, and when a
process fails.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import argparse
import contextlib
import errno
import functools
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time

from absl import flags

from fivo.config import cluster_spec
from fivo.config import options
from fivo.logdir import locks
from fivo.system import errors
from fivo.system import files
from fivo.system import signals

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.realpath(__file__))))
_HOST = "127.0.0.1"
_OWN_FLAGS = ("job_name", "task", "ps_hosts", "worker_hosts", "master",
              "ps_tasks")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# How many operations run at once, each on one thread (see system/sessions.py).
_THREADS = "TF_NUM_INTEROP_THREADS"

_SECONDS_BETWEEN_LOOKS = 0.1
# When one thing is wrong with all processes, it should be the chief that says
# so.
_SECONDS_FOR_CHIEF_TO_FAIL = 1.
# A parameter server stays ten seconds for the chief to save the variables.
_SECONDS_TO_END = 30.
# Without one nothing can be saved, and TensorFlow's calls wait for it.
_SECONDS_TO_END_WITHOUT_PS = 3.


def parse_args(argv):
  """Parses the flags that are this module's.

  Args:
    argv: A list of arguments.

  Returns:
    A namespace with `workers`, `ps` and `logdir`, and the list of arguments
    for `run_fivo.py`.

  Raises:
    UserError: If a number is wrong, or a flag given that is set here.
  """
  parser = _Parser(
      allow_abbrev=False, usage="%(prog)s [--workers=2] [--ps=1] [flags of "
      "run_fivo.py, see run_fivo.py --help]", description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--workers", "-workers", default="2",
                      help="the number of workers; the first is the chief")
  parser.add_argument("--ps", "-ps", default="1",
                      help="the number of parameter servers")
  parser.add_argument("--logdir", "-logdir", help=argparse.SUPPRESS,
                      default=options.OPTIONS["logdir"].default)
  for flag in _OWN_FLAGS:
    parser.add_argument("--" + flag, "-" + flag, help=argparse.SUPPRESS)
  args, rest = parser.parse_known_args(argv)
  for flag in _OWN_FLAGS:
    if getattr(args, flag) is not None:
      raise errors.UserError(
          "--%s=%s: is set for each process; a cluster on this machine takes "
          "--workers and --ps" % (flag, getattr(args, flag)))
  with errors.naming_flag("logdir"):
    args.logdir = files.local_path(args.logdir)
  for flag in ("workers", "ps"):
    value = getattr(args, flag)
    if not re.fullmatch("[0-9]{1,4}", value) or not 1 <= int(value) <= 1000:
      raise errors.UserError("--%s=%s: must be an integer from 1 to 1000" % (
          flag, value))
    setattr(args, flag, int(value))
  return args, rest + ["--logdir=" + args.logdir]


class _Parser(argparse.ArgumentParser):
  """A parser whose complaints take one line."""

  def error(self, message):
    raise errors.UserError(message)


@contextlib.contextmanager
def reserved_addresses(number):
  """Finds free ports of the loopback and keeps them for this user's servers.

  A port stays bound by a socket that does not listen. On Linux TensorFlow's
  servers, which share ports (SO_REUSEPORT), may listen there; nobody is given
  it who asks for any free port, neither another cluster nor a connection.

  Args:
    number: How many.

  Yields:
    A list of addresses, "host:port".
  """
  with contextlib.ExitStack() as stack:
    ports = []
    for _ in range(number):
      holder = stack.enter_context(socket.socket())
      for option in ("SO_REUSEADDR", "SO_REUSEPORT"):
        if hasattr(socket, option):
          holder.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
      holder.bind(("", 0))
      ports.append(holder.getsockname()[1])
    yield ["%s:%d" % (_HOST, port) for port in ports]


def environment_of_each(workers):
  """The environment of a process, whose threads leave the others their cores.

  Args:
    workers: The number of workers.

  Returns:
    A dict; what the user has set is as it was.
  """
  cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity")
           else os.cpu_count())
  return dict({_THREADS: str(max(1, cores // workers))}, **os.environ)


class _Process(object):
  """A process of the cluster.

  Attributes:
    name: What its log lines call it, as "worker 1".
    is_ps: Whether it is a parameter server.
    is_chief: Whether it is the chief.
    log: The path of its log.
    process: The `subprocess.Popen`.
  """

  def __init__(self, job, task, command, logdir, environment):
    self.name = cluster_spec.name(job, task)
    self.is_ps = job == cluster_spec.PS
    self.is_chief = self.name == cluster_spec.CHIEF
    self.log = os.path.join(logdir, self.name.replace(" ", "_") + ".log")
    with _open_log(self.log, logdir) as stream:
      self._shown = self._start = stream.seek(0, os.SEEK_END)
      # A session of its own: Ctrl-C of a terminal comes from here alone.
      self.process = subprocess.Popen(
          command, env=environment, stdin=subprocess.DEVNULL, stdout=stream,
          stderr=subprocess.STDOUT, start_new_session=True,
          preexec_fn=functools.partial(signals.die_with, os.getpid()))

  @property
  def has_failed(self):
    return bool(self.process.poll())

  def show_log(self):
    """Copies to the standard error what is new in the log."""
    with open(self.log, "rb") as stream:
      stream.seek(self._shown)
      text = stream.read()
    self._shown += len(text)
    sys.stderr.buffer.write(text)
    sys.stderr.flush()

  def reason(self):
    """Says in one line why the process has failed."""
    if self.process.returncode < 0:
      return "the %s was killed by signal %d; its log is %s" % (
          self.name, -self.process.returncode, self.log)
    with open(self.log, encoding="utf-8", errors="backslashreplace") as stream:
      stream.seek(self._start)
      lines = stream.read().split("\n")
    last = [line for line in lines if line.strip()][-1:] or ["no message"]
    return "the %s has failed (%s): %s" % (self.name, self.log, last[0])


def _open_log(path, logdir):
  """Opens a log to append to it, unless that leads out of the logdir."""
  try:
    # A pipe that nobody reads is no file either.
    stream = open(os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW |
        os.O_NONBLOCK, 0o666), "ab")
  except OSError as e:
    if e.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
      raise
  else:
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
      return stream
    stream.close()
  raise errors.UserError("--logdir=%s: its %s is not a regular file; remove "
                         "it" % (logdir, os.path.basename(path)))


class LocalCluster(object):
  """A cluster of processes of this machine, while it runs."""

  def __init__(self, args, command, addresses, caught):
    """Starts the processes.

    Args:
      args: A namespace with `workers`, `ps` and `logdir`.
      command: A list of arguments; each process gets its place's in addition.
      addresses: `args.ps + args.workers` addresses.
      caught: A list that receives the numbers of signals.
    """
    self._caught = caught
    self._members = []
    hosts = ["--ps_hosts=" + ",".join(addresses[:args.ps]),
             "--worker_hosts=" + ",".join(addresses[args.ps:])]
    environment = environment_of_each(args.workers)
    try:
      for job, number in ((cluster_spec.WORKER, args.workers),
                          (cluster_spec.PS, args.ps)):
        for task in range(number):
          self._members.append(_Process(
              job, task, command + hosts + [
                  "--job_name=" + job, "--task=%d" % task],
              args.logdir, environment))
    except BaseException:
      self._kill()
      raise
    self._chief = self._members[0]

  def wait(self):
    """Waits until all processes have ended, and sees to it that they do.

    Raises:
      UserError: If one has failed.
      SystemExit: If the chief has, which has said why; or after a signal, with
        the usual exit code.
    """
    try:
      while self._running() and not self._caught and not self._failed():
        self._look()
      if not self._caught:
        culprit = self._culprit()
    finally:
      self._stop()
    if self._caught:
      raise SystemExit(128 + self._caught[0])
    if culprit is None:
      return
    if culprit.is_chief and culprit.process.returncode > 0:
      raise SystemExit(culprit.process.returncode)
    raise errors.UserError(culprit.reason())

  def _look(self):
    """Waits a moment, with an eye on the chief's log."""
    time.sleep(_SECONDS_BETWEEN_LOOKS)
    self._chief.show_log()

  def _running(self):
    return [member for member in self._members
            if member.process.poll() is None]

  def _failed(self):
    return [member for member in self._members if member.has_failed]

  def _culprit(self):
    """The process to blame for the end, or None."""
    failed = self._failed()
    deadline = time.time() + _SECONDS_FOR_CHIEF_TO_FAIL
    while (failed and not self._chief.has_failed and not self._caught and
           time.time() < deadline):
      self._look()
    return self._chief if self._chief.has_failed else (failed or [None])[0]

  def _stop(self):
    """Ends all processes: as they like it best; after a while, at once."""
    signals_before = len(self._caught)
    deadline = time.time() + (
        _SECONDS_TO_END_WITHOUT_PS if any(
            member.is_ps for member in self._failed()) else _SECONDS_TO_END)
    for member in self._running():
      member.process.send_signal(signal.SIGTERM)
    try:
      while (self._running() and time.time() < deadline and
             len(self._caught) == signals_before):
        self._look()
      self._chief.show_log()
    finally:
      self._kill()

  def _kill(self):
    for member in self._running():
      member.process.kill()
      member.process.wait()


def main(unused_argv):
  """Runs a cluster; see the top of this file."""
  args, fivo_args = parse_args(sys.argv[1:])
  files.prepare_directory("logdir", args.logdir)
  with locks.training_lock(args.logdir):
    pass  # Nobody else trains there, whose logs would mix with these.
  caught = []
  for number in _SIGNALS:
    signal.signal(number, lambda number, _: caught.append(number))
  with reserved_addresses(args.ps + args.workers) as addresses:
    command = [sys.executable, os.path.join(_ROOT, "run_fivo.py")] + fivo_args
    LocalCluster(args, command, addresses, caught).wait()


def flags_parser(argv):
  """Has absl parse nothing: the flags are for other processes."""
  flags.FLAGS.mark_as_parsed()
  return argv[:1]
