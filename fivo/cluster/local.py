"""Trains with a cluster of processes on this machine.

  python fivo/cluster/local.py --workers=2 --ps=1 [flags of run_fivo.py]

`bin/run_cluster.sh` adds the flags of `bin/run_train.sh`. Each process appends
its log to a file in the logdir, such as `worker_1.log`; the chief's also goes
to standard error. All end together: when training is over, when one fails, and
after Ctrl-C or SIGTERM, once the chief has saved.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time

from absl import flags

from fivo.cluster import supervision
from fivo.config import cluster_spec
from fivo.config import config as config_lib
from fivo.config import options
from fivo.logdir import locks
from fivo.system import errors
from fivo.system import files

FLAGS = flags.FLAGS

_RUN_FIVO = os.path.realpath(os.path.join(__file__, "../../../run_fivo.py"))
_SECONDS_BETWEEN_LOOKS = 0.1
# If all processes fail alike, the chief should be the one to say so.
_SECONDS_FOR_CHIEF_TO_FAIL = 1.
# A parameter server stays ten seconds so that the chief can save variables.
_SECONDS_TO_END = 30.


def define_flags():
  """Defines the flags of `run_fivo.py` and this module's."""
  options.define_flags()
  flags.DEFINE_integer(
      "workers", 2, "The number of workers; the first is the chief.", 1, 1000)
  flags.DEFINE_integer("ps", 1, "The number of parameter servers.", 1, 1000)


@contextlib.contextmanager
def reserved_addresses(number):
  """Yields free loopback addresses, "host:port", reserved in the block.

  A socket stays bound to each port, so that no other process gets it;
  TensorFlow's servers can share ports (SO_REUSEPORT).
  """
  with contextlib.ExitStack() as stack:
    ports = []
    for _ in range(number):
      holder = stack.enter_context(socket.socket())
      for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        holder.setsockopt(socket.SOL_SOCKET, option, 1)
      holder.bind(("", 0))
      ports.append(holder.getsockname()[1])
    yield ["127.0.0.1:%d" % port for port in ports]


class _Process(subprocess.Popen):
  """A process of the cluster."""

  def __init__(self, job, task, command, logdir, environment):
    self._name = cluster_spec.name(job, task)
    self._log = os.path.join(logdir, self._name.replace(" ", "_") + ".log")
    with open(self._log, "ab") as stream:
      self._shown = stream.tell()
      # A separate session: only this process passes Ctrl-C on to it.
      super().__init__(
          command, env=environment, stdin=subprocess.DEVNULL, stdout=stream,
          stderr=subprocess.STDOUT, start_new_session=True,
          preexec_fn=functools.partial(supervision.die_with, os.getpid()))

  def show_log(self):
    """Copies new lines of the log to standard error."""
    with open(self._log, "rb") as stream:
      stream.seek(self._shown)
      sys.stderr.buffer.write(stream.read())
      self._shown = stream.tell()
    sys.stderr.flush()

  def reason(self):
    """Says in one line why the process failed."""
    if self.returncode < 0:
      return "the %s was killed by signal %d; its log is %s" % (
          self._name, -self.returncode, self._log)
    with open(self._log, encoding="utf-8", errors="replace") as stream:
      return "the %s has failed (%s): %s" % (
          self._name, self._log, stream.read().strip().rpartition("\n")[2])


class LocalCluster(object):
  """A running cluster of processes on this machine."""

  def __init__(self, command, hosts, logdir, caught):
    """Starts a process for each address of `hosts`, a dict of lists by job.

    Workers come first. `caught` receives the numbers of signals.
    """
    self._caught = caught
    # Each leaves the others their cores, unless the user has set this.
    num_workers = len(hosts[cluster_spec.WORKER])
    num_threads = max(1, len(os.sched_getaffinity(0)) // num_workers)
    environment = dict(
        {"TF_NUM_INTEROP_THREADS": str(num_threads)}, **os.environ)
    command = command + ["--%s_hosts=%s" % (job, ",".join(addresses))
                         for job, addresses in hosts.items()]
    self._processes = [
        _Process(job, task,
                 command + ["--job_name=" + job, "--task=%d" % task],
                 logdir, environment)
        for job, addresses in hosts.items() for task in range(len(addresses))]
    self._chief = self._processes[0]

  def wait(self):
    """Waits until all have ended; ends them if one fails, or after a signal.

    Raises SystemExit after a signal, or if the chief failed.
    """
    self._look_while(lambda: not self._caught and not self._failed())
    if self._failed():
      deadline = time.monotonic() + _SECONDS_FOR_CHIEF_TO_FAIL
      self._look_while(
          lambda: self._chief.poll() is None and time.monotonic() < deadline)
    failed = self._failed()
    self._stop()
    if self._caught:
      raise SystemExit(128 + self._caught[0])
    if failed:
      if failed[0] is self._chief and self._chief.returncode > 0:
        raise SystemExit(self._chief.returncode)
      raise errors.UserError(failed[0].reason())

  def _look_while(self, condition):
    """Shows the chief's log while processes run and a condition holds."""
    while any(p.poll() is None for p in self._processes) and condition():
      time.sleep(_SECONDS_BETWEEN_LOOKS)
      self._chief.show_log()
    self._chief.show_log()

  def _failed(self):
    """The processes that have failed, the chief first."""
    return [p for p in self._processes if p.poll()]

  def _stop(self):
    """Ends all processes gently, then, after a while or a signal, at once."""
    num_signals = len(self._caught)
    deadline = time.monotonic() + _SECONDS_TO_END
    for p in self._processes:
      p.terminate()
    self._look_while(lambda: time.monotonic() < deadline and
                     len(self._caught) == num_signals)
    for p in self._processes:
      p.kill()
      p.wait()


def main(unused_argv):
  """Runs a cluster; see the top of this file."""
  logdir = config_lib.resolve(FLAGS).logdir
  files.prepare_directory("logdir", logdir)
  with locks.training_lock(logdir):
    pass  # Nobody else trains there: the logs would mix.
  caught = []
  for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: caught.append(number))
  with reserved_addresses(FLAGS.ps + FLAGS.workers) as addresses:
    hosts = {cluster_spec.WORKER: addresses[FLAGS.ps:],
             cluster_spec.PS: addresses[:FLAGS.ps]}
    given = [FLAGS[name].serialize() for name in FLAGS
             if FLAGS[name].present and name not in ("workers", "ps")]
    LocalCluster(
        [sys.executable, _RUN_FIVO] + given, hosts, logdir, caught).wait()
