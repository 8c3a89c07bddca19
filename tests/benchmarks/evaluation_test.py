"""Tests of benchmarks.evaluation and of its yardstick."""

import types

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import evaluation
from benchmarks import processes
from benchmarks import separate_bounds
from benchmarks import training
from fivo import runners
from fivo.formats import pianorolls
from fivo.system import errors


def _outcome(name, *lines):
  return processes.Outcome(
      name, [processes.Line(*line) for line in lines], peak_mb=300.)


def _fake_run(monkeypatch, seconds):
  """Lets evaluations take `seconds(name, repeats)`; returns all commands."""
  commands = []

  def run(name, command):
    commands.append((name, command))
    repeats, = [int(flag.split("=")[1]) for flag in command
                if flag.startswith("--eval_repeats=")] or [None]
    if repeats is None:
      return _outcome(name)
    return _outcome(
        name, (3., "Model restored from step 1, evaluating."),
        (3. + seconds(name, repeats),
         "test elbo ll/t: -1.0, iwae ll/t: -1.0 fivo ll/t: -1.0"),
        (99., "test elbo ll/seq: -1.0, iwae ll/seq: -1.0 fivo ll/seq: -1.0"))

  monkeypatch.setattr(processes, "run", run)
  return commands


_JOB = training.Job("/d/jsb.pkl", 16, 4, warmup_steps=1, steps=0)


def test_speed_is_that_of_the_passes_after_the_first(monkeypatch):
  commands = _fake_run(monkeypatch, lambda name, repeats: (
      2. + repeats * (0.5 if name == "run_fivo.py" else 2.)))
  measured = evaluation.measure(
      _JOB, "test", num_sequences=70, num_passes=4, num_rounds=2)
  product, separate = measured.figures.values()
  assert [f["sequences_per_sec"] for f in product] == [140., 140.]
  assert [f["sequences_per_sec"] for f in separate] == [35., 35.]
  assert product[0]["first_pass_secs"] == 2.5
  assert measured.baselines == ["separate"]
  assert "--max_steps=1" in commands[0][1]
  # Turn by turn, and with the same flags.
  assert [name for name, _ in commands[1:]] == (
      ["run_fivo.py"] * 2 + ["separate"] * 2) * 2
  assert {tuple(flag for flag in command if flag.startswith("--")
                and "repeats" not in flag) for _, command in commands[1:]} == {
                    tuple(commands[1][1][2:-1])}
  for flag in ("--mode=eval", "--split=test", "--batch_size=16",
               "--num_samples=4", "--dataset_path=/d/jsb.pkl"):
    assert flag in commands[1][1]


def test_passes_too_short_to_be_timed(monkeypatch):
  _fake_run(monkeypatch, lambda name, repeats: 1.)
  with pytest.raises(errors.UserError, match="^--eval_passes=4: "):
    evaluation.measure(_JOB, "test", 70, 4, 1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """The configuration of a run of one tiny step."""
  directory = tmp_path_factory.mktemp("trained")
  path = str(directory / "x.pkl")
  contents = {split: [[(60,)] * length for length in (9, 3, 6)]
              for split in pianorolls.SPLITS}
  contents[pianorolls.MEAN_KEY] = np.full([pianorolls.NUM_NOTES], 0.1)
  pianorolls.save(path, contents)
  config = types.SimpleNamespace(
      logdir=str(directory / "logdir"), dataset_path=path, latent_size=4,
      batch_size=2, num_samples=3, max_steps=1, random_seed=1, split="test")
  runners.run_train(config)
  return config


def test_yardstick_evaluates_in_file_order(trained, monkeypatch):
  lengths = []
  evaluate = separate_bounds.averages.average

  def spy(batches, *args):
    batches = list(batches)
    lengths.extend(list(batch[-1]) for batch in batches)
    return evaluate(batches, *args)

  monkeypatch.setattr(separate_bounds.averages, "average", spy)
  result = separate_bounds.evaluate(trained)
  assert lengths == [[9, 3], [6]]
  assert result.num_sequences == 3


def test_yardstick_has_the_same_expectation(trained):
  """A z-test per bound: at 4.5 its error rate is 2e-5 in all; seeded."""
  config = types.SimpleNamespace(eval_repeats=60, **vars(trained))
  theirs = separate_bounds.evaluate(config).ll_per_seq
  ours = runners.run_eval(config).ll_per_seq
  errors_of_mean = np.sqrt((theirs.var(axis=0) + ours.var(axis=0)) / 60)
  difference = np.abs(theirs.mean(axis=0) - ours.mean(axis=0))
  assert (difference < 4.5 * errors_of_mean).all()


def test_yardstick_has_a_filter_for_each_bound(trained):
  with tf.Graph().as_default() as graph:
    inputs, targets, lengths, model, _ = runners.create_dataset_and_model(
        trained, "test", shuffle=False, repeat=False)
    separate_bounds.separate_bounds(model, (inputs, targets), lengths, 3)
    loops = [op for op in graph.get_operations() if op.type == "LoopCond"]
  assert len(loops) == 3
