"""Evaluation: `--mode=eval` beside three separate bounds in file order.

An evaluation is timed by its log, from the line that says it begins to the one
with its result. The first pass over the data pays for the start of TensorFlow's
graph and of the pipeline, so the speed is that of further passes: the time of
an evaluation with many repeats, minus that of one with a single pass.
"""

import functools
import sys
import tempfile

from benchmarks import comparison
from benchmarks import processes
from benchmarks import training
from fivo.system import errors

SEPARATE = "separate"
METRICS = (comparison.SEQUENCES, comparison.FIRST_PASS, comparison.MEMORY)
_BEGINS = r"^Model restored from step \d+, evaluating\."
_ENDS = r"elbo ll/t: .* iwae ll/t: .* fivo ll/t: "


def measure(title, job, split, num_sequences, num_passes, num_rounds):
  """Compares the two on a checkpoint that a few training steps leave.

  Args:
    title: What is measured.
    job: A `training.Job`.
    split: The split to evaluate.
    num_sequences: How many sequences it has.
    num_passes: How many passes over it are timed, beside the first one.
    num_rounds: How often each is measured.

  Returns:
    What `comparison.take_turns` returns.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    processes.run("training for a checkpoint", training.command(job, logdir))
    flags = ["--mode=eval", "--split=" + split, "--logdir=" + logdir,
             "--dataset_path=" + job.dataset_path,
             "--batch_size=%d" % job.batch_size,
             "--num_samples=%d" % job.num_samples]
    return comparison.take_turns(title, [
        (name, functools.partial(
            _measure, name, program + flags, num_sequences, num_passes))
        for name, program in (
            ("run_fivo.py", processes.PROGRAM),
            (SEPARATE, [sys.executable, "-m", "benchmarks.separate_bounds"]))
    ], num_rounds)


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
      comparison.FIRST_PASS.key: first,
      comparison.MEMORY.key: one.peak_mb,
  }
