"""Tests of benchmarks.run: options, and the whole from end to end."""

import json
import os
import signal
import subprocess
import sys
import time
import types

import pytest

from benchmarks import processes
from benchmarks import run
from benchmarks import scaling
from fivo.system import errors
from tests.benchmarks import stub


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
  path = str(tmp_path_factory.mktemp("data") / "tiny.pkl")
  scaling.write_dataset(path, num_timesteps=3, num_sequences=5)
  return path


def _options(dataset, **kwargs):
  options = dict(
      dataset_path=dataset, out_dir=None, measure=["training"], repeats=2,
      quick=False, sizes=["2x3"], variant=[], yardstick=[], warmup_steps=2,
      steps=4, eval_size="2x3", eval_split="test", eval_passes=2,
      sweep=["num_samples=2:4"], sweep_steps=2, sweep_repeats=1)
  options.update(kwargs)
  return types.SimpleNamespace(**options)


@pytest.mark.parametrize("steps, batch_size, num_sequences, expected", [
    (200, 4, 229, 229),  # 800 sequences are 3.5 epochs of JSB.
    (200, 32, 229, 201),  # 6400 are 27.9.
    (1, 4, 524, 131),
    (10, 4, 20, 10),
    (11, 4, 20, 15),
    (1, 64, 5, 2),
])
def test_whole_epochs(steps, batch_size, num_sequences, expected):
  assert run.whole_epochs(steps, batch_size, num_sequences) == expected


def test_size():
  assert run.parse_size("sizes", "32x16") == (32, 16)


@pytest.mark.parametrize("option, value", [
    ("measure", ["speed"]), ("measure", []), ("sizes", ["4"]), ("sizes", []),
    ("sizes", ["0x4"]), ("sizes", ["4x4x4"]), ("eval_size", "x"),
    ("variant", ["--xla"]), ("yardstick", ["mine="]),
    ("sweep", ["num_particles"]), ("dataset_path", ""),
    ("dataset_path", "/nowhere.pkl")])
def test_bad_options_are_named_before_anything_runs(
    dataset, monkeypatch, capsys, option, value):
  monkeypatch.setattr(processes, "run", None)
  with pytest.raises(errors.UserError, match="^--%s" % option):
    run.measure(_options(dataset, **{option: value}))
  assert not capsys.readouterr().out


def test_split_without_sequences(tmp_path, monkeypatch):
  monkeypatch.setattr(run.pianorolls, "load", lambda path: {"train": [[()]]})
  with pytest.raises(errors.UserError, match="^--dataset_path=x: .*valid"):
    run.count_sequences("x", "valid")


def test_everything(dataset, tmp_path, monkeypatch, capsys):
  pytest.importorskip("matplotlib")
  stub.write(tmp_path)
  (tmp_path / "benchmarks").mkdir()
  (tmp_path / "benchmarks" / "__init__.py").write_text("")
  (tmp_path / "benchmarks" / "separate_bounds.py").write_text(
      (tmp_path / "run_fivo.py").read_text())
  monkeypatch.setattr(processes, "ROOT", str(tmp_path))
  out_dir = tmp_path / "new" / "out"
  run.measure(_options(
      dataset, out_dir=str(out_dir), sizes=["2x3", "4x3"],
      measure=["training", "evaluation", "scaling"],
      variant=["bucketed=--bucket_by_length"],
      yardstick=["mine=echo {batch_size} steps/s"]))
  table = (out_dir / "table.md").read_text()
  assert capsys.readouterr().out.startswith(table.rstrip("\n")[:1000])
  titles = [line for line in table.splitlines() if line.startswith("###")]
  assert [title.split()[1] for title in titles] == [
      "Training", "Training", "Evaluation", "Training"]
  assert table.count("| bucketed |") == 2
  assert table.count("x mine |") == 2
  results = json.loads((out_dir / "results.json").read_text())
  assert results["machine"]["cores"] >= 1
  assert results["machine"]["tensorflow"].startswith("1.15")
  assert ["### " + each["title"] for each in results["comparisons"]] == titles
  rounds = results["comparisons"][1]["figures"]["mine"]
  assert [figures["steps_per_sec"] for figures in rounds] == [4., 4.]
  assert (out_dir / "scaling.png").stat().st_size > 1000
  assert sorted(path.name for path in out_dir.iterdir()) == [
      "results.json", "scaling.png", "table.md"]


def test_real_program(dataset):
  """One run of `run_fivo.py`, the rest of the chain as a user calls it."""
  done = subprocess.run(
      [sys.executable, "benchmarks/run.py", "--dataset_path=" + dataset,
       "--quick", "--measure=training", "--repeats=1", "--sizes=2x3",
       "--warmup_steps=1", "--steps=2"],
      cwd=processes.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      universal_newlines=True, timeout=200)
  assert done.returncode == 0, done.stderr
  assert "### Training on tiny.pkl: batch 2, 3 particles, 3 steps" in (
      done.stdout)
  name, speed, _, startup, memory = done.stdout.splitlines()[-2].strip(
      "| ").split(" | ")
  assert name == "default"
  assert float(speed) > 1.
  assert float(startup) > 0.5
  assert 100. < float(memory) < 2000.


# The command, and nothing else, is measured.
_MEASURE_COMMAND = """
from benchmarks import processes, run
from fivo.system import console
run.measure = lambda options: processes.run("x", %r)
run.define_flags()
console.run_main(run.main)
"""


def _is_running(pid):
  try:
    with open("/proc/%s/stat" % pid) as stream:
      return stream.read().rpartition(")")[2].split()[0] not in "ZX"
  except FileNotFoundError:
    return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="no /proc")
@pytest.mark.parametrize("number, code", [
    (signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 130)])
def test_stopped_benchmark_leaves_no_process(dataset, tmp_path, number, code):
  # The shell prints its own number and that of a child.
  command = "sleep 60 & echo $$ $! >%s/pids.new; mv %s/pids.new %s/pids; wait"
  process = subprocess.Popen(
      [sys.executable, "-c", _MEASURE_COMMAND % (
          command % ((tmp_path,) * 3))], cwd=processes.ROOT)
  deadline = time.time() + 60
  while not (tmp_path / "pids").exists() and time.time() < deadline:
    time.sleep(0.02)
  process.send_signal(number)
  assert process.wait(timeout=60) == code
  for pid in (tmp_path / "pids").read_text().split():
    while _is_running(pid) and time.time() < deadline:
      time.sleep(0.02)
    assert not _is_running(pid)


def test_mistake_is_one_line():
  done = subprocess.run(
      [sys.executable, "benchmarks/run.py", "--size=4x4"], cwd=processes.ROOT,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
  assert done.returncode == 1
  assert done.stderr == (
      "run.py: unknown flag --size; did you mean --sizes?\n")
