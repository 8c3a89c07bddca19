"""Tests that the benchmark runs."""

import subprocess
import sys

import pytest

from benchmarks import processes
from fivo.formats import pianorolls

# The least that can be measured. The argument is what stands for `run_fivo.py`.
_RUN = """
import sys
from benchmarks import processes, run
from fivo.system import console
processes.PROGRAM[1] = sys.argv.pop(1) or processes.PROGRAM[1]
run.define_flags()
console.run_main(run.main)
"""
# Logs as `run_fivo.py` does, at once.
_STUB = r"""
import re, sys, time
flags = dict(re.findall(r"--(\w+)=(\S*)", " ".join(sys.argv[1:])))
for step in range(1, int(flags["max_steps"]) + 1):
  time.sleep(0.001)
  print("Step %d, fivo bound per timestep: -1." % step, flush=True)
"""


def _run(program, *flags):
  return subprocess.run(
      [sys.executable, "-c", _RUN, program, "--quick", "--repeats=1"] +
      list(flags), cwd=processes.ROOT, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True, timeout=280)


def test_runs(tmp_path):
  pytest.importorskip("matplotlib")
  pianorolls.save_with_mean(str(tmp_path / "x.pkl"), {
      split: [[(60, 64)] * 3] * 500 for split in pianorolls.SPLITS})
  (tmp_path / "run_fivo.py").write_text(_STUB)
  done = _run(
      str(tmp_path / "run_fivo.py"), "--sizes=2x3",
      "--dataset_path=%s" % (tmp_path / "x.pkl"),
      "--out_dir=%s" % (tmp_path / "out"), "--variant=bucketed=--x",
      "--yardstick=mine=echo {max_steps} steps/s")
  assert done.returncode == 0, done.stderr
  assert "| bucketed |" in done.stdout
  assert "| mine | 261 | 522 |" in done.stdout
  assert (tmp_path / "out" / "scaling.png").stat().st_size > 1000


@pytest.mark.parametrize("flag", [
    "--measure=speed", "--sizes=4", "--variant=--xla", "--yardstick=mine=",
    "--dataset_path=/nowhere.pkl"])
def test_refuses(flag):
  done = _run("none", "--measure=training", flag)
  assert done.returncode == 1
  assert done.stderr.startswith("-c: " + flag)
  assert done.stderr.count("\n") == 1
