"""Many processes that run `run_fivo.py`, started fast.

Importing TensorFlow takes seconds. So one process imports it once and then
forks a child for every command; it has no session itself, so the children may
have theirs.
"""

import json
import os
import signal
import subprocess
import sys
import time

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Forks(object):
  """Starts, kills and awaits processes by name, from the outside."""

  def __init__(self, directory):
    """Starts the process that forks.

    Args:
      directory: Where the output of each process goes, to a file of its name.
    """
    self._directory = str(directory)
    self._pids = {}
    self._ended = {}
    environment = dict(
        os.environ, TF_CPP_MIN_LOG_LEVEL="2", OMP_NUM_THREADS="1",
        TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1")
    environment.pop("TF_CONFIG", None)
    self._process = subprocess.Popen(
        [sys.executable, "-m", "tests.forks"], cwd=_ROOT, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True,
        bufsize=1)

  def start(self, name, *args, **environment):
    """Starts `run_fivo.py`; appends to the output of `name`."""
    path = os.path.join(self._directory, name)
    self._pids[name] = self._ask("start", path, args, environment)

  def kill(self, name, number=signal.SIGKILL):
    """Sends a signal to a process; `wait` tells when it has ended."""
    os.kill(self._pids[name], number)

  def poll(self, name):
    """The exit code of a process, negative for a signal, None if it runs."""
    pid = self._pids[name]
    if pid not in self._ended:
      self._ended.update(
          (int(pid), code) for pid, code in self._ask("poll").items())
    return self._ended.get(pid)

  def wait(self, name, timeout=60):
    """Waits for the end of a process and returns its exit code."""
    deadline = time.time() + timeout
    while self.poll(name) is None:
      assert time.time() < deadline, "%s hangs:\n%s" % (
          name, self.output(name))
      time.sleep(0.05)
    return self.poll(name)

  def wait_for_output(self, name, text, timeout=60):
    """Waits until the output of a process has a text."""
    deadline = time.time() + timeout
    while text not in self.output(name):
      assert time.time() < deadline, "no '%s':\n%s" % (text, self.output(name))
      time.sleep(0.05)

  def output(self, name):
    """What all processes of a name have printed."""
    path = os.path.join(self._directory, name)
    if not os.path.exists(path):
      return ""
    with open(path) as stream:
      return stream.read()

  def close(self):
    """Kills whatever runs."""
    for name, pid in self._pids.items():
      if self.poll(name) is None:
        os.kill(pid, signal.SIGKILL)
    self._process.stdin.close()
    self._process.stdout.close()
    self._process.wait()

  def _ask(self, *request):
    self._process.stdin.write(json.dumps(request) + "\n")
    return json.loads(self._process.stdout.readline())


def _start(run_fivo, path, args, environment):
  """Forks a child that runs the program; returns its process id."""
  pid = os.fork()
  if pid:
    return pid
  os.setsid()
  null = os.open(os.devnull, os.O_RDONLY)
  out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
  for source, target in ((null, 0), (out, 1), (out, 2)):
    os.dup2(source, target)
  os.environ.update(environment)
  sys.argv[:] = ["run_fivo.py"] + args
  run_fivo.run()
  return None


def _poll():
  """The exit codes, by process id, of the children that have ended."""
  ended = {}
  while True:
    try:
      pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
      return ended
    if not pid:
      return ended
    ended[pid] = (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else
                  os.WEXITSTATUS(status))


def _main():
  from fivo import modes  # noqa: F401 pylint: disable=unused-import
  import run_fivo  # pylint: disable=g-import-not-at-top
  for line in sys.stdin:
    command, arguments = json.loads(line)[0], json.loads(line)[1:]
    answer = _start(run_fivo, *arguments) if command == "start" else _poll()
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
  _main()
