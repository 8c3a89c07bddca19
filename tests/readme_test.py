"""Tests that the example in the README is short and trains."""

import os
import re

from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from tests import programs


def test_example_trains(tmp_path):
  """Training your own model takes what the README shows and no more."""
  with open(os.path.join(programs.ROOT, "README.md"),
            encoding="utf-8") as stream:
    blocks = re.findall(r"```python\n(.*?)```", stream.read(), re.DOTALL)
  code, = [b for b in blocks if "ELBOTrainableSequenceModel" in b]
  assert len([line for line in code.splitlines() if line]) < 40
  code = code.replace("/tmp/own_model", str(tmp_path))
  code = code.replace("max_steps=200", "max_steps=3")
  exec(compile(code, "README.md", "exec"), {})  # pylint: disable=exec-used
  path = run_directory.RunDirectory(tmp_path).latest()
  assert checkpoints.step(path) == 3
