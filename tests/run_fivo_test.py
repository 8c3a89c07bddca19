"""End-to-end tests: `run_fivo.py` as a user calls it.

A start costs seconds, so one run's directory serves several tests, and only
those processes start from nothing of which that may matter: the first, which
must print no more than it should, and those that a signal ends.
"""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fivo.formats import pianorolls
from fivo.logdir import run_directory
from tests import programs

_SIZES = ["--latent_size=4", "--num_samples=3", "--random_seed=0"]
_STEP = re.compile(r"^Step (\d+), fivo bound per timestep: (-?\d+\.\d{6})$",
                   re.MULTILINE)


def _command(*args):
  return [sys.executable, os.path.join(programs.ROOT, programs.RUN_FIVO)
         ] + list(args)


def _run_from_nothing(*args):
  """Runs the program; returns its exit code and what it printed."""
  done = subprocess.run(
      _command(*args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
      universal_newlines=True, timeout=120)
  return done.returncode, programs.without_cuda_lines(done.stdout)


def _run(*args):
  """The same in a process that has imported TensorFlow before."""
  done = programs.run(args, timeout=120)
  return done.exit_code, done.stdout + done.stderr


def _make_dataset(path, seed):
  rng = np.random.RandomState(seed)
  splits = {
      split: [[tuple(sorted(set(rng.randint(40, 80, size=rng.randint(0, 4)))))
               for _ in range(length)] for length in rng.randint(4, 9, size=6)]
      for split in ("train", "valid", "test")}
  splits["train_mean"] = pianorolls.calculate_mean(
      pianorolls.dense_split(splits, "train", path))
  pianorolls.save(path, splits)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
  path = str(tmp_path_factory.mktemp("data") / "tiny.pkl")
  _make_dataset(path, seed=0)
  return path


@pytest.fixture(scope="module")
def run(tmp_path_factory, dataset):
  """A run of four steps in two calls: its logdir and what the calls printed."""
  logdir = str(tmp_path_factory.mktemp("run") / "logdir")
  args = ["--logdir=" + logdir, "--dataset_path=" + dataset,
          "--summarize_every=1"] + _SIZES
  outputs = []
  for max_steps, function in ((2, _run_from_nothing), (4, _run)):
    code, output = function(
        "--mode=train", "--max_steps=%d" % max_steps, *args)
    assert code == 0, output
    outputs.append(output)
  return logdir, outputs


class TestTrain(object):

  def test_lines(self, run):
    logdir, (first, second) = run
    path = os.path.join(logdir, "model.ckpt")
    assert "Saving checkpoints for 0 into %s." % path in first
    assert [int(step) for step, _ in _STEP.findall(first)] == [1, 2]
    assert [int(step) for step, _ in _STEP.findall(second)] == [3, 4]
    assert "global_step/sec: " in first

  def test_no_noise(self, run):
    for output in run[1]:
      assert not re.search("deprec|warn|tensorflow/", output, re.IGNORECASE)
      assert len(set(output.splitlines())) == len(output.splitlines())

  @pytest.mark.parametrize("number", [
      pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM,
      pytest.param(signal.SIGKILL, marks=pytest.mark.slow)])
  def test_stopped_run_resumes(self, tmp_path, dataset, number):
    logdir = str(tmp_path)
    args = _command("--logdir=" + logdir, "--dataset_path=" + dataset,
                    "--summarize_every=1", "--save_checkpoint_secs=0.2",
                    *_SIZES)
    process = subprocess.Popen(
        args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        universal_newlines=True)
    last = 0
    deadline = time.time() + 100
    while last < 20 and time.time() < deadline:
      match = _STEP.match(process.stdout.readline())
      last = int(match.group(1)) if match else last
    process.send_signal(number)
    rest = process.communicate(timeout=60)[0]
    steps = [int(step) for step, _ in _STEP.findall(rest)]
    last = steps[-1] if steps else last
    saved = run_directory.RunDirectory(logdir).latest_step()
    if number == signal.SIGKILL:
      assert process.returncode == -number
      assert saved <= last
    else:
      assert process.returncode == 128 + number
      assert saved == last
    code, output = _run("--logdir=" + logdir, "--summarize_every=1",
                        "--max_steps=%d" % (last + 2))
    assert code == 0, output
    assert int(_STEP.findall(output)[0][0]) == saved + 1
    assert run_directory.RunDirectory(logdir).latest_step() == last + 2

  def test_nan(self, tmp_path, dataset):
    """The original logged nan and exited with 0."""
    code, output = _run(
        "--logdir=%s" % tmp_path, "--dataset_path=" + dataset,
        "--learning_rate=1e30", "--bound=elbo", "--max_steps=50", *_SIZES)
    assert code == 1
    assert re.search(r"is (NaN|Inf) at step \d+; the last checkpoint is ",
                     output), output
    assert "Traceback" not in output


class TestEvalAndSample(object):

  def test_eval(self, run):
    code, output = _run("--mode=eval", "--split=test", "--alsologtostderr",
                        "--logdir=" + run[0])
    assert code == 0, output
    path = os.path.join(run[0], "model.ckpt-4")
    number = r"-\d+\.\d{6}"
    assert re.search(
        "Restoring parameters from %s\n"
        "Model restored from step 4, evaluating.\n"
        "test elbo ll/t: N, iwae ll/t: N fivo ll/t: N\n"
        "test elbo ll/seq: N, iwae ll/seq: N fivo ll/seq: N\n".replace(
            "N", number) % re.escape(path), output), output

  def test_sample(self, run, tmp_path):
    code, output = _run(
        "--mode=sample", "--split=test", "--logdir=" + run[0],
        "--bound=fivo", "--batch_size=2", "--prefix_length=4",
        "--sample_length=6", "--sample_out_dir=%s" % tmp_path)
    assert code == 0, output
    for line in ("Restoring parameters from ", "Running local_init_op.",
                 "Done running local_init_op."):
      assert line in output
    loaded = np.load(str(tmp_path / "samples.npz"))
    assert loaded[()]["prefixes"].shape == (4, 2, 88)
    assert loaded["samples"].shape == (6, 2, 3, 88)
