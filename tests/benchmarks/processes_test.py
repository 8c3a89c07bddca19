"""Tests of benchmarks.processes."""

import os
import subprocess
import sys

import pytest

from benchmarks import processes
from fivo.system import errors


def _python(code):
  return [sys.executable, "-c", code]


def test_lines_of_both_streams_come_with_their_times():
  outcome = processes.run("x", _python(
      "import sys, time\n"
      "print('one', flush=True)\n"
      "time.sleep(0.3)\n"
      "sys.stderr.write('two\\n')"))
  assert [line.text for line in outcome.lines] == ["one", "two"]
  first, second = [line.seconds for line in outcome.lines]
  assert first > 0.
  assert 0.25 < second - first < 10.


# In a process of its own: this one may be large, which its children would show.
_MEASURE_MEMORY = r"""
import sys
from benchmarks import processes
code = "x = bytearray(%d << 20)"
for mb in (1, 201, 1):
  print(processes.run("x", [sys.executable, "-c", code % mb]).peak_mb)
shell = "'%s' -c '%s'; true" % (sys.executable, code % 201)
print(processes.run("x", shell).peak_mb)
"""


def test_memory_is_that_of_the_command_and_its_children():
  output = subprocess.check_output(
      _python(_MEASURE_MEMORY), cwd=processes.ROOT, universal_newlines=True)
  small, large, after_large, in_shell = map(float, output.split())
  assert 180 < large - small < 220
  # Not the largest of all children so far.
  assert abs(after_large - small) < 20
  assert abs(in_shell - large) < 20


def test_where_commands_run(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  code = "import os; print(os.getcwd())"
  assert processes.run("x", _python(code)).lines[0].text == processes.ROOT
  assert processes.run("x", "pwd -P").lines[0].text == os.path.realpath(
      str(tmp_path))


def test_failure_is_one_line_with_the_last_words():
  with pytest.raises(errors.UserError) as info:
    processes.run("mine", "echo one; echo two >&2; exit 3")
  assert str(info.value) == "mine: failed: one | two"


def test_failure_without_words():
  with pytest.raises(errors.UserError, match="mine: failed: it printed noth"):
    processes.run("mine", "exit 1")


def test_missing_line_is_named():
  outcome = processes.run("mine", "echo one")
  assert len(outcome.require("^o(.)e$")) == 1
  assert not outcome.find("two")
  with pytest.raises(errors.UserError, match="mine: .*'two'.*: one"):
    outcome.require("two")


def test_nothing_imports_tensorflow():
  """Its memory would be taken for that of the children."""
  code = ("import sys, benchmarks.run; "
          "print('tensorflow' in sys.modules)")
  output = subprocess.check_output(_python(code), cwd=processes.ROOT)
  assert output.strip() == b"False"
