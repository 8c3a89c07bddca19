"""Tests of evaluation in training."""

import os
import pickle
import signal
import types
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from fivo import runners
from fivo.config import stored
from fivo.evaluation import averages
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.logdir import validation_record
from fivo.system import errors
from fivo.training import optimization
from fivo.training import runs
from fivo.training import steps
from fivo.training import validation


@pytest.fixture(autouse=True)
def _show_info(caplog):
  caplog.set_level("INFO", logger="absl")


def _lines(caplog, start):
  lines = [record.getMessage() for record in caplog.records]
  caplog.clear()
  return [line for line in lines if line.startswith(start)]


class _ScriptedEvaluator(object):
  """Gives bounds by step, and counts how often it was asked."""

  def __init__(self, bounds_by_step, on_evaluate=None):
    self._bounds = bounds_by_step
    self._on_evaluate = on_evaluate
    self.steps = []

  def evaluate(self, path, before_batch):
    step = checkpoints.step(path)
    self.steps.append(step)
    assert os.path.exists(path + ".index")
    if self._on_evaluate:
      self._on_evaluate()
    before_batch()
    bound = self._bounds[step]
    if np.isnan(bound):
      raise errors.NonFiniteError("the fivo bound is NaN")
    values = np.array([[0., 0., bound]])
    return step, averages.EvalResult(values, 10 * values, 1)


@pytest.fixture
def train(tmp_path):
  """Trains one variable, with scripted bounds of the valid split."""
  def run(bounds_by_step, on_evaluate=None, **kwargs):
    scripted = _ScriptedEvaluator(bounds_by_step, on_evaluate)
    kwargs = dict(dict(eval_every=2, export_best=True, max_steps=8), **kwargs)
    config, directory, process = runs.begin(
        types.SimpleNamespace(logdir=str(tmp_path), **kwargs))
    validator = (validation.Validator(config, directory, scripted)
                 if config.eval_every else None)
    with tf.Graph().as_default():
      loss = tf.square(tf.compat.v1.get_variable("v", initializer=1.))
      train_op = optimization.Optimizer(.1).minimize(loss, "fivo")
      with directory.reserved():
        stored.save(config)
        steps.train(config, directory, process, train_op,
                    runs.Objective(-loss, {}, lambda *_: ""), validator)
    return scripted.steps
  return run


def _best(tmp_path):
  return run_directory.RunDirectory(tmp_path).best.latest_step()


def test_every_so_many_steps_and_at_the_end(train, caplog, tmp_path):
  assert train({2: -3., 4: -2., 5: -2.5}, max_steps=5) == [2, 4, 5]
  assert _lines(caplog, "Step") == [
      "Step 2, valid fivo bound per timestep: -3.000000 (the best so far)",
      "Step 4, valid fivo bound per timestep: -2.000000 (the best so far)",
      "Step 5, valid fivo bound per timestep: -2.500000 (the best is "
      "-2.000000 at step 4)"]
  path, = (tmp_path / "valid").iterdir()
  assert [(event.step, value.simple_value)
          for event in tf.compat.v1.train.summary_iterator(str(path))
          for value in event.summary.value
          if value.tag == "valid/fivo_ll_per_t"] == [
              (2, -3.), (4, -2.), (5, -2.5)]
  assert _best(tmp_path) == 4
  assert train({}, max_steps=5) == []  # Nothing to do.


def test_a_finished_run_may_be_evaluated_later(train, tmp_path, caplog):
  options = dict(max_steps=3, normalize_by_seq_len=False)
  assert train({}, eval_every=None, export_best=False, **options) == []
  assert train({3: -1.}, **options) == [3]
  assert _best(tmp_path) == 3
  assert _lines(caplog, "Step 3, valid") == [
      "Step 3, valid fivo bound per sequence: -10.000000 (the best so far)"]


def test_a_worse_one_does_not_replace_it_after_a_resume(train, tmp_path):
  train({2: -1., 4: -2.}, max_steps=4)
  assert train({6: -1.5, 8: -.5}, max_steps=6) == [6]
  assert _best(tmp_path) == 2
  train({8: -.5})
  assert _best(tmp_path) == 8
  names = os.listdir(str(tmp_path / "best"))
  assert sorted(names) == [
      "checkpoint", "config.json", "model.ckpt-8.data-00000-of-00001",
      "model.ckpt-8.index"]
  for name in names:
    if name != "checkpoint":
      assert ((tmp_path / "best" / name).read_bytes() ==
              (tmp_path / name).read_bytes())


@pytest.mark.parametrize("module, name, bounds, evaluated", [
    # Before the record is saved: the evaluation is made up for.
    (validation_record, "save", {4: -1., 6: -2., 8: -3.}, [4, 6, 8]),
    # After it: `best` is mended.
    (run_directory.RunDirectory, "export_best", {6: -2., 8: -3.}, [6, 8])])
def test_death_at_the_record(
    train, tmp_path, monkeypatch, module, name, bounds, evaluated):
  train({2: -2.}, max_steps=2)
  with monkeypatch.context() as patch:
    patch.setattr(module, name, mock.Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
      train({4: -1.}, max_steps=4)
  assert _best(tmp_path) == 2
  directory = run_directory.RunDirectory(tmp_path)
  # With no step left to take, `best` is mended all the same.
  assert directory.best_is_outdated() == (name == "export_best")
  directory.repair_best()
  assert not directory.best_is_outdated()
  assert train(bounds) == evaluated
  assert _best(tmp_path) == 4


def test_a_signal_leaves_it_for_later(train, tmp_path):
  with pytest.raises(SystemExit):
    train({2: -1.}, on_evaluate=lambda: os.kill(os.getpid(), signal.SIGTERM))
  assert not (tmp_path / "best").exists()
  assert train({2: -1., 4: -2.}, early_stop_patience=1) == [2, 4]
  assert _best(tmp_path) == 2


def test_asked_for_later(train, tmp_path):
  train({2: -1.}, max_steps=2, export_best=False)
  assert not (tmp_path / "best").exists()
  train({4: -2.}, max_steps=4)
  assert _best(tmp_path) == 2


def test_stops_early_and_stays_stopped(train, tmp_path, caplog):
  bounds = {2: -2., 4: -1., 6: -1., 8: -3., 10: -.5, 12: -.7}
  assert train(bounds, max_steps=99, early_stop_patience=2) == [2, 4, 6, 8]
  assert _lines(caplog, "Stopping early") == [
      "Stopping early at step 8: 2 evaluations without a better valid bound "
      "(--early_stop_patience=2); the best is -1.000000 at step 4."]
  assert not _lines(caplog, "The data ended")
  assert run_directory.RunDirectory(tmp_path).latest_step() == 8
  assert train({}, max_steps=99) == []  # The flag is the run's.
  assert _lines(caplog, "Stopped early at step 8: nothing to do")
  assert train(bounds, max_steps=12, early_stop_patience=3) == [10, 12]
  assert _best(tmp_path) == 10


def test_stops_early_in_an_evaluation_made_up_for(train, tmp_path):
  train({2: -1.}, max_steps=2)
  with pytest.raises(SystemExit):
    train({4: -2.}, on_evaluate=lambda: os.kill(os.getpid(), signal.SIGTERM))
  assert train({4: -2.}, early_stop_patience=1) == [4]
  assert run_directory.RunDirectory(tmp_path).latest_step() == 4


@pytest.mark.parametrize("bound", [float("nan"), float("inf")])
def test_what_is_not_finite_ends_the_run_and_keeps_the_best(
    train, tmp_path, bound):
  with pytest.raises(errors.NonFiniteError) as caught:
    train({2: -1., 4: bound})
  assert str(caught.value).startswith(
      "--eval_every=2: the fivo bound of the valid split is not finite at "
      "step 4: ")
  assert "the best is -1.000000 at step 2" in str(caught.value)
  assert _best(tmp_path) == 2


def _run(logdir, splits, **kwargs):
  """Trains on a file of pianorolls with some of its splits."""
  path = logdir.with_suffix(".pkl")
  sequences = [[(40 + length, 50)] * length for length in (3, 5, 2, 4, 6)]
  path.write_bytes(pickle.dumps(dict(
      dict.fromkeys(splits, sequences),
      train_mean=np.full([88], .1, np.float32))))
  runners.run_train(types.SimpleNamespace(
      logdir=str(logdir), dataset_path=str(path), random_seed=1, latent_size=3,
      num_samples=3, batch_size=2, summarize_every=1, learning_rate=.01,
      bound="elbo", max_steps=5, **kwargs))


def test_training_does_not_notice(tmp_path, caplog):
  """Neither the data's order nor the noise; `best` is a logdir as it is."""
  _run(tmp_path / "without", ["train", "valid"])
  without = _lines(caplog, "Step")
  _run(tmp_path / "with", ["train", "valid"], eval_every=2, export_best=True)
  lines = _lines(caplog, "Step")
  valid = [line for line in lines if "valid" in line]
  assert len(valid) == 3
  assert [x for x in lines if x not in valid] == without
  record = validation_record.load(str(tmp_path / "with"))
  result = runners.run_eval(types.SimpleNamespace(
      logdir=str(tmp_path / "with" / "best"), split="valid"))
  assert result.ll_per_t[0, 0] == pytest.approx(record.best_bound, abs=1e-6)


def test_missing_split(tmp_path):
  with pytest.raises(
      errors.UserError, match="--eval_every=2: .*has no split 'valid'"):
    _run(tmp_path / "run", ["train"], eval_every=2)
  assert not (tmp_path / "run").exists()
