"""Measures one training run or evaluation of `run_fivo.py`, by its log.

Training is timed from the arrival of one line "Step N, ..." to that of a later
one, so that the input pipeline, summaries and hooks count; the start and the
first steps do not. Of an evaluation the first pass pays for the start, so its
speed is that of further passes.
"""

import collections
import re
import shlex
import sys
import tempfile

from benchmarks import comparison
from benchmarks import processes
from fivo.system import errors

EVAL_SPLIT = "test"
# How many passes are timed, after the first.
_EVAL_PASSES = 5
# As far apart as the lines of the README's command, but for short measurements.
_SUMMARIZE_EVERY = 100
# Other programs may put a prefix before it.
_STEP_LINE = r"\bStep (\d+), "
# What a yardstick may print, e.g. "my step: batch 4: 19.85 steps/s".
_SPEED_LINE = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) steps/s"
_EVAL_BEGINS = r"^Model restored from step \d+, evaluating\."
_EVAL_ENDS = r"elbo ll/t: .* iwae ll/t: .* fivo ll/t: "


class Job(collections.namedtuple(
    "Job", "dataset_path batch_size num_samples warmup_steps steps")):
  """The data and sizes of a run; steps that go by untimed, and timed ones."""

  __slots__ = ()

  @property
  def max_steps(self):
    """The number of all steps: the first one only ends the start."""
    return 1 + self.warmup_steps + self.steps

  def flags(self, mode, logdir):
    """The flags of `run_fivo.py` in a mode, a list."""
    return ["--mode=" + mode, "--logdir=" + logdir,
            "--dataset_path=" + self.dataset_path,
            "--batch_size=%d" % self.batch_size,
            "--num_samples=%d" % self.num_samples]

  def train(self, name, logdir, flags=()):
    """Trains with further flags; returns an `Outcome`."""
    return processes.run(
        name, processes.PROGRAM + self.flags("train", logdir) + [
            "--learning_rate=0.0001", "--max_steps=%d" % self.max_steps,
            "--summarize_every=%d" % min(_SUMMARIZE_EVERY, self.warmup_steps),
        ] + list(flags))


def measure_training(name, job, flags):
  """Trains once, in a logdir of its own, and gives a dict of figures."""
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    return _training_figures(job.train(name, logdir, flags), job)


def measure_yardstick(name, job, text):
  """Runs a yardstick's shell command once and gives a dict of figures."""
  values = dict(job._asdict(), python=sys.executable, max_steps=job.max_steps)
  outcome = processes.run(name, re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), text))
  found = outcome.find(_SPEED_LINE)
  return _training_figures(
      outcome, job, float(found[-1][1].group(1)) if found else None)


def _training_figures(outcome, job, speed=None):
  """The figures of a command, whose lines tell its speed if that is None."""
  figures = {comparison.MEMORY: outcome.peak_mb}
  if speed is None:
    lines = [(int(match.group(1)), seconds)
             for seconds, match in outcome.require(_STEP_LINE)]
    figures[comparison.STARTUP] = lines[0][1]
    timed = [line for line in lines if line[0] > job.warmup_steps]
    if len(timed) < 2:
      raise errors.UserError("%s: logged no two steps after step %d" % (
          outcome.name, job.warmup_steps))
    (first, start), (last, end) = timed[0], timed[-1]
    speed = (last - first) / (end - start)
  figures[comparison.STEPS] = speed
  figures[comparison.MILLISECONDS] = 1000. / speed
  # All batches of training are full.
  figures[comparison.SEQUENCES] = speed * job.batch_size
  return figures


def measure_evaluation(name, program, job, logdir, num_sequences):
  """Evaluates a logdir with one pass, and with more; gives the figures."""
  command = program + job.flags("eval", logdir) + ["--split=" + EVAL_SPLIT]
  one, many = [
      processes.run(name, command + ["--eval_repeats=%d" % repeats])
      for repeats in (1, 1 + _EVAL_PASSES)]
  first, total = [
      outcome.require(_EVAL_ENDS)[0][0] - outcome.require(_EVAL_BEGINS)[0][0]
      for outcome in (one, many)]
  return {comparison.SEQUENCES: num_sequences * _EVAL_PASSES / (total - first),
          comparison.MEMORY: one.peak_mb}
