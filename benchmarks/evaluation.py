"""Evaluation: `--mode=eval` beside three separate bounds in file order.

An evaluation is timed by its log, from the line that says it begins to the one
with its result. The first pass over the data pays for the start of TensorFlow's
graph and of the pipeline, so the speed is that of further passes: the time of
an evaluation with many repeats, minus that of one with a single pass.
"""

import functools
import os
import sys
import tempfile

from benchmarks import comparison
from benchmarks import processes
from benchmarks import training
from fivo.system import errors

_SEPARATE = "separate"
_BEGINS = r"^Model restored from step \d+, evaluating\."
_ENDS = r"elbo ll/t: .* iwae ll/t: .* fivo ll/t: "
_FIRST_PASS = comparison.Metric("first_pass_secs", "first pass, s", "%.2f")
_METRICS = (comparison.SEQUENCES, _FIRST_PASS, comparison.MEMORY)


def measure(job, split, num_sequences, num_passes, num_rounds):
  """Compares the two on a checkpoint that one training step leaves.

  Args:
    job: A `training.Job` of a single step.
    split: The split to evaluate.
    num_sequences: How many sequences it has.
    num_passes: How many passes over it are timed, beside the first one.
    num_rounds: How often each is measured.

  Returns:
    A `comparison.Comparison`.
  """
  title = "Evaluation of the %s split of %s: batch %d, %d particles" % (
      split, os.path.basename(job.dataset_path), job.batch_size,
      job.num_samples)
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    processes.run("training for a checkpoint", training.command(job, logdir))
    flags = ["--mode=eval", "--split=" + split, "--logdir=" + logdir,
             "--dataset_path=" + job.dataset_path,
             "--batch_size=%d" % job.batch_size,
             "--num_samples=%d" % job.num_samples]
    contestants = [
        comparison.Contestant(name, functools.partial(
            _measure, name, program + flags, num_sequences, num_passes))
        for name, program in (
            ("run_fivo.py", processes.PROGRAM),
            (_SEPARATE, [sys.executable, "-m", "benchmarks.separate_bounds"]))]
    return comparison.take_turns(
        title, contestants, num_rounds, _METRICS, [_SEPARATE])


def _measure(name, command, num_sequences, num_passes):
  """Evaluates once with one pass, and once with more; gives the figures."""
  one, many = [
      processes.run(name, command + ["--eval_repeats=%d" % repeats])
      for repeats in (1, 1 + num_passes)]
  first, total = [outcome.require(_ENDS)[0][0] - outcome.require(_BEGINS)[0][0]
                  for outcome in (one, many)]
  if total <= first:
    raise errors.UserError(
        "--eval_passes=%d: too few to be timed; give more" % num_passes)
  return {
      comparison.SEQUENCES.key: num_sequences * num_passes / (total - first),
      _FIRST_PASS.key: first,
      comparison.MEMORY.key: one.peak_mb,
  }
