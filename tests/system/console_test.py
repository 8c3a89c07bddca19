"""Tests of fivo.system.console."""

import os
import signal
import subprocess
import sys

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
_PROGRAM = '''
import sys
import time
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


def _start(tmp_path, body, *args, stdout=subprocess.PIPE):
  """Starts a program whose main has `body`."""
  path = tmp_path / "program.py"
  path.write_text(_PROGRAM % "\n".join(
      "  " + line for line in body.splitlines()))
  return subprocess.Popen(
      [sys.executable, str(path)] + list(args), stdout=stdout,
      stderr=subprocess.PIPE, universal_newlines=True,
      # Where output is not buffered, a flush cannot fail.
      env=dict(os.environ, PYTHONPATH=_ROOT, PYTHONUNBUFFERED=""))


def _run(*args, **kwargs):
  """Returns the exit code, stdout and stderr of a program."""
  with _start(*args, **kwargs) as process:
    return (process.wait(timeout=60),) + process.communicate()


def test_success(tmp_path):
  """The value that is returned is the exit code; TensorFlow is not loaded."""
  assert _run(
      tmp_path, "print(argv[1:], flags.FLAGS.learning_rate, "
      "'tensorflow' in sys.modules)\nreturn 3", "--learning_rate=7"
  ) == (3, "[] 7 False\n", "")


def test_log_lines_are_plain_by_default(tmp_path):
  body = "logging.info('Step %d', 3)\nlogging.debug('No.')"
  assert _run(tmp_path, body) == (0, "", "Step 3\n")
  assert _run(tmp_path, body, "--verbosity=-1") == (0, "", "")
  _, _, with_prefix = _run(tmp_path, body, "--showprefixforinfo")
  assert with_prefix.startswith("I") and with_prefix.endswith("] Step 3\n")


@pytest.mark.parametrize("body, args, line", [
    ("raise UserError('--latent_size=0: must be positive')", [],
     "--latent_size=0: must be positive"),
    ("raise UserError('two\\nlines')", [], "two lines"),
    ("print('ran')", ["--bound=ebbo"],
     "--bound=ebbo: must be one of elbo, fivo; did you mean elbo?"),
])
def test_mistake_of_the_user_is_one_line(tmp_path, body, args, line):
  assert _run(tmp_path, body, *args) == (1, "", "program.py: %s\n" % line)


@pytest.mark.parametrize("error", ["ValueError", "OSError"])
def test_defect_keeps_its_stack_trace(tmp_path, error):
  code, _, stderr = _run(tmp_path, "raise %s('a defect')" % error)
  assert code == 1
  assert "Traceback" in stderr and "a defect" in stderr


def test_asking_for_help_is_no_mistake(tmp_path):
  code, stdout, _ = _run(tmp_path, "print('ran')", "--help")
  assert code == 0
  assert "--learning_rate" in stdout and "ran" not in stdout


@pytest.mark.parametrize("number, code", [
    (signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_quiet_and_lets_it_clean_up(tmp_path, number, code):
  body = """
try:
  print('up', flush=True)
  time.sleep(60)
finally:
  print('clean', flush=True)"""
  with _start(tmp_path, body) as process:
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("clean\n", "")
  assert process.returncode == code


# Without flush the write fails only at exit.
@pytest.mark.parametrize("body, args", [
    ("print('x', flush=True)", []), ("print('x')", []), ("pass", ["--help"])])
def test_closed_pipe_is_quiet(tmp_path, body, args):
  read_end, write_end = os.pipe()
  os.close(read_end)
  assert _run(tmp_path, body, *args, stdout=write_end) == (130, None, "")
  os.close(write_end)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_full_disk_under_stdout(tmp_path):
  with open("/dev/full", "w") as full:
    assert _run(tmp_path, "print('x')", stdout=full) == (
        1, None, "program.py: No space left on device\n")
