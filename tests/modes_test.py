"""Tests of what `run_fivo.py` imports, and when; see fivo/modes.py."""

import os
import subprocess
import sys

import pytest

from tests import programs


@pytest.mark.parametrize("flag", ["--help", "--num_samples=0"])
def test_help_and_mistakes_do_not_wait_for_tensorflow(flag):
  done = subprocess.run(
      [sys.executable, "-X", "importtime",
       os.path.join(programs.ROOT, programs.RUN_FIVO), flag],
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  imported = [line.rpartition("|")[2].strip()
              for line in done.stderr.splitlines() if "|" in line]
  assert "fivo.config.config" in imported
  assert not [name for name in imported if name.startswith("tensorflow")]
