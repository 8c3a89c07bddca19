"""Training: `run_fivo.py`'s own loop beside any other command.

A training run is timed by its log: from the arrival of one line "Step N, ..."
to that of a later one. So the input pipeline, summaries and hooks all count;
the start and the first steps do not. The lines of a run are as far apart as in
the README's command, but for short measurements.
"""

import collections
import functools
import re
import shlex
import sys
import tempfile

from benchmarks import comparison
from benchmarks import processes
from fivo.system import errors

# The README's command, but for the logdir, the data and the sizes.
_README_FLAGS = ["--mode=train", "--model=vrnn", "--bound=fivo",
                 "--learning_rate=0.0001", "--dataset_type=pianoroll"]
_README_SUMMARIZE_EVERY = 100

# Other programs may put a prefix before it.
_STEP_LINE = r"\bStep (\d+), "
# What a yardstick may print, e.g. "my step: batch 4: 19.85 steps/s".
_SPEED_LINE = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) steps/s"

METRICS = (comparison.STEPS, comparison.SEQUENCES, comparison.STARTUP,
           comparison.MEMORY)

# The sizes of a training run: the data, the sizes of a batch, how many steps
# go by untimed, and how many are timed then.
Job = collections.namedtuple(
    "Job", "dataset_path batch_size num_samples warmup_steps steps")


def contestants(job, variants, yardsticks):
  """What `comparison.take_turns` measures for the sizes of a `Job`.

  Args:
    job: A `Job`.
    variants: Pairs of a name and flags for `run_fivo.py`, as a shell takes
      them.
    yardsticks: Pairs of a name and a shell command, in which `{python}`,
      `{max_steps}` and `{FIELD}` of `job` are filled in. It prints a line with
      "<number> steps/s", of which the last counts, or lines "Step N, ..." as
      `run_fivo.py` does. Its steps are taken to be of `batch_size` sequences.

  Returns:
    A list: the default, variants, yardsticks.
  """
  return [
      (name, functools.partial(measure, name, job, shlex.split(text)))
      for name, text in [("default", "")] + variants
  ] + [
      (name, functools.partial(_measure_yardstick, name, job, text))
      for name, text in yardsticks]


def command(job, logdir, flags=()):
  """The command line of a training run with further flags, a list."""
  return processes.PROGRAM + _README_FLAGS + list(flags) + [
      "--logdir=" + logdir,
      "--dataset_path=" + job.dataset_path,
      "--batch_size=%d" % job.batch_size,
      "--num_samples=%d" % job.num_samples,
      "--max_steps=%d" % _max_steps(job),
      "--summarize_every=%d" % min(_README_SUMMARIZE_EVERY, job.warmup_steps)]


def measure(name, job, flags):
  """Trains once, in a logdir of its own, and gives a dict of figures."""
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    return _figures(processes.run(name, command(job, logdir, flags)), job)


def _measure_yardstick(name, job, text):
  """Runs a yardstick once and gives a dict of figures."""
  values = dict(job._asdict(), python=sys.executable, max_steps=_max_steps(job))
  outcome = processes.run(name, re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), text))
  found = outcome.find(_SPEED_LINE)
  return _figures(outcome, job, float(found[-1][1].group(1)) if found else None)


def _figures(outcome, job, speed=None):
  """The figures of a command, whose lines tell its speed if that is None."""
  figures = {comparison.MEMORY.key: outcome.peak_mb}
  if speed is None:
    lines = [(int(match.group(1)), seconds)
             for seconds, match in outcome.require(_STEP_LINE)]
    figures[comparison.STARTUP.key] = lines[0][1]
    timed = [line for line in lines if line[0] > job.warmup_steps]
    if len(timed) < 2:
      raise errors.UserError("%s: logged no two steps after step %d" % (
          outcome.name, job.warmup_steps))
    (first, start), (last, end) = timed[0], timed[-1]
    speed = (last - first) / (end - start)
  figures[comparison.STEPS.key] = speed
  figures[comparison.MILLISECONDS.key] = 1000. / speed
  # All batches of training are full.
  figures[comparison.SEQUENCES.key] = speed * job.batch_size
  return figures


def _max_steps(job):
  """The number of all steps: the first one only ends the start."""
  return 1 + job.warmup_steps + job.steps
