"""Tests that the README is short, and that its example trains."""

import os
import re

import pytest

from fivo.logdir import checkpoints
from tests import programs


@pytest.fixture(scope="module")
def readme():
  with open(os.path.join(programs.ROOT, "README.md"),
            encoding="utf-8") as stream:
    return stream.read()


def _example(readme):
  blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
  block, = [b for b in blocks if "ELBOTrainableSequenceModel" in b]
  return block


def test_readme_is_short(readme):
  assert len(readme.splitlines()) <= 250


def test_example_is_short(readme):
  assert len([line for line in _example(readme).splitlines() if line]) < 40


def test_example_trains(readme, tmp_path):
  """Training your own model takes what the README shows and no more."""
  code = _example(readme).replace("/tmp/own_model", str(tmp_path))
  code = code.replace("max_steps=200", "max_steps=3")
  exec(compile(code, "README.md", "exec"), {})  # pylint: disable=exec-used
  path = checkpoints.latest(str(tmp_path))
  assert checkpoints.step(path) == 3
