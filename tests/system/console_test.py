"""Tests of fivo.system.console."""

import os
import signal
import subprocess
import sys
import time

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# Where output is not buffered, a flush cannot fail.
_ENVIRONMENT = dict(os.environ, PYTHONPATH=_ROOT, PYTHONUNBUFFERED="")

_PROGRAM = '''
import sys
import time
from absl import app
from absl import flags
from absl import logging
from fivo.system import console
from fivo.system.errors import UserError
flags.DEFINE_integer("learning_rate", 1, "A number.")
flags.DEFINE_enum("bound", "elbo", ["elbo", "fivo"], "A choice.")


def main(argv):
%s


console.run_main(main)
'''


def _command(tmp_path, body):
  """Writes a program whose main has `body`; returns its command line."""
  path = tmp_path / "program.py"
  path.write_text(_PROGRAM % "\n".join(
      "  " + line for line in body.splitlines()))
  return [sys.executable, str(path)]


def _run(tmp_path, body, *args, **kwargs):
  return subprocess.run(
      _command(tmp_path, body) + list(args), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True,
      env=_ENVIRONMENT, check=False, **kwargs)


def test_success(tmp_path):
  result = _run(tmp_path, "print(argv[1:], flags.FLAGS.learning_rate)",
                "--learning_rate=7")
  assert (result.returncode, result.stdout, result.stderr) == (0, "[] 7\n", "")


def test_return_value_is_exit_code(tmp_path):
  assert _run(tmp_path, "return 3").returncode == 3


def test_log_lines_are_plain_by_default(tmp_path):
  body = "logging.info('Step %d', 3)\nlogging.debug('No.')"
  assert _run(tmp_path, body).stderr == "Step 3\n"
  assert _run(tmp_path, body, "--verbosity=-1").stderr == ""
  with_prefix = _run(tmp_path, body, "--showprefixforinfo").stderr
  assert with_prefix.startswith("I") and with_prefix.endswith("] Step 3\n")


@pytest.mark.parametrize("body, line", [
    ("raise UserError('--latent_size=0: must be positive')",
     "--latent_size=0: must be positive"),
    ("raise UserError('two\\nlines')", "two lines"),
    ("open('/nowhere/at/all')", "/nowhere/at/all: No such file or directory"),
    ("raise OSError(28, 'No space left on device')",
     "No space left on device"),
])
def test_mistake_of_the_user_is_one_line(tmp_path, body, line):
  result = _run(tmp_path, body)
  assert result.returncode == 1
  assert result.stderr == "program.py: %s\n" % line


@pytest.mark.parametrize("body", [
    "raise ValueError('a defect')", "raise OSError('a defect')"])
def test_defect_keeps_its_stack_trace(tmp_path, body):
  result = _run(tmp_path, body)
  assert result.returncode == 1
  assert "Traceback" in result.stderr and "a defect" in result.stderr


@pytest.mark.parametrize("args, line", [
    (["--learning_rte=99"],
     "unknown flag --learning_rte; did you mean --learning_rate?"),
    (["--lr", "1"], "unknown flag --lr; --help lists all flags"),
    (["extra"], "unexpected argument 'extra': flags are written --name=value"),
])
def test_defect_unknown_flag_was_accepted(tmp_path, args, line):
  result = _run(tmp_path, "print('ran')", *args)
  assert (result.returncode, result.stdout) == (1, "")
  assert result.stderr == "program.py: %s\n" % line


@pytest.mark.parametrize("arg, words", [
    ("--learning_rate=much", ["--learning_rate=much"]),
    ("--bound=ebbo", ["--bound=ebbo", "elbo"]),
])
def test_wrong_value_of_a_flag(tmp_path, arg, words):
  result = _run(tmp_path, "print('ran')", arg)
  assert (result.returncode, result.stdout) == (1, "")
  assert result.stderr.count("\n") == 1
  assert all(word in result.stderr for word in words)


def test_asking_for_help_is_no_mistake(tmp_path):
  result = _run(tmp_path, "print('ran')", "--help")
  assert result.returncode == 0
  assert "--learning_rate" in result.stdout and "ran" not in result.stdout


def test_interrupt_is_quiet(tmp_path):
  process = subprocess.Popen(
      _command(tmp_path, "print('up', flush=True)\ntime.sleep(60)"),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      env=_ENVIRONMENT)
  assert process.stdout.readline() == b"up\n"
  time.sleep(0.05)
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate(timeout=20)
  assert (process.returncode, stderr) == (130, b"")


def test_sigterm_lets_it_clean_up(tmp_path):
  body = """
try:
  print('up', flush=True)
  time.sleep(60)
finally:
  print('clean', flush=True)"""
  with subprocess.Popen(_command(tmp_path, body), stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, env=_ENVIRONMENT) as process:
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=20) == (b"clean\n", b"")
  assert process.returncode == 143


@pytest.mark.parametrize("flush", [True, False])
def test_closed_pipe_is_quiet(tmp_path, flush):
  # Without flush the write fails only at exit.
  read_end, write_end = os.pipe()
  os.close(read_end)
  result = subprocess.run(
      _command(tmp_path, "print('x' * 10, flush=%s)" % flush),
      stdout=write_end, stderr=subprocess.PIPE,
      env=_ENVIRONMENT, check=False)
  os.close(write_end)
  assert (result.returncode, result.stderr) == (130, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_disk_under_stdout(tmp_path):
  with open("/dev/full", "w") as full:
    result = subprocess.run(
        _command(tmp_path, "print('x')"), stdout=full, stderr=subprocess.PIPE,
        env=_ENVIRONMENT, check=False)
  assert result.returncode == 1
  assert result.stderr == b"program.py: No space left on device\n"


def test_starts_without_tensorflow(tmp_path):
  result = _run(tmp_path, "print('tensorflow' in sys.modules)")
  assert result.stdout == "False\n"
