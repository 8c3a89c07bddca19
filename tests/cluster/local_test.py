"""Tests of run_cluster.sh's program: processes, logs, ports and ends."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from fivo.cluster import local as local_cluster
from fivo.logdir import run_directory
from fivo.system import errors
from tests import programs

_PROGRAM = "fivo/cluster/local.py"

# In the place of run_fivo.py: says who it is, and does what `behaviour` says.
_STUB = """
import os, signal, sys, time
flags = dict(arg[2:].split("=", 1) for arg in sys.argv[1:])
name = flags["job_name"] + flags["task"]
print(name, flags["ps_hosts"], flags["worker_hosts"],
      os.environ["TF_NUM_INTEROP_THREADS"], flush=True)
%s
"""


def _run(tmp_path, behaviour, on_start=None):
  """Runs a cluster of stubs; returns the error or exit that ended it."""
  caught = []
  cluster = local_cluster.LocalCluster(
      [sys.executable, "-S", "-E", "-c", _STUB % behaviour],
      {"worker": ["h:2", "h:3"], "ps": ["h:1"]}, str(tmp_path), caught)
  if on_start:
    on_start(caught)
  try:
    cluster.wait()
  except (errors.UserError, SystemExit) as e:
    return e
  finally:
    assert all(p.returncode is not None for p in cluster._processes)
  return None


def test_each_knows_its_place_and_has_a_log(tmp_path, capfd, monkeypatch):
  monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
  monkeypatch.setattr(local_cluster.os, "sched_getaffinity", lambda _: range(7))
  assert _run(tmp_path, "") is None
  monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "7")
  assert _run(tmp_path, "") is None
  for log, name in [("chief.log", "worker0"), ("worker_1.log", "worker1"),
                    ("ps_0.log", "ps0")]:
    assert (tmp_path / log).read_text().splitlines() == [
        "%s h:1 h:2,h:3 %d" % (name, threads) for threads in (3, 7)]
  # The terminal has the chief's.
  assert capfd.readouterr().err == (tmp_path / "chief.log").read_text()


@pytest.mark.parametrize("behaviour, line", [
    ("if name == 'worker1': sys.exit('out of luck')",
     "the worker 1 has failed (%s/worker_1.log): out of luck"),
    ("if name == 'worker0': os.kill(os.getpid(), 9)",
     "the chief was killed by signal 9; its log is %s/chief.log"),
    # Who does not end is killed.
    ("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
     "if name == 'ps0': sys.exit('full')",
     "the ps 0 has failed (%s/ps_0.log): full")])
def test_a_failure_ends_all_and_is_told(tmp_path, behaviour, line, monkeypatch):
  monkeypatch.setattr(local_cluster, "_SECONDS_FOR_CHIEF_TO_FAIL", 0.)
  monkeypatch.setattr(local_cluster, "_SECONDS_TO_END", .2)
  error = _run(tmp_path, behaviour + "\ntime.sleep(60)")
  assert str(error) == line % tmp_path


def test_the_chief_tells_itself(tmp_path, capfd):
  error = _run(tmp_path, "if name == 'worker0': time.sleep(.1)\n"
               "if name != 'ps0': sys.exit('the same for all')\n"
               "time.sleep(60)")
  assert isinstance(error, SystemExit) and error.code == 1
  assert capfd.readouterr().err.count("the same for all") == 1


def test_a_signal_reaches_all_and_the_chief_may_take_its_time(tmp_path, capfd):
  behaviour = """
def stop(*_):
  time.sleep(.3)
  print("saved", flush=True)
  sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)"""
  logs = [tmp_path / name for name in ("chief.log", "worker_1.log", "ps_0.log")]

  def send(caught):
    while not all("ready" in log.read_text() for log in logs):
      time.sleep(.01)
    caught.append(signal.SIGINT)

  assert _run(tmp_path, behaviour, on_start=send).code == 130
  assert capfd.readouterr().err.endswith("saved\n")
  assert all(log.read_text().endswith("saved\n") for log in logs)


def test_addresses_are_free_and_stay_so():
  with local_cluster.reserved_addresses(3) as first:
    with local_cluster.reserved_addresses(3) as second:
      assert len(set(first + second)) == 6
    port = int(first[0].rpartition(":")[2])
    with socket.socket() as other:
      with pytest.raises(OSError):
        other.bind(("", port))
    # As TensorFlow's servers do.
    with socket.socket() as server:
      server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
      server.bind(("", port))
      server.listen(1)
      socket.create_connection(("127.0.0.1", port)).close()


def test_a_wrong_flag_is_told_once():
  result = programs.run(["--workers=0"], _PROGRAM)
  assert (result.exit_code, result.stderr) == (
      1, "local.py: --workers=0: must be an integer in the range [1, 1000]\n")


@pytest.mark.slow
def test_trains(tmp_path):
  done = subprocess.run(
      [sys.executable, os.path.join(programs.ROOT, _PROGRAM),
       "--logdir=%s" % tmp_path, "--mode=train", "--model=ghmm",
       "--batch_size=2", "--summarize_every=10", "--nostagger_workers",
       "--workers=2", "-ps", "1", "--max_steps=30"],
      stderr=subprocess.PIPE, universal_newlines=True)
  assert done.returncode == 0, done.stderr
  assert run_directory.RunDirectory(tmp_path).latest_step() in (30, 31)
  assert "Step 3" in done.stderr
