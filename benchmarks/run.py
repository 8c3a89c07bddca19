"""Measures training, and how the time and memory of a step grow.

`bin/run_benchmark.sh` calls it and finds the data. Without more flags it takes
a few minutes. Programs that are compared take turns, see `comparison.py`.
Tables go to stdout as they are finished; `--out_dir` gets a plot of the growth.

Training is timed from the arrival of one line "Step N, ..." to that of a later
one, so that the input pipeline, summaries and hooks count; the start and the
first steps do not.

  bin/run_benchmark.sh --measure=training --sizes=4x4,4x16,32x16 \
    --variant='bucketed=--bucket_by_length' \
    --yardstick='mine={python} my_step.py --data {dataset_path} \
        --batch_size {batch_size} --num_samples {num_samples}'
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import functools
import os
import re
import shlex
import sys
import tempfile

from absl import flags

from benchmarks import comparison
from benchmarks import processes
from fivo.config import checks
from fivo.formats import pianorolls
from fivo.rendering import figures as figures_lib
from fivo.system import console
from fivo.system import errors
from fivo.system import files

_MEASURES = ("training", "scaling")
# The keys of figures, which are the headings of tables.
_STEPS, _MILLISECONDS, _SEQUENCES = "steps/s", "ms per step", "sequences/s"
_STARTUP, _MEMORY = "seconds to step 1", "peak MB"
# The interval of the README's command, except in short measurements.
_SUMMARIZE_EVERY = 100
# Other programs may log it with a prefix.
_STEP_LINE = r"\bStep (\d+), "
# What a yardstick may print, e.g. "my step: batch 4: 19.85 steps/s".
_SPEED_LINE = r"(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?) steps/s"

# The data and sizes of a run; the steps before it is timed, and in all.
_Job = collections.namedtuple(
    "Job", "dataset_path batch_size num_samples warmup_steps max_steps")
# A growing quantity, its values, and the sizes and flags of a run with a value.
_GROWTH = [
    ("particles", [4, 16, 64, 256], lambda n: ((4, n), [])),
    ("sequences in a batch", [4, 16, 64], lambda n: ((n, 4), [])),
    ("latents", [32, 64, 128, 256],
     lambda n: ((4, 4), ["--latent_size=%d" % n]))]
_GROWTH_STEPS = dict(warmup_steps=10, max_steps=41)


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  console.define_path("dataset_path", None, "The pianoroll file to measure on.")
  console.define_path(
      "out_dir", None, "The directory for scaling.png, made if necessary.")
  flags.DEFINE_list(
      "measure", list(_MEASURES), "What to measure, of %s." %
      ", ".join(_MEASURES))
  flags.DEFINE_boolean(
      "quick", False, "Whether to measure only roughly.")
  flags.DEFINE_integer(
      "repeats", 3, "The number of rounds of training.", 1)
  flags.DEFINE_list(
      "sizes", ["4x4"], "The sizes to train with: sequences in a batch x "
      "particles, e.g. 4x4,32x16.")
  flags.DEFINE_multi_string(
      "variant", [], "NAME=FLAGS: trains with further flags of run_fivo.py "
      "too, e.g. 'bucketed=--bucket_by_length'. May be repeated.")
  flags.DEFINE_multi_string(
      "yardstick", [], "NAME=COMMAND: compares training with a shell command "
      "that prints '<number> steps/s', or lines 'Step N, ...' as run_fivo.py "
      "does. {python}, {dataset_path}, {batch_size}, {num_samples}, "
      "{warmup_steps} and {max_steps} in it are filled in. May be repeated.")


def main(unused_argv):
  """Takes the measurements given by the flags."""
  options = flags.FLAGS
  if not set(options.measure) <= set(_MEASURES):
    raise errors.UserError("--measure=%s: must be of %s" % (
        ",".join(options.measure), ", ".join(_MEASURES)))
  sizes = _parse("sizes", r"([1-9]\d*)x([1-9]\d*)$", options.sizes)
  if options.out_dir:
    checks.check_rendering("out_dir")
    files.prepare_directory("out_dir", options.out_dir)
  print("## Benchmark\n\nMachine: %s\n" % processes.machine(), flush=True)
  if "training" in options.measure:
    for batch_size, num_samples in sizes:
      _measure_training(options, int(batch_size), int(num_samples))
  if "scaling" in options.measure:
    _measure_scaling(options)


def _measure_training(options, batch_size, num_samples):
  """Compares training with variants and yardsticks."""
  variants = _parse("variant", r"([\w.-]+)=(.*\S)", options.variant)
  yardsticks = _parse("yardstick", r"([\w.-]+)=(.*\S)", options.yardstick)
  path, num_sequences = _dataset(options)
  warmup_steps, steps = (10, 20) if options.quick else (100, 200)
  # Whole epochs, because batches differ in length.
  num_epochs = -(-steps * batch_size // num_sequences)
  steps = -(-num_epochs * num_sequences // batch_size)
  # The first step only ends the start.
  job = _Job(path, batch_size, num_samples, warmup_steps,
             1 + warmup_steps + steps)
  figures = comparison.take_turns([
      (name, functools.partial(_train, name, job, shlex.split(text)))
      for name, text in [("default", "")] + variants
  ] + [
      (name, functools.partial(_run_yardstick, name, job, text))
      for name, text in yardsticks], options.repeats)
  _print("Training on %s: batch %d, %d particles, %d steps" % (
      os.path.basename(path), batch_size, num_samples, steps), "", figures,
         [_STEPS, _SEQUENCES, _STARTUP, _MEMORY],
         ["default"] + [name for name, _ in yardsticks])


def _measure_scaling(options):
  """Measures how a training step grows with its sizes, and draws it."""
  path, _ = _dataset(options)
  columns = [_MILLISECONDS, _MEMORY]
  growths = []
  for name, values, sizes_of in _GROWTH:
    contestants = []
    for value in [values[0], values[-1]] if options.quick else values:
      sizes, more_flags = sizes_of(value)
      contestants.append((value, functools.partial(
          _train, "%d %s" % (value, name),
          _Job(path, *sizes, **_GROWTH_STEPS), more_flags)))
    figures = comparison.take_turns(contestants, 1)
    _print("Training steps by " + name, name, figures, columns)
    growths.append(figures)
  if not options.out_dir:
    return
  figure, axes = figures_lib.create((9., 6.), 2, len(_GROWTH), sharex="col")
  for column, (name, _, _), growth in zip(axes.T, _GROWTH, growths):
    for axis, key in zip(column, columns):
      axis.plot(list(growth), [rounds[0][key] for rounds in growth.values()],
                "o-")
      axis.set_ylim(bottom=0.)
      axis.set_ylabel(key)
    column[1].set_xlabel(name)
  figures_lib.save(os.path.join(options.out_dir, "scaling.png"), figure)


def _print(title, *table):
  print("### %s\n\n%s" % (title, comparison.to_markdown(*table)), flush=True)


def _parse(flag, pattern, values):
  """The pairs in the values of a flag, such as NAME=FLAGS or 32x16."""
  for value in values:
    if not re.match(pattern, value):
      raise errors.UserError("--%s=%s: must be like %s" % (
          flag, value, "32x16" if flag == "sizes" else "NAME=TEXT"))
  return [re.match(pattern, value).groups() for value in values]


def _dataset(options):
  """The pianoroll file, and its number of training sequences."""
  path = os.path.abspath(options.dataset_path or "")
  with errors.naming_flag("dataset_path"):
    sequences = pianorolls.load(path).get("train")
  if not sequences:
    raise errors.UserError(
        "--dataset_path=%s: has no sequences in the train split" % path)
  return path, len(sequences)


def _train(name, job, flags):
  """Trains once, in a new logdir, and returns a dict of figures."""
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    return _training_figures(processes.run(name, processes.PROGRAM + [
        "--mode=train", "--logdir=" + logdir,
        "--dataset_path=" + job.dataset_path,
        "--batch_size=%d" % job.batch_size,
        "--num_samples=%d" % job.num_samples,
        "--learning_rate=0.0001", "--max_steps=%d" % job.max_steps,
        "--summarize_every=%d" % min(_SUMMARIZE_EVERY, job.warmup_steps),
    ] + list(flags)), job)


def _run_yardstick(name, job, text):
  """Runs a yardstick's shell command once and returns a dict of figures."""
  values = dict(job._asdict(), python=sys.executable)
  return _training_figures(processes.run(name, re.sub(
      r"\{(%s)\}" % "|".join(values),
      lambda match: shlex.quote(str(values[match.group(1)])), text)), job)


def _training_figures(outcome, job):
  """The figures of a command that printed its speed or the lines of steps."""
  figures = {_MEMORY: outcome.peak_mb}
  speeds = processes.find(_SPEED_LINE, outcome)
  if speeds:
    speed = float(speeds[-1][1].group(1))
  else:
    lines = [(int(match.group(1)), seconds)
             for seconds, match in processes.find(_STEP_LINE, outcome)]
    timed = [line for line in lines if line[0] > job.warmup_steps]
    if len(timed) < 2:
      raise errors.UserError("%s: logged no two steps after step %d" % (
          outcome.name, job.warmup_steps))
    (first, start), (last, end) = timed[0], timed[-1]
    figures[_STARTUP] = lines[0][1]
    speed = (last - first) / (end - start)
  # All batches of training are full.
  figures.update({_STEPS: speed, _MILLISECONDS: 1000. / speed,
                  _SEQUENCES: speed * job.batch_size})
  return figures
