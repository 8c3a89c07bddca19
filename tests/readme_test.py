"""Tests that the README tells the truth."""

import os
import re

import pytest

from fivo.config import options
from fivo.logdir import checkpoints

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PATH = re.compile(r"(?<![/\w])(?:bin|fivo|tests)/[\w./-]*\w|\w+\.py\b")


@pytest.fixture(scope="module")
def readme():
  with open(os.path.join(_ROOT, "README.md"), encoding="utf-8") as stream:
    return stream.read()


def _example(readme):
  blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
  block, = [b for b in blocks if "ELBOTrainableSequenceModel" in b]
  return block


def test_example_is_short(readme):
  assert len([line for line in _example(readme).splitlines() if line]) < 40


def test_example_trains(readme, tmp_path):
  """Training your own model takes what the README shows and no more."""
  code = _example(readme).replace("/tmp/own_model", str(tmp_path))
  code = code.replace("max_steps=200", "max_steps=3")
  exec(compile(code, "README.md", "exec"), {})  # pylint: disable=exec-used
  path = checkpoints.latest(str(tmp_path))
  assert checkpoints.step(path) == 3


def test_every_flag_is_listed(readme):
  rows = dict(re.findall(r"^\| `--(\w+)` \| ([^|]*) \|", readme, re.MULTILINE))
  assert set(rows) == set(options.OPTIONS)
  for name, option in options.OPTIONS.items():
    default = "" if option.default in ("", None) else str(option.default)
    assert rows[name].strip() == default, name


def test_every_flag_in_a_command_exists(readme):
  commands = re.findall(r"run_fivo\.py \\?\n?((?:[^\n`]*\\\n)*[^\n`]*)", readme)
  absl = {"alsologtostderr", "help"}
  for command in commands:
    for name in re.findall(r"--(\w+)", command):
      assert name in options.OPTIONS or name in absl, name


def test_files_exist(readme):
  for path in set(_PATH.findall(readme)):
    found = [
        os.path.exists(os.path.join(_ROOT, directory, path))
        for directory in ("", "fivo", "fivo/models", "fivo/data",
                          "fivo/training", "fivo/compiled", "fivo/resampling")]
    assert any(found), path
