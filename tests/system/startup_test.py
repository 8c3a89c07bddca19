"""Tests of commands in a wrong Python, and of Ctrl-C while they import."""

import os
import signal
import subprocess
import sys
import time

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_RUN_FIVO = "run_fivo.py"


def _start(*args, **environ):
  return subprocess.Popen(
      [sys.executable] + list(args), cwd=_ROOT, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True,
      env=dict(os.environ, **environ))


def _package(directory, name, text):
  """Makes a package that comes before the installed one; returns PYTHONPATH."""
  (directory / name).mkdir()
  (directory / name / "__init__.py").write_text(text)
  return str(directory)


def _assert_one_line(process, *words):
  stdout, stderr = process.communicate(timeout=60)
  assert (process.returncode, stdout) == (1, "")
  assert stderr.count("\n") == 1, stderr
  for word in words + ("needs Python 3.7 with TensorFlow 1.15", ".venv/bin/"):
    assert word in stderr


@pytest.mark.parametrize("command", [
    _RUN_FIVO, "fivo/data/calculate_pianoroll_mean.py",
    "fivo/data/create_timit_dataset.py", "-m fivo.data.download_pianorolls"])
def test_without_packages(command):
  # -S leaves out site-packages.
  _assert_one_line(_start("-S", *command.split()),
                   "(ModuleNotFoundError: No module named 'absl')")


def test_a_foreign_numpy(tmp_path):
  path = _package(tmp_path, "numpy", "raise ImportError('not for you')")
  _assert_one_line(_start(_RUN_FIVO, PYTHONPATH=path),
                   "(ImportError: not for you)", "PYTHONPATH=%s" % tmp_path)


def test_another_tensorflow(tmp_path):
  path = _package(tmp_path, "tensorflow", "__version__ = '2.15.0'")
  _assert_one_line(_start(_RUN_FIVO, "--logdir=%s" % (tmp_path / "run"),
                          "--model=ghmm", PYTHONPATH=path),
                   "with TensorFlow 2.15.0")


def test_closed_streams(tmp_path):
  command = 'exec "$0" fivo/data/calculate_pianoroll_mean.py --help'
  for closed in ("<&- >&- 2>&-", ">&-", ">%s 2>&-" % (tmp_path / "help")):
    assert not subprocess.call(
        ["sh", "-c", " ".join((command, closed)), sys.executable], cwd=_ROOT)
  assert "--in_file" in (tmp_path / "help").read_text()


def test_a_defect_keeps_its_stack_trace():
  process = _start("-c", "from fivo.system import startup\n"
                   "with startup.importing():\n"
                   "  from fivo.system.files import no_such_function\n")
  assert "Traceback" in process.communicate(timeout=60)[1]
  assert process.returncode == 1


@pytest.mark.parametrize("package, args", [
    ("absl", []), ("tensorflow", ["--model=ghmm", "--mode=eval"])])
def test_ctrl_c(tmp_path, package, args):
  path = _package(
      tmp_path, package, "import sys, time\nprint('up', flush=True)\n"
      "try:\n  time.sleep(60)\nexcept BaseException:\n  pass")
  with _start(_RUN_FIVO, *args, PYTHONPATH=path) as process:
    assert process.stdout.readline() == "up\n"
    time.sleep(.05)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
  assert process.returncode == 130
