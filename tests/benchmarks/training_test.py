"""Tests of benchmarks.training."""

import sys

import pytest

from benchmarks import processes
from benchmarks import training
from fivo.system import errors
from tests.benchmarks import stub

_JOB = training.Job("/da ta/jsb.pkl", 4, 16, warmup_steps=100, steps=200)


def _outcome(*lines):
  return processes.Outcome(
      "x", [processes.Line(*line) for line in lines], peak_mb=1.)


def test_speed_is_that_after_the_warm_up():
  outcome = _outcome(
      (5., "Saving checkpoints for 0 into /x/model.ckpt."),
      (6., "Step 1, fivo bound per timestep: -12.5"),
      (9., "global_step/sec: 24.5"),
      (9., "Step 101, fivo bound per timestep: -11."),
      (14., "Step 201, fivo bound per timestep: -10."),
      (19., "Step 301, fivo bound per timestep: -10."))
  assert training.steps_per_second(outcome, 100) == 20.
  assert training.steps_per_second(outcome, 101) == 20.
  assert training.steps_per_second(outcome, 0) == 300. / 13.


@pytest.mark.parametrize("warmup_steps", [1, 2, 100])
def test_too_few_lines(warmup_steps):
  outcome = _outcome((1., "Step 1, a"), (2., "Step 2, a"))
  with pytest.raises(errors.UserError, match="^x: logged no two steps"):
    training.steps_per_second(outcome, warmup_steps)


def test_command_is_the_readmes():
  command = training.command(_JOB, "/log", 301, ["--bucket_by_length"])
  assert command[0] == sys.executable
  assert command[1].endswith("run_fivo.py")
  assert set(command[2:]) == {
      "--mode=train", "--logdir=/log", "--model=vrnn", "--bound=fivo",
      "--summarize_every=100", "--batch_size=4", "--num_samples=16",
      "--learning_rate=0.0001", "--dataset_path=/da ta/jsb.pkl",
      "--dataset_type=pianoroll", "--max_steps=301", "--bucket_by_length"}
  assert command[-1] == "--bucket_by_length"


def test_a_short_warm_up_has_lines_of_its_own():
  assert "--summarize_every=10" in training.command(
      _JOB._replace(warmup_steps=10), "/log", 21)


@pytest.mark.parametrize("line, speed", [
    ("raw TF step: batch 4, particles 4: 19.85 steps/s, last bound -9.", 19.85),
    ("7 steps/s", 7.),
    ("1.5e+02 steps/s", 150.),
    ("0.25 steps/s\n4.5 steps/s", 4.5),
])
def test_yardstick_line(line, speed):
  figures = training.measure_yardstick(
      "mine", _JOB, stub.shell_command("Compiling.", *line.splitlines()))
  assert figures["steps_per_sec"] == speed
  assert figures["sequences_per_sec"] == 4 * speed
  assert figures["peak_mb"] > 0.


@pytest.mark.parametrize("prefix", [
    "", "INFO:tensorflow:", "I1125 02:03:04.5 77 runners.py:1] "])
def test_yardstick_with_the_lines_of_the_program(prefix):
  line = "echo '%sStep %%d, fivo bound per timestep: -9.'; " % prefix
  figures = training.measure_yardstick(
      "mine", _JOB, line % 1 + line % 101 + "sleep 0.2; " + line % 301)
  # 200 steps in 0.2 s or more are 1000 a second; but the first of the two lines
  # may be noticed late, which shortens what is measured.
  assert 1. < figures["steps_per_sec"] < 2000.
  assert figures["sequences_per_sec"] == 4 * figures["steps_per_sec"]
  assert 0. < figures["startup_secs"] < 10.


@pytest.mark.parametrize("line", ["fast", "steps/s", "12 steps per second"])
def test_yardstick_without_a_speed(line):
  with pytest.raises(errors.UserError, match="^mine: printed no line"):
    training.measure_yardstick("mine", _JOB, stub.shell_command(line))


def test_placeholders():
  text = ("{python} x --data {dataset_path} -b {batch_size} -n {num_samples} "
          "-w {warmup_steps} -s {steps} -m {max_steps} {other} ${HOME} '{}'")
  assert training.fill_in(text, _JOB) == (
      "%s x --data '/da ta/jsb.pkl' -b 4 -n 16 -w 100 -s 200 -m 301 {other} "
      "${HOME} '{}'" % sys.executable)


def test_named_values():
  assert training.parse_named("variant", ["a=--x=1 --y", "b.2-c=z"]) == [
      ("a", "--x=1 --y"), ("b.2-c", "z")]


@pytest.mark.parametrize("value", ["", "a", "a=", "=x", "a b=x", "a= "])
def test_bad_named_value(value):
  with pytest.raises(errors.UserError, match="^--variant=%s: .*NAME=" % value):
    training.parse_named("variant", [value])


@pytest.mark.parametrize("names", [["a", "a"], ["default"]])
def test_names_are_unique(names):
  with pytest.raises(errors.UserError, match="named %s:" % names[-1]):
    training.check_names([(name, "x") for name in names])


def test_contestants(tmp_path, monkeypatch):
  stub.write(tmp_path)
  monkeypatch.setattr(processes, "ROOT", str(tmp_path))
  job = _JOB._replace(warmup_steps=10, steps=50)
  contestants = training.contestants(
      job, [("bucketed", ["--bucket_by_length"])],
      [("mine", "echo {steps} steps/s")])
  assert [each.name for each in contestants] == ["default", "bucketed", "mine"]
  figures = [each.measure() for each in contestants]
  for each in figures[:2]:
    # A step of the stub takes at least a millisecond.
    assert 10. < each["steps_per_sec"] < 1000.
    assert each["sequences_per_sec"] == 4 * each["steps_per_sec"]
    assert 0. < each["startup_secs"] < 10.
    assert each["peak_mb"] > 1.
  assert figures[2]["steps_per_sec"] == 50.


def test_failing_variant_is_named(tmp_path, monkeypatch):
  stub.write(tmp_path, "import sys; sys.exit('run_fivo.py: unknown flag')")
  monkeypatch.setattr(processes, "ROOT", str(tmp_path))
  with pytest.raises(errors.UserError,
                     match="^mine: failed: run_fivo.py: unknown flag$"):
    training.measure_training("mine", _JOB)


def test_variants():
  assert training.parse_variants(["a=--x=1 --y='b c'"]) == [
      ("a", ["--x=1", "--y=b c"])]


@pytest.mark.parametrize("flags, reason", [
    ("--x --batch_size=3", "--batch_size is the benchmark's to set"),
    ("-max_steps 3", "--max_steps is the benchmark's to set"),
    ("--y='x", "No closing quotation")])
def test_bad_variants(flags, reason):
  with pytest.raises(errors.UserError) as info:
    training.parse_variants(["mine=" + flags])
  assert str(info.value) == "--variant=mine=%s: %s" % (flags, reason)


def test_yardstick_that_stands_still():
  with pytest.raises(errors.UserError, match="^mine: printed that it does 0"):
    training.measure_yardstick("mine", _JOB, "echo 0.00 steps/s")
