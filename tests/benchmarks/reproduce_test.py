"""Tests that the reproduction runs, resumes and writes its tables."""

import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks import processes

# Stands for `run_fivo.py`: trains 30 steps of 0.01 s, goes on where it was
# killed, and evaluates; larger learning rates are better.
_STUB = r"""
import json, os, re, sys, time
flags = dict(re.findall(r"--(\S+?)=(\S*)", " ".join(sys.argv[1:])))
rate = float(flags.get("learning_rate", 0))
logdir = flags["logdir"]
if flags.get("model") == "ghmm" and flags["mode"] == "eval":
  print("gap: 5.0e-01, standard deviation of the gap per sequence: 2.0")
  sys.exit()
if flags["mode"] == "eval":
  bound = json.load(open(os.path.dirname(logdir) + "/validation.json"))
  value = bound["best_bound"] - 1
  print("test elbo ll/t: %f, iwae ll/t: %f fivo ll/t: %f" % (
      value - 2, value - 1, value))
  print("test standard errors over 5 repeats, ll/t: elbo 0.01, iwae 0.02, fivo "
        "0.03")
  sys.exit()
os.makedirs(logdir, exist_ok=True)
path = os.path.join(logdir, "steps")
step = int(open(path).read()) if os.path.exists(path) else 0
open(os.path.join(logdir, "starts"), "a").write("%d\n" % step)
while step < 30:
  step += 1
  time.sleep(0.01)
  open(path + ".new", "w").write(str(step))
  os.rename(path + ".new", path)
  print("Step %d, valid %s bound per timestep: %f (x)" % (
      step, flags["bound"], rate - 8), flush=True)
  if step == 10 and flags.get("random_seed") == "13":
    sys.exit("it went wrong")
json.dump({"best_bound": rate - 8, "best_step": 10, "last_step": 30},
          open(os.path.join(logdir, "validation.json"), "w"))
"""
_REPRODUCE = """
import sys
from benchmarks import processes, reproduce
from fivo.system import console
processes.PROGRAM[1] = sys.argv.pop(1)
reproduce.define_flags()
console.run_main(reproduce.main)
"""


@pytest.fixture
def start(tmp_path):
  """A function that starts the script with a stub of `run_fivo.py`."""
  pytest.importorskip("matplotlib")
  program = tmp_path / "run_fivo.py"
  program.write_text(_STUB)
  (tmp_path / "jsb.pkl").write_text("")
  return lambda *flags: subprocess.Popen(
      [sys.executable, "-c", _REPRODUCE, str(program),
       "--data_dir=%s" % tmp_path, "--out_dir=%s" % (tmp_path / "out")] +
      list(flags), cwd=processes.ROOT, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True)


def _run(start, *flags, code=0):
  process = start(*flags)
  stdout, stderr = process.communicate(timeout=200)
  assert process.returncode == code, stderr
  return stdout, stderr


def _cells(tmp_path):
  with open(str(tmp_path / "out" / "cells.csv")) as stream:
    return list(csv.DictReader(stream))


def test_chooses_by_valid_and_writes_tables(start, tmp_path):
  flags = ["--bounds=iwae,fivo", "--seeds=1,2", "--learning_rates=0.1,0.3"]
  stdout, _ = _run(start, "--dry_run", *flags)
  assert len(stdout.splitlines()) == 12 and not (tmp_path / "out").exists()
  stdout, _ = _run(start, *flags)
  cells = _cells(tmp_path)
  assert [(c["bound"], c["seed"], c["learning_rate"]) for c in cells] == [
      ("iwae", "1", "0.3"), ("fivo", "1", "0.3"), ("iwae", "2", "0.3"),
      ("fivo", "2", "0.3")]
  assert float(cells[0]["test_elbo"]) == pytest.approx(-10.7)
  assert "--dataset_path=$PIANOROLL_DIR/jsb.pkl " in cells[0]["command"]
  assert "| -8.700 ± 0.000 | -8.700 ± 0.000 |" in stdout
  assert (tmp_path / "out" / "table.md").read_text() + "\n" == stdout
  assert (tmp_path / "out" / "curves.png").stat().st_size > 1000
  # Another call keeps these cells; none is run again.
  _run(start, "--bounds=fivo-aux", "--flags=--latent_size=3 --xla=false")
  assert [(c["bound"], c["flags"]) for c in _cells(tmp_path) if c["curve"]] == [
      ("iwae", ""), ("fivo", ""), ("iwae", ""), ("fivo", ""),
      ("fivo-aux", "--latent_size=3 --xla=false")]
  (tmp_path / "run_fivo.py").unlink()
  _run(start, *flags)


def test_failure_spares_the_others(start, tmp_path):
  _, stderr = _run(start, "--bounds=fivo", "--seeds=13,2", "--jobs=1", code=1)
  assert "seed13" in stderr and "it went wrong" in stderr
  assert [cell["seed"] for cell in _cells(tmp_path)] == ["2"]


def test_killed_and_stopped_scripts_go_on(start, tmp_path):
  logdir = (tmp_path / "out" / "cells" / "jsb_vrnn_fivo_n4_seed1_lr0.003" /
            "logdir")
  for number in (signal.SIGKILL, signal.SIGTERM):
    process = start("--bounds=fivo")
    seen = (logdir / "steps").read_text() if logdir.exists() else ""
    while not (logdir / "steps").exists() or (
        (logdir / "steps").read_text() == seen):
      time.sleep(.01)
    process.send_signal(number)
    assert process.wait() == (-9 if number == signal.SIGKILL else 143)
  _run(start, "--bounds=fivo")
  starts = list(map(int, (logdir / "starts").read_text().split()))
  assert len(starts) == 3 and starts == sorted(set(starts))
  assert [cell["bound"] for cell in _cells(tmp_path)] == ["fivo"]


def test_ghmm(start, tmp_path):
  stdout, _ = _run(start, "--dataset=ghmm", "--jobs=8")
  assert stdout.count("| 2.500 ± 0.045 |") == 35  # 5 * .5, 2 / sqrt(2000)
  assert (tmp_path / "out" / "ghmm.png").stat().st_size > 1000
  # One training run for each bound serves all numbers of particles.
  assert len(os.listdir(str(tmp_path / "out" / "runs"))) == 18
