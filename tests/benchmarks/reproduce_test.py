"""Tests of benchmarks.reproduce: the plan, resuming, and the tables."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import types

import pytest

from benchmarks import processes
from benchmarks import reproduce
from benchmarks import reproduce_cells
from benchmarks import reproduce_ghmm
from benchmarks import reproduce_models
from benchmarks import reproduce_tables
from benchmarks import reproduce_tasks
from benchmarks import scaling
from fivo.system import errors

# Trains 60 steps of 0.01 s, goes on where it was killed, and evaluates to what
# tells which cell it is: more particles and larger rates are better.
_STUB = r"""
import json, os, re, signal, sys, time
flags = dict(re.findall(r"--(\S+?)=(\S*)", " ".join(sys.argv[1:])))
logdir = flags["logdir"]
rate = float(flags.get("learning_rate", 0))
if flags["mode"] == "eval" and flags.get("model") == "ghmm":
  print("fivo/t: -1., likelihood: -1., gap: 5.0e-01, standard deviation of "
        "the gap per sequence: 2.0")
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
if not os.path.exists(path):
  open(path, "w").write("0")
step = int(open(path).read())
open(os.path.join(logdir, "starts"), "a").write("%d\n" % step)
signal.signal(signal.SIGTERM, lambda *args: sys.exit(143))
while step < 60:
  step += 1
  time.sleep(0.01)
  open(path + ".new", "w").write(str(step))
  os.rename(path + ".new", path)
  print("Step %d, fivo bound per timestep: -9." % step, flush=True)
  if step == 10 and os.environ.get("STUB_FAILS") == flags.get("random_seed"):
    sys.exit("it went wrong")
  if step == 10:
    print("Step 10, valid fivo bound per timestep: %f (x)" % (rate - 8),
          flush=True)
json.dump({"format": 1, "measure": "x", "best_bound": rate - 8, "best_step": 10,
           "last_step": 60, "num_worse": 0},
          open(os.path.join(logdir, "validation.json"), "w"))
"""


@pytest.fixture(name="stub")
def _stub(tmp_path, monkeypatch):
  """A directory with a stub of run_fivo.py, which is run in place of it."""
  (tmp_path / "run_fivo.py").write_text(_STUB)
  (tmp_path / "data").mkdir()
  (tmp_path / "data" / "jsb.pkl").write_text("")
  monkeypatch.setattr(processes, "ROOT", str(tmp_path))
  return tmp_path


def _options(stub, **kwargs):
  options = dict(
      dataset="jsb", bounds=["fivo"], particles=["4"], models=["vrnn"],
      seeds=["1"], learning_rates=["0.1"], flags="", eval_repeats=5, jobs=2,
      progress_secs=0.1, out_dir=str(stub / "out"), data_dir=str(stub / "data"),
      dry_run=False)
  options.update(kwargs)
  return types.SimpleNamespace(**options)


def _cells(stub):
  with open(str(stub / "out" / "cells.csv")) as stream:
    return list(csv.DictReader(stream))


@pytest.mark.parametrize("option, value", [
    ("bounds", ["elb"]), ("particles", ["0"]), ("particles", ["x"]),
    ("models", ["gru"]), ("seeds", ["1.5"]), ("learning_rates", ["0"]),
    ("learning_rates", []), ("flags", "--latent_size"), ("flags", "--a=1"),
    ("flags", "--bound=elbo"), ("flags", "'"), ("data_dir", "/nowhere")])
def test_bad_options_are_named(stub, option, value):
  with pytest.raises(errors.UserError, match="^--%s" % option):
    reproduce.reproduce(_options(stub, **{option: value}))


def test_dry_run_runs_nothing(stub, capsys):
  reproduce.reproduce(_options(stub, dry_run=True, seeds=["1", "2"],
                               flags="--latent_size=3 --max_steps=7"))
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 4 and not (stub / "out").exists()
  for flag in ("mode=train", "latent_size=3", "max_steps=7", "random_seed=1",
               "bound=fivo"):
    assert "--%s" % flag in lines[0].split()


def test_chooses_by_valid_and_writes_tables(stub, capsys):
  pytest.importorskip("matplotlib")
  options = _options(stub, bounds=["iwae", "fivo"], seeds=["1", "2"],
                     learning_rates=["0.1", "0.3", "0.2"])
  reproduce.reproduce(options)
  cells = _cells(stub)
  assert [(c["bound"], c["seed"], c["learning_rate"]) for c in cells] == [
      ("iwae", "1", "0.3"), ("fivo", "1", "0.3"), ("iwae", "2", "0.3"),
      ("fivo", "2", "0.3")]
  assert float(cells[0]["valid"]) == pytest.approx(-7.7)
  assert float(cells[0]["test_elbo"]) == pytest.approx(-10.7)
  assert float(cells[0]["standard_error_iwae"]) == .02
  assert cells[0]["command"].startswith(
      "python run_fivo.py --mode=train --logdir=$OUT_DIR/cells/")
  text = (stub / "out" / "table.md").read_text()
  assert "| -8.700 ± 0.000 | -8.700 ± 0.000 |" in text
  assert capsys.readouterr().out.startswith(text[:1000])
  assert (stub / "out" / "curves.png").stat().st_size > 1000
  # A call for another cell keeps these; once more: nothing is run.
  reproduce.reproduce(_options(stub, bounds=["elbo"]))
  assert [c["bound"] for c in _cells(stub)] == [
      "elbo", "iwae", "fivo", "iwae", "fivo"]
  before = (stub / "out" / "cells.csv").read_text()
  (stub / "run_fivo.py").unlink()
  reproduce.reproduce(options)
  assert (stub / "out" / "cells.csv").read_text() == before


def test_other_flags_need_another_directory(stub):
  pytest.importorskip("matplotlib")
  reproduce.reproduce(_options(stub))
  with pytest.raises(errors.UserError, match="other flags"):
    reproduce.reproduce(_options(stub, flags="--latent_size=3"))


def test_failure_spares_the_others(stub, monkeypatch):
  pytest.importorskip("matplotlib")
  monkeypatch.setenv("STUB_FAILS", "1")
  with pytest.raises(errors.UserError, match="seed1.*it went wrong"):
    reproduce.reproduce(_options(stub, seeds=["1", "2"], jobs=1))
  assert [cell["seed"] for cell in _cells(stub)] == ["2"]


def _start(stub, log):
  """Starts the script itself with the stub."""
  return subprocess.Popen(
      [sys.executable, "-c",
       "import sys; from benchmarks import processes, reproduce\n"
       "from fivo.system import console\n"
       "processes.ROOT = sys.argv.pop(1)\n"
       "reproduce.define_flags(); console.run_main(reproduce.main)", str(stub),
       "--data_dir=" + str(stub / "data"), "--out_dir=" + str(stub / "out"),
       "--bounds=iwae,fivo", "--progress_secs=0.1"],
      stdout=subprocess.DEVNULL, stderr=log)


def _wait_for(condition):
  deadline = time.time() + 30.
  while not condition():
    assert time.time() < deadline
    time.sleep(.01)


def test_killed_script_and_killed_child(stub):
  """The script is killed, then a child, then the script gets a SIGTERM."""
  pytest.importorskip("matplotlib")
  logdir = stub / "out" / "cells" / (
      "jsb_vrnn_fivo_n4_seed1_lr%s" % reproduce_cells.LEARNING_RATE) / "logdir"

  def starts():
    """The steps at which the child has started."""
    if not (logdir / "starts").exists():
      return []
    return [int(line) for line in (logdir / "starts").read_text().split()]

  def has_started(times):
    """Whether it has, so often, and taken a step since."""
    return len(starts()) == times and (
        int((logdir / "steps").read_text() or 0) > starts()[-1])

  with open(str(stub / "log"), "w") as log:
    script = _start(stub, log)
    _wait_for(lambda: has_started(1))
    script.kill()
    script.wait()
    script = _start(stub, log)
    _wait_for(lambda: has_started(2))
    children = subprocess.check_output(
        ["pgrep", "-f", "--", "--logdir=%s" % logdir]).split()
    for child in children:
      os.kill(int(child), signal.SIGKILL)
    _wait_for(lambda: has_started(3))
    script.terminate()
    assert script.wait() == 128 + signal.SIGTERM
    script = _start(stub, log)
    assert script.wait() == 0
  assert len(starts()) == 4 and starts()[0] < starts()[1] < starts()[3]
  log = (stub / "log").read_text()
  assert "was killed by signal 9; starting it again" in log
  assert re.search("train of .*: step \\d+", log)
  assert [cell["bound"] for cell in _cells(stub)] == ["iwae", "fivo"]


def test_verdict():
  def figures(elbo, iwae, fivo, error=.01):
    return dict(elbo=(elbo, error), iwae=(iwae, error), fivo=(fivo, error))

  verdict = reproduce_tables.verdict
  assert verdict(figures(-3., -2., -1.)) == "yes"
  assert verdict(figures(-3., -2., -2.)) == "no: FIVO is not above IWAE"
  assert verdict(figures(-2., -3., -1.)) == "no: IWAE is not above ELBO"
  assert verdict(figures(-3., -2., -1.98)).startswith("no")  # It may be noise.
  assert verdict(dict(fivo=(-1., None))) == ""


def test_ghmm(stub, monkeypatch, capsys):
  pytest.importorskip("matplotlib")
  monkeypatch.setattr(reproduce_ghmm, "PROPOSALS", ("prior", "smoothing"))
  monkeypatch.setattr(reproduce_ghmm, "LENGTHS", (5,))
  monkeypatch.setattr(reproduce_ghmm, "PARTICLES", (4, 16))
  reproduce.reproduce(_options(stub, dataset="ghmm"))
  table = capsys.readouterr().out
  assert table.count("| 2.500 ± 0.045 |") == 10  # 5 * .5, 2 / sqrt(2000)
  assert (stub / "out" / "ghmm.png").stat().st_size > 1000
  # One training run for each bound serves all numbers of particles.
  runs = stub / "out" / "runs"
  assert len(os.listdir(str(runs))) == 3
  assert {(runs / name / "starts").read_text()
          for name in os.listdir(str(runs))} == {"0\n"}


def test_state_of_a_task(tmp_path):
  task = reproduce_tasks.Task("t", str(tmp_path), "train", ["a", "b", "--c=d"],
                              (), reproduce_tasks.always)
  assert task.state()["seconds"] == 0 and not task.is_done()
  task.save(dict(task.state(), seconds=3., done=True))
  assert json.loads((tmp_path / "train.json").read_text())["command"] == "--c=d"
  assert task.is_done()


@pytest.mark.slow
def test_end_to_end(tmp_path, capsys):
  """A tiny cell of the program itself, and its model."""
  pytest.importorskip("matplotlib")
  data = tmp_path / "data"
  data.mkdir()
  scaling.write_dataset(str(data / "jsb.pkl"), num_timesteps=3, num_sequences=5)
  options = _options(
      tmp_path, eval_repeats=2, flags="--xla=false --latent_size=2 "
      "--schedule_steps=4 --max_steps=4 --eval_every=2 --batch_size=2")
  reproduce.reproduce(options)
  cell, = _cells(tmp_path)
  assert cell["steps"] == "4" and cell["best_step"] in "24"
  assert -88. < float(cell["test_fivo"]) < 0.
  assert float(cell["standard_error_fivo"]) > 0
  models = tmp_path / "models"
  reproduce_models.export(types.SimpleNamespace(
      out_dir=options.out_dir, data_dir=options.data_dir, seeds=["1"],
      models_dir=str(models)))
  name, = os.listdir(str(models))
  assert name == "jsb_vrnn_fivo_n4_seed1"
  figures = json.loads((models / name / "figures.json").read_text())
  assert figures["table"] == cell
  assert figures["subset"]["fivo"][1] > 0
  assert str(tmp_path) not in (models / name / "config.json").read_text()
