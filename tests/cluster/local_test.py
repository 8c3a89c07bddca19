"""Tests of run_cluster.sh's program: processes, logs, ports and ends."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from fivo.cluster import local as local_cluster
from fivo.logdir import checkpoints
from fivo.logdir import locks
from fivo.system import errors

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_PROGRAM = os.path.join(_ROOT, "fivo", "cluster", "local.py")

# In the place of run_fivo.py: says who it is, and does what `behaviour` says.
_STUB = """
import os, signal, sys, time
flags = dict(arg[2:].split("=", 1) for arg in sys.argv[1:])
name = flags["job_name"] + flags["task"]
print(name, flags["ps_hosts"], flags["worker_hosts"],
      os.environ["TF_NUM_INTEROP_THREADS"], flush=True)
%s
"""


class _Stopwatch(object):

  def __enter__(self):
    self._start = time.time()
    return self

  def __exit__(self, *unused_args):
    self.seconds = time.time() - self._start


def _run(tmp_path, behaviour, workers=2, ps=1, caught=(), on_start=None):
  """Runs a cluster of stubs; returns the error or exit that ended it."""
  args, _ = local_cluster.parse_args([
      "--workers=%d" % workers, "--ps=%d" % ps, "--logdir=%s" % tmp_path])
  command = [sys.executable, "-S", "-E", "-c", _STUB % behaviour]
  addresses = ["h:%d" % port for port in range(1, 1 + workers + ps)]
  caught = list(caught)
  try:
    cluster = local_cluster.LocalCluster(args, command, addresses, caught)
  except errors.UserError as e:
    return e
  if on_start:
    on_start(cluster, caught)
  try:
    cluster.wait()
  except (errors.UserError, SystemExit) as e:
    return e
  finally:
    for member in cluster._members:
      assert member.process.poll() is not None
  return None


def _wait_for(condition):
  deadline = time.time() + 30
  while not condition():
    assert time.time() < deadline
    time.sleep(.01)


class TestRun(object):

  def test_each_knows_its_place_and_has_a_log(self, tmp_path, capfd):
    assert _run(tmp_path, "") is None
    for log, name in [("chief.log", "worker0"), ("worker_1.log", "worker1"),
                      ("ps_0.log", "ps0")]:
      line = (tmp_path / log).read_text().split()
      assert line[:3] == [name, "h:1", "h:2,h:3"]
    # The terminal has the chief's.
    stderr = capfd.readouterr().err
    assert stderr == (tmp_path / "chief.log").read_text()

  def test_logs_are_continued(self, tmp_path, capfd):
    for _ in range(2):
      _run(tmp_path, "", workers=1)
    log = (tmp_path / "chief.log").read_text()
    assert len(log.splitlines()) == 2
    assert capfd.readouterr().err == log

  @pytest.mark.parametrize("make", [
      lambda path: os.symlink("precious", path), os.mkfifo, os.mkdir,
      lambda path: os.symlink("nowhere", path)])
  def test_logs_are_files(self, tmp_path, make):
    (tmp_path / "precious").write_text("old\n")
    make(str(tmp_path / "worker_1.log"))
    error = _run(tmp_path, "print('ran')")
    assert str(error) == (
        "--logdir=%s: its worker_1.log is not a regular file; remove it" %
        tmp_path)
    assert (tmp_path / "precious").read_text() == "old\n"
    assert not (tmp_path / "nowhere").exists()

  @pytest.mark.parametrize("name, log", [
      ("worker1", "worker_1.log"), ("ps0", "ps_0.log")])
  def test_a_failure_ends_all_and_is_told(self, tmp_path, name, log):
    error = _run(
        tmp_path, "if name == '%s': sys.exit('out of luck')\n"
        "time.sleep(60)" % name)
    assert re.match(r"the (worker 1|ps 0) has failed \(%s\): out of luck$" % (
        re.escape(str(tmp_path / log))), str(error))

  def test_the_chief_tells_itself(self, tmp_path, capfd):
    error = _run(tmp_path, "if name == 'worker0': time.sleep(.1)\n"
                 "if name != 'ps0': sys.exit('the same for all')\n"
                 "time.sleep(60)")
    assert isinstance(error, SystemExit) and error.code == 1
    assert capfd.readouterr().err.count("the same for all") == 1

  def test_one_that_is_killed(self, tmp_path):
    error = _run(
        tmp_path, "if name == 'worker0': os.kill(os.getpid(), 9)\n"
        "time.sleep(60)")
    assert str(error) == "the chief was killed by signal 9; its log is %s" % (
        tmp_path / "chief.log")

  def test_a_signal_reaches_all_and_the_chief_may_take_its_time(
      self, tmp_path, capfd):
    behaviour = """
def stop(*_):
  time.sleep(.3)
  print("saved", flush=True)
  sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)"""

    def send(cluster, caught):
      _wait_for(lambda: all(
          "ready" in open(member.log).read() for member in cluster._members))
      caught.append(signal.SIGINT)

    assert _run(tmp_path, behaviour, on_start=send).code == 130
    assert capfd.readouterr().err.endswith("saved\n")
    for log in ("worker_1.log", "ps_0.log"):
      assert "saved" in (tmp_path / log).read_text()

  def test_who_does_not_end_without_a_parameter_server_is_killed(
      self, tmp_path, monkeypatch):
    monkeypatch.setattr(local_cluster, "_SECONDS_TO_END_WITHOUT_PS", .2)
    with _Stopwatch() as watch:
      error = _run(
          tmp_path, "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
          "if name == 'ps0': sys.exit('full')\ntime.sleep(60)")
    assert str(error).endswith(": full")
    assert watch.seconds < 20


class TestFlags(object):

  def test_others_are_passed_on(self):
    own = ["--model", "ghmm", "-batch_size=2", "--logdir", "/a", "--logdir=/b",
           "--nostagger_workers", "--work=1"]
    args, rest = local_cluster.parse_args(own + ["--workers=3", "--ps", "2"])
    assert (args.workers, args.ps, args.logdir) == (3, 2, "/b")
    assert rest == ["--model", "ghmm", "-batch_size=2", "--nostagger_workers",
                    "--work=1", "--logdir=/b"]

  @pytest.mark.parametrize("flags, line", [
      (["--workers=0"], "--workers=0: must be an integer from 1 to 1000"),
      (["--ps=x"], "--ps=x: must be an integer from 1 to 1000"),
      # Digits, but not to int().
      (["--ps=\u00b2"], "--ps=\u00b2: must be an integer from 1 to 1000"),
      (["--workers=\u0663"],
       "--workers=\u0663: must be an integer from 1 to 1000"),
      (["--logdir=gs://b/run"],
       "--logdir=gs://b/run: must be a path on this machine, not a URL"),
      (["--task=1"], "--task=1: is set for each process; a cluster on this "
       "machine takes --workers and --ps"),
  ])
  def test_wrong(self, flags, line):
    with pytest.raises(errors.UserError) as e:
      local_cluster.parse_args(flags)
    assert str(e.value) == line

  def test_threads(self, monkeypatch):
    monkeypatch.delenv("TF_NUM_INTEROP_THREADS", raising=False)
    environment = local_cluster.environment_of_each(10 ** 6)
    assert environment == dict(os.environ, TF_NUM_INTEROP_THREADS="1")
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "7")
    assert local_cluster.environment_of_each(10 ** 6) == os.environ


def test_two_do_not_mix_their_logs(tmp_path, monkeypatch):
  monkeypatch.setattr(
      sys, "argv", ["local_cluster.py", "--logdir=%s" % tmp_path])
  with locks.training_lock(str(tmp_path)):
    with pytest.raises(errors.UserError, match="is training there"):
      local_cluster.main(sys.argv[:1])
  assert os.listdir(str(tmp_path)) == [locks.FILE_NAME]


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


_GHMM = ["--mode=train", "--model=ghmm", "--max_steps=30", "--batch_size=2",
         "--summarize_every=10", "--nostagger_workers"]


@pytest.mark.slow
def test_trains(tmp_path):
  result = subprocess.run(
      [sys.executable, _PROGRAM, "--workers=2", "--ps=1",
       "--logdir=%s" % tmp_path] + _GHMM, stderr=subprocess.PIPE,
      universal_newlines=True, check=False)
  assert result.returncode == 0, result.stderr
  assert checkpoints.step(checkpoints.latest(str(tmp_path))) == 30
  assert "Step 30, " in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_saves_when_stopped(tmp_path, number):
  with subprocess.Popen(
      [sys.executable, _PROGRAM, "--logdir=%s" % tmp_path] + _GHMM +
      ["--max_steps=1000000"], stderr=subprocess.PIPE,
      universal_newlines=True) as process:
    lines = iter(process.stderr.readline, "")
    assert any(line.startswith("Step 11") for line in lines)
    process.send_signal(number)
    rest = process.stderr.read()
  assert process.returncode == 128 + number
  assert "Saving checkpoints for" in rest
  assert checkpoints.step(checkpoints.latest(str(tmp_path))) > 10


@pytest.mark.slow
def test_a_wrong_flag_is_told_once(tmp_path):
  result = subprocess.run(
      [sys.executable, _PROGRAM, "--logdir=%s" % tmp_path, "--batch_size=0"] +
      _GHMM[:3], stderr=subprocess.PIPE, universal_newlines=True, check=False)
  assert result.returncode == 1
  assert result.stderr == "run_fivo.py: --batch_size=0: must be at least 1\n"
