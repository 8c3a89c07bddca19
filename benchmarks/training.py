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
from fivo.system import errors

# The README's command, but for the logdir, the data and the sizes.
README_FLAGS = ("--mode=train", "--model=vrnn", "--bound=fivo",
                "--learning_rate=0.0001", "--dataset_type=pianoroll")
_README_SUMMARIZE_EVERY = 100
# What a variant must leave alone.
_OWN_FLAGS = ("mode", "logdir", "dataset_path", "batch_size", "num_samples",
              "max_steps", "summarize_every")

DEFAULT = "default"

# Other programs may put a prefix before it.
_STEP_LINE = r"\bStep (\d+), "
# What a yardstick may print, e.g. "my step: batch 4: 19.85 steps/s".
_SPEED_LINE = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) steps/s"

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


def parse_variants(values):
  """Reads the flag `--variant`.

  Args:
    values: A list of strings NAME=FLAGS.

  Returns:
    A list of pairs: a name, and a list of flags for `run_fivo.py`.

  Raises:
    UserError: If a value has another form, or sets what is the benchmark's.
  """
  variants = []
  for name, text in parse_named("variant", values):
    try:
      flags = shlex.split(text)
    except ValueError as error:
      raise errors.UserError(
          "--variant=%s=%s: %s" % (name, text, error)) from error
    for flag in flags:
      found = re.match("--?(%s)(=|$)" % "|".join(_OWN_FLAGS), flag)
      if found:
        raise errors.UserError(
            "--variant=%s=%s: --%s is the benchmark's to set" % (
                name, text, found.group(1)))
    variants.append((name, flags))
  return variants


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
    variants: Pairs of a name and a list of flags for `run_fivo.py`.
    yardsticks: Pairs of a name and a shell command, see `measure_yardstick`.
      In it, `{python}`, `{dataset_path}`, `{batch_size}`, `{num_samples}`,
      `{warmup_steps}`, `{steps}` and `{max_steps}` stand for this interpreter,
      for what `job` says, and for the number of all steps.

  Returns:
    A list of `comparison.Contestant`s: the default, variants, yardsticks.
  """
  result = []
  for name, flags in [(DEFAULT, [])] + list(variants):
    result.append(comparison.Contestant(
        name, functools.partial(measure_training, name, job, flags)))
  for name, text in yardsticks:
    shell_command = fill_in(text, job)
    result.append(comparison.Contestant(
        name, functools.partial(measure_yardstick, name, job, shell_command)))
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
    A dict of figures.

  Raises:
    UserError: If the run fails, or logs too little to be timed.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    outcome = processes.run(name, command(
        job, logdir, _max_steps(job), flags))
  return _figures(outcome, job)


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
           for seconds, match in outcome.require(_STEP_LINE)]
  lines = [line for line in lines if line[0] > warmup_steps]
  if len(lines) < 2 or lines[-1][0] == lines[0][0]:
    raise errors.UserError(
        "%s: logged no two steps after step %d" % (
            outcome.name, warmup_steps))
  (first, start), (last, end) = lines[0], lines[-1]
  return (last - first) / (end - start)


def measure_yardstick(name, job, shell_command):
  """Runs a yardstick once.

  Args:
    name: What to call it in messages.
    job: A `Job`.
    shell_command: A command that prints a line with "<number> steps/s", of
      which the last counts; or lines "Step N, ...", which are timed like those
      of `run_fivo.py` (the original prints them too).

  Returns:
    A dict of figures. A step is taken to be one of `job.batch_size` sequences.

  Raises:
    UserError: If the command fails, or prints neither.
  """
  outcome = processes.run(name, shell_command)
  found = outcome.find(_SPEED_LINE)
  if not found:
    return _figures(outcome, job)
  speed = float(found[-1][1].group(1))
  if not speed:
    raise errors.UserError("%s: printed that it does 0 steps/s" % name)
  return _figures(outcome, job, speed)


def _figures(outcome, job, speed=None):
  """The figures of a command.

  Args:
    outcome: A `processes.Outcome`.
    job: A `Job`.
    speed: Steps per second. None: the lines "Step N, ..." tell, and when the
      first of them came.

  Returns:
    A dict of figures. All batches of training are full, so sequences per second
    are steps per second times the batch size.
  """
  figures = {comparison.MEMORY.key: outcome.peak_mb}
  if speed is None:
    speed = steps_per_second(outcome, job.warmup_steps)
    figures[comparison.STARTUP.key] = outcome.require(_STEP_LINE)[0][0]
  figures[comparison.STEPS.key] = speed
  figures[comparison.SEQUENCES.key] = speed * job.batch_size
  return figures


def _max_steps(job):
  """The number of all steps: the first one only ends the start."""
  return 1 + job.warmup_steps + job.steps


def fill_in(shell_command, job):
  """Replaces the placeholders of a yardstick's command, see `contestants`."""
  values = dict(job._asdict(), python=sys.executable, max_steps=_max_steps(job))
  return re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), shell_command)
