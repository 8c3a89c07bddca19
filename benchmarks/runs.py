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

from benchmarks import processes
from fivo.system import errors

# The keys of figures, which are the headings of tables.
STEPS, MILLISECONDS, SEQUENCES = "steps/s", "ms per step", "sequences/s"
STARTUP, MEMORY = "seconds to step 1", "peak MB"
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

# The data and sizes of a run; its steps, and after how many it is timed.
Job = collections.namedtuple(
    "Job", "dataset_path batch_size num_samples warmup_steps max_steps")


def _flags(job, mode, logdir):
  return ["--mode=" + mode, "--logdir=" + logdir,
          "--dataset_path=" + job.dataset_path,
          "--batch_size=%d" % job.batch_size,
          "--num_samples=%d" % job.num_samples]


def train(name, job, logdir, flags=()):
  """Trains with further flags; returns a `processes.Outcome`."""
  return processes.run(
      name, processes.PROGRAM + _flags(job, "train", logdir) + [
          "--learning_rate=0.0001", "--max_steps=%d" % job.max_steps,
          "--summarize_every=%d" % min(_SUMMARIZE_EVERY, job.warmup_steps),
      ] + list(flags))


def measure_training(name, job, flags):
  """Trains once, in a logdir of its own, and gives a dict of figures."""
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    return _training_figures(train(name, job, logdir, flags), job)


def measure_yardstick(name, job, text):
  """Runs a yardstick's shell command once and gives a dict of figures."""
  values = dict(job._asdict(), python=sys.executable)
  return _training_figures(processes.run(name, re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), text)), job)


def _training_figures(outcome, job):
  """The figures of a command that printed its speed or the lines of steps."""
  figures = {MEMORY: outcome.peak_mb}
  speeds = outcome.find(_SPEED_LINE)
  if speeds:
    speed = float(speeds[-1][1].group(1))
  else:
    lines = [(int(match.group(1)), seconds)
             for seconds, match in outcome.find(_STEP_LINE)]
    timed = [line for line in lines if line[0] > job.warmup_steps]
    if len(timed) < 2:
      raise errors.UserError("%s: logged no two steps after step %d" % (
          outcome.name, job.warmup_steps))
    (first, start), (last, end) = timed[0], timed[-1]
    figures[STARTUP] = lines[0][1]
    speed = (last - first) / (end - start)
  # All batches of training are full.
  figures.update({STEPS: speed, MILLISECONDS: 1000. / speed,
                  SEQUENCES: speed * job.batch_size})
  return figures


def measure_evaluation(name, program, job, logdir, num_sequences):
  """Evaluates a logdir with one pass, and with more; gives the figures."""
  command = program + _flags(job, "eval", logdir) + ["--split=" + EVAL_SPLIT]
  one, many = [
      processes.run(name, command + ["--eval_repeats=%d" % repeats])
      for repeats in (1, 1 + _EVAL_PASSES)]
  first, total = [
      outcome.find(_EVAL_ENDS)[0][0] - outcome.find(_EVAL_BEGINS)[0][0]
      for outcome in (one, many)]
  return {SEQUENCES: num_sequences * _EVAL_PASSES / (total - first),
          MEMORY: one.peak_mb}
