"""Training: `run_fivo.py`'s own loop beside any other command.

A training run is timed by its log: from the arrival of one line "Step N, ..."
to that of a later one. So the input pipeline, summaries and hooks all count;
the start and the first steps do not. The lines of a run are as far apart as in
the README's command, but for short measurements.
"""

import collections
import functools
import os
import re
import shlex
import sys
import tempfile

from benchmarks import comparison
from benchmarks import processes
from fivo import errors

# The README's command, but for the logdir, the data and the sizes.
README_FLAGS = ("--mode=train", "--model=vrnn", "--bound=fivo",
                "--learning_rate=0.0001", "--dataset_type=pianoroll")
_README_SUMMARIZE_EVERY = 100

DEFAULT = "default"

_STEP_LINE = r"^Step (\d+), "
# What a yardstick has to print, e.g. "my step: batch 4: 19.85 steps/s".
YARDSTICK_LINE = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) steps/s"

METRICS = (comparison.STEPS, comparison.SEQUENCES, comparison.STARTUP,
           comparison.MEMORY)


# The sizes of a training run: the data, the sizes of a batch, how many steps
# go by untimed, and how many are timed then.
Job = collections.namedtuple("Job", (
    "dataset_path", "batch_size", "num_samples", "warmup_steps", "steps"))


def parse_named(flag, values):
  """Reads the values NAME=TEXT of a flag that may be repeated.

  Args:
    flag: The flag's name.
    values: A list of strings.

  Returns:
    A list of pairs `(name, text)`.

  Raises:
    UserError: If a value has another form.
  """
  pairs = []
  for value in values:
    name, _, text = value.partition("=")
    if not re.match(r"[\w.-]+$", name) or not text.strip():
      raise errors.UserError(
          "--%s=%s: must be NAME=%s" % (
              flag, value, "COMMAND" if flag == "yardstick" else "FLAGS"))
    pairs.append((name, text))
  return pairs


def check_names(pairs):
  """Raises a `UserError` if two of the `(name, text)` have one name."""
  names = [DEFAULT] + [name for name, _ in pairs]
  for name in names:
    if names.count(name) > 1:
      raise errors.UserError(
          "two contestants are named %s: give each --variant and --yardstick a "
          "name of its own" % name)


def contestants(job, variants=(), yardsticks=()):
  """What to measure for one set of sizes.

  Args:
    job: A `Job`.
    variants: Pairs of a name and flags for `run_fivo.py` in one string.
    yardsticks: Pairs of a name and a shell command that prints a line that
      matches `YARDSTICK_LINE`. In the command, `{python}`, `{dataset_path}`,
      `{batch_size}`, `{num_samples}`, `{warmup_steps}` and `{steps}` stand for
      this interpreter and for what `job` says.

  Returns:
    A list of `comparison.Contestant`s: the default, variants, yardsticks.
  """
  result = []
  for name, flags in [(DEFAULT, "")] + list(variants):
    result.append(comparison.Contestant(
        name, functools.partial(
            measure_training, name, job, shlex.split(flags))))
  for name, text in yardsticks:
    result.append(comparison.Contestant(
        name, functools.partial(
            measure_yardstick, name, job, fill_in(text, job))))
  return result


def command(job, logdir, max_steps, flags=()):
  """The command line of a training run.

  Args:
    job: A `Job`.
    logdir: The logdir.
    max_steps: The step to end at.
    flags: Further flags, which win over all others.

  Returns:
    A list of strings.
  """
  return [sys.executable, os.path.join(processes.ROOT, "run_fivo.py")] + list(
      README_FLAGS) + [
          "--logdir=" + logdir,
          "--dataset_path=" + job.dataset_path,
          "--batch_size=%d" % job.batch_size,
          "--num_samples=%d" % job.num_samples,
          "--max_steps=%d" % max_steps,
          "--summarize_every=%d" % min(
              _README_SUMMARIZE_EVERY, job.warmup_steps),
      ] + list(flags)


def measure_training(name, job, flags=()):
  """Trains once, in a logdir of its own.

  Args:
    name: What to call it in messages.
    job: A `Job`.
    flags: Further flags for `run_fivo.py`.

  Returns:
    A dict of figures. Training batches are always full, so sequences per second
    are steps per second times the batch size.

  Raises:
    UserError: If the run fails, or logs too little to be timed.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    outcome = processes.run(name, command(
        job, logdir, 1 + job.warmup_steps + job.steps, flags))
  speed = steps_per_second(outcome, job.warmup_steps)
  return {
      comparison.STEPS.key: speed,
      comparison.SEQUENCES.key: speed * job.batch_size,
      comparison.STARTUP.key: outcome.matches(_STEP_LINE)[0][0],
      comparison.MEMORY.key: outcome.peak_mb,
  }


def steps_per_second(outcome, warmup_steps):
  """The speed of a training run after its first steps.

  Args:
    outcome: A `processes.Outcome`.
    warmup_steps: The timing begins with the first line of a later step.

  Returns:
    A float.

  Raises:
    UserError: If there are no two such lines.
  """
  lines = [(int(match.group(1)), seconds)
           for seconds, match in outcome.matches(_STEP_LINE)]
  lines = [line for line in lines if line[0] > warmup_steps]
  if len(lines) < 2 or lines[-1][0] == lines[0][0]:
    raise errors.UserError(
        "%s: logged no two steps after step %d; its flags must leave "
        "--max_steps and --summarize_every alone" % (
            outcome.name, warmup_steps))
  (first, start), (last, end) = lines[0], lines[-1]
  return (last - first) / (end - start)


def measure_yardstick(name, job, shell_command):
  """Runs a yardstick once.

  Args:
    name: What to call it in messages.
    job: A `Job`.
    shell_command: A command that prints its steps per second.

  Returns:
    A dict of figures. A step is taken to be one of `job.batch_size` sequences.

  Raises:
    UserError: If the command fails, or prints no speed.
  """
  outcome = processes.run(name, shell_command)
  speed = float(outcome.matches(YARDSTICK_LINE)[-1][1].group(1))
  return {
      comparison.STEPS.key: speed,
      comparison.SEQUENCES.key: speed * job.batch_size,
      comparison.MEMORY.key: outcome.peak_mb,
  }


def fill_in(shell_command, job):
  """Replaces the placeholders of a yardstick's command, see `contestants`."""
  values = dict(job._asdict(), python=sys.executable)
  return re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), shell_command)
