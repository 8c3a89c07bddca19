"""Tests of evaluating checkpoints as they are saved."""

import functools
import os
import re
import shutil
import time
import types

import pytest
import tensorflow as tf

from fivo import ghmm_runners
from fivo import runners
from fivo.evaluation import new_checkpoints
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.system import errors
from tests import toy


@pytest.fixture
def follow(tmp_path, monkeypatch):
  """Evaluates in turn what is newest at each look; gives the steps evaluated.

  A look finds None, or a step and the time at which it was written.
  """
  def run(looks, on_evaluate=lambda step: None, stopped_step=None):
    directory = run_directory.RunDirectory(tmp_path)
    looks = list(looks)
    naps = []

    def look(*unused_args, **unused_kwargs):
      found = looks.pop(0)
      if found is None:
        return None
      step, written = found
      path = directory.path_of(step)
      with open(path + ".index", "w"):
        pass
      os.utime(path + ".index", (written, written))
      return path

    monkeypatch.setattr(directory, "latest", look)
    monkeypatch.setattr(time, "sleep", naps.append)
    monkeypatch.setattr(directory, "stopped_step", lambda *_: stopped_step)
    config = types.SimpleNamespace(
        eval_interval_secs=.5, max_steps=9, measure="",
        early_stop_patience=None)
    evaluated = []

    def evaluate_one(path):
      on_evaluate(checkpoints.step(path))
      evaluated.append(checkpoints.step(path))
      return evaluated[-1]

    assert new_checkpoints.evaluate(
        config, directory, look(), evaluate_one) == evaluated[-1]
    assert not looks
    assert set(naps) <= {.5}
    return evaluated
  return run


@pytest.mark.parametrize("looks, evaluated, stopped_step", [
    # Each once, until the last.
    ([(0, 1), (0, 1), (3, 2), None, (3, 2), (9, 3)], [0, 3, 9], None),
    # An older one is newest where the newest is just being replaced.
    ([(3, 2), (2, 1), (9, 3)], [3, 9], None),
    # A copy, or another machine's clock, may have set a later time.
    ([(3, 100), (4, 1), (9, 2)], [3, 4, 9], None),
    # A run that began again.
    ([(3, 2), (0, 4), (3, 5), (9, 6)], [3, 0, 3, 9], None),
    # A run that stopped early.
    ([(2, 1), (4, 2)], [2, 4], 4),
])
def test_what_is_new(follow, looks, evaluated, stopped_step):
  assert follow(looks, stopped_step=stopped_step) == evaluated


def test_gone_while_it_is_read(follow):
  failures = []

  def on_evaluate(step):
    if step == 3 and len(failures) < 2:
      failures.append(step)
      raise checkpoints.UnreadableError("gone")

  assert follow([(3, 1), (3, 1), (3, 1), (9, 2)], on_evaluate) == [3, 9]


_TOY = dict(create_dataset_and_model_fn=toy.create_dataset_and_model)


@pytest.mark.parametrize("train, evaluate, split, options", [
    (functools.partial(runners.run_train, **_TOY),
     functools.partial(runners.run_eval, **_TOY), "test",
     dict(model="vrnn", proposal_type="prior")),
    (ghmm_runners.run_train, ghmm_runners.run_eval, "eval",
     dict(model="ghmm", num_timesteps=2))])
def test_a_run(tmp_path, monkeypatch, caplog, train, evaluate, split, options):
  """From before it begins, in one graph, with the run's options."""
  source, logdir = tmp_path / "source", tmp_path / "run"
  train(types.SimpleNamespace(
      logdir=str(source), max_steps=2, batch_size=2, num_samples=3,
      bound="elbo", **options))
  steps = [0, 2]

  def appear(unused_seconds):
    logdir.mkdir(exist_ok=True)
    for path in sorted(source.glob("config.json")) + sorted(
        source.glob("model.ckpt-%d.*" % steps.pop(0))):
      shutil.copy(str(path), str(logdir))

  monkeypatch.setattr(time, "sleep", appear)
  caplog.clear()
  caplog.set_level("INFO", logger="absl")
  evaluate(types.SimpleNamespace(
      logdir=str(logdir), model=options["model"], wait_for_checkpoint=True,
      eval_interval_secs=1., max_steps=2, split="test"))
  assert not steps
  restored = re.findall("Model restored from step ([0-9]+)", caplog.text)
  assert restored == ["0", "2"]
  path, = (logdir / split).iterdir()
  assert sorted(set(
      event.step for event in tf.compat.v1.train.summary_iterator(str(path))
      if event.summary.value)) == [0, 2]


def test_nothing_to_follow(tmp_path):
  with pytest.raises(errors.UserError, match="--eval_interval_secs=1: "):
    ghmm_runners.run_eval(types.SimpleNamespace(
        logdir=str(tmp_path), model="ghmm", proposal_type="prior",
        eval_interval_secs=1.))
