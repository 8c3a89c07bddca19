"""Tests that the benchmark runs."""

import json
import subprocess
import sys

import pytest

from benchmarks import processes
from benchmarks import scaling

# Stands for `run_fivo.py`: it logs as that does, at once.
_STUB = r"""
import re, sys, time
flags = dict(re.findall(r"--(\w+)=(\S*)", " ".join(sys.argv[1:])))
for step in range(1, int(flags["max_steps"]) + 1):
  time.sleep(0.001)
  print("Step %d, fivo bound per timestep: -1." % step, flush=True)
"""
# The interpreter, what stands for `run_fivo.py`, and flags.
_RUN = """
import sys
from benchmarks import processes, run
from fivo.system import console
processes.PROGRAM[1] = sys.argv.pop(1)
run.define_flags()
console.run_main(run.main)
"""


def _run(program, *flags):
  return subprocess.run(
      [sys.executable, "-c", _RUN, program, "--quick", "--repeats=1",
       "--warmup_steps=1", "--steps=2", "--sweep_steps=2"] + list(flags),
      cwd=processes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      universal_newlines=True, timeout=280)


@pytest.mark.parametrize("measures", [
    "training,scaling",
    pytest.param("training,evaluation,scaling", marks=pytest.mark.slow)])
def test_runs(tmp_path, measures):
  pytest.importorskip("matplotlib")
  scaling.write_dataset(str(tmp_path / "x.pkl"), 3, num_sequences=5)
  program = processes.PROGRAM[1]
  if "evaluation" not in measures:
    (tmp_path / "run_fivo.py").write_text(_STUB)
    program = str(tmp_path / "run_fivo.py")
  done = _run(
      program, "--measure=" + measures, "--sizes=2x3", "--eval_size=2x3",
      "--dataset_path=%s" % (tmp_path / "x.pkl"), "--eval_passes=20",
      "--sweep=num_samples=2:4", "--out_dir=%s" % (tmp_path / "out"),
      "--variant=bucketed=--bucket_by_length",
      "--yardstick=mine=echo {steps} steps/s")
  assert done.returncode == 0, done.stderr
  assert (tmp_path / "out" / "table.md").read_text() + "\n" == done.stdout
  titles = [line for line in done.stdout.splitlines()
            if line.startswith("###")]
  assert len(titles) == len(measures.split(","))
  assert "| bucketed |" in done.stdout and "x mine |" in done.stdout
  results = json.loads((tmp_path / "out" / "results.json").read_text())
  assert results["machine"]["tensorflow"].startswith("1.15")
  figures = results["comparisons"][0]["figures"]
  assert figures["mine"][0]["steps_per_sec"] == 3.
  assert 5. < figures["default"][0]["peak_mb"] < 2000.
  assert (tmp_path / "out" / "scaling.png").stat().st_size > 1000


@pytest.mark.parametrize("flag", [
    "--measure=speed", "--sizes=4", "--eval_size=0x4", "--variant=--xla",
    "--yardstick=mine=", "--sweep=num_particles", "--sweep=batch_size=0",
    "--dataset_path=/nowhere.pkl"])
def test_refuses(flag):
  done = _run("none", "--measure=training", flag)
  assert done.returncode == 1
  assert done.stderr.startswith("-c: " + flag)
  assert done.stderr.count("\n") == 1
