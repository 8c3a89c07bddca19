"""Tests of who sees the log lines."""

import pytest

from fivo.system import log
from tests import programs

_PROGRAM = """
import logging
import tensorflow as tf
import absl.app
from fivo.system import log

def main(unused_argv):
  {setup}
  log.info("A %s.", "line")
  tf.compat.v1.logging.info("TensorFlow's.")
  log.info("Another.")

{start}
"""


@pytest.mark.parametrize("setup, start, num_lines", [
    ("tf.compat.v1.logging.set_verbosity('INFO')", "main([])", 1),
    ("tf.compat.v1.logging.set_verbosity('INFO')", "absl.app.run(main)", 1),
    ("logging.basicConfig(level='INFO')", "main([])", 1),
    ("tf.compat.v1.logging.set_verbosity('INFO');"
     "logging.getLogger('tensorflow').addHandler("
     "logging.FileHandler('/dev/stdout'))", "main([])", 2),
    ("pass", "main([])", 0),
    ("pass", "absl.app.run(main)", 1),
])
def test_each_line_once(tmp_path, setup, start, num_lines):
  path = tmp_path / "program.py"
  path.write_text(_PROGRAM.format(setup=setup, start=start))
  result = programs.run([], program=str(path))
  assert result.exit_code == 0, result.stderr
  for line in ("A line.", "Another."):
    shown = result.stdout + result.stderr
    assert shown.count(line) == num_lines, shown


def test_the_callers_place_is_shown(caplog):
  caplog.set_level("INFO", logger="tensorflow")
  log.info("here")
  assert caplog.records[-1].filename == "log_test.py"


def test_log_dir(tmp_path):
  """The flag, which absl defines, did nothing."""
  log_dir = tmp_path / "logs"
  result = programs.run(
      ["--model=ghmm", "--proposal_type=prior", "--mode=eval", "--bound=elbo",
       "--num_timesteps=1", "--logdir=%s" % tmp_path, "--log_dir=%s" % log_dir])
  assert (result.exit_code, result.stderr) == (0, "")
  text = (log_dir / "py_run_fivo.INFO").read_text()
  assert "Wrote %s/out.npz." % tmp_path in text
