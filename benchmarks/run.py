"""Measures training, evaluation, and how time and memory of a step grow.

`bin/run_benchmark.sh` calls it and finds the data. Without further flags it
takes a few minutes. What is compared takes turns, see `comparison.py`. Tables
go to stdout as they become ready; `--out_dir` gets a plot of the growth.

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

import functools
import os
import re
import shlex
import sys
import tempfile

from absl import flags

from benchmarks import comparison
from benchmarks import processes
from benchmarks import runs
from benchmarks import scaling
from fivo.config import rendering_extra
from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import errors
from fivo.system import files

_MEASURES = ("training", "evaluation", "scaling")
_EVAL_BATCH_SIZE, _EVAL_PARTICLES = 16, 4


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  console.define_path("dataset_path", None, "The pianoroll file to measure on.")
  console.define_path(
      "out_dir", None, "The directory for scaling.png, made if need be.")
  flags.DEFINE_list(
      "measure", list(_MEASURES), "What to measure, of %s." %
      ", ".join(_MEASURES))
  flags.DEFINE_boolean(
      "quick", False, "Whether to do no more than a rough impression needs.")
  flags.DEFINE_integer(
      "repeats", 3, "How many rounds of training and evaluation.", 1)
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
  flags.DEFINE_integer(
      "warmup_steps", 100, "How many training steps go by untimed.", 1)
  flags.DEFINE_integer(
      "steps", 200, "How many training steps are timed; rounded up to whole "
      "epochs, because batches differ in length.", 1)


def main(unused_argv):
  """Measures what the flags say."""
  options = flags.FLAGS
  if options.quick:
    for name, value in (("repeats", 2), ("warmup_steps", 10), ("steps", 20)):
      options.set_default(name, value)  # A flag that was given stays.
  if not set(options.measure) <= set(_MEASURES):
    raise errors.UserError("--measure=%s: must be of %s" % (
        ",".join(options.measure), ", ".join(_MEASURES)))
  sizes = _parse("sizes", r"([1-9]\d*)x([1-9]\d*)$", options.sizes)
  if options.out_dir:
    rendering_extra.check("out_dir")
    files.prepare_directory("out_dir", options.out_dir)
  print("## Benchmark\n\nMachine: %s\n" % processes.machine(), flush=True)
  if "training" in options.measure:
    for batch_size, num_samples in sizes:
      _measure_training(options, int(batch_size), int(num_samples))
  if "evaluation" in options.measure:
    _measure_evaluation(options)
  if "scaling" in options.measure:
    _measure_scaling(options)


def _measure_training(options, batch_size, num_samples):
  """Compares training with variants and yardsticks."""
  variants = _parse("variant", r"([\w.-]+)=(.*\S)", options.variant)
  yardsticks = _parse("yardstick", r"([\w.-]+)=(.*\S)", options.yardstick)
  path, num_sequences = _dataset(options, "train")
  # Whole epochs.
  num_epochs = -(-options.steps * batch_size // num_sequences)
  steps = -(-num_epochs * num_sequences // batch_size)
  # The first step only ends the start.
  job = runs.Job(path, batch_size, num_samples, options.warmup_steps,
                 1 + options.warmup_steps + steps)
  figures = comparison.take_turns([
      (name, functools.partial(
          runs.measure_training, name, job, shlex.split(text)))
      for name, text in [("default", "")] + variants
  ] + [
      (name, functools.partial(runs.measure_yardstick, name, job, text))
      for name, text in yardsticks], options.repeats)
  _print("Training on %s: batch %d, %d particles, %d steps" % (
      os.path.basename(path), batch_size, num_samples, steps), "", figures,
         [runs.STEPS, runs.SEQUENCES, runs.STARTUP, runs.MEMORY],
         ["default"] + [name for name, _ in yardsticks])


def _measure_evaluation(options):
  """Compares evaluation with that of separate bounds in file order."""
  path, num_sequences = _dataset(options, runs.EVAL_SPLIT)
  job = runs.Job(
      path, _EVAL_BATCH_SIZE, _EVAL_PARTICLES, warmup_steps=1, max_steps=2)
  separate = [sys.executable, "-m", "benchmarks.separate_bounds"]
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as logdir:
    runs.train("training for a checkpoint", job, logdir)
    figures = comparison.take_turns([
        (name, functools.partial(runs.measure_evaluation, name, program, job,
                                 logdir, num_sequences))
        for name, program in (
            ("run_fivo.py", processes.PROGRAM), ("separate", separate))
    ], options.repeats)
  _print("Evaluation of the %s split of %s: batch %d, %d particles" % (
      runs.EVAL_SPLIT, os.path.basename(path), _EVAL_BATCH_SIZE,
      _EVAL_PARTICLES), "", figures, [runs.SEQUENCES, runs.MEMORY],
         ["separate"])


def _measure_scaling(options):
  """Measures how a training step grows with each size, and draws it."""
  growths = {}
  for name, values in scaling.VALUES.items():
    growths[name] = scaling.measure(
        name, [values[0], values[-1]] if options.quick else values)
    _print(scaling.TITLE, name, growths[name], scaling.COLUMNS)
  if options.out_dir:
    scaling.draw(os.path.join(options.out_dir, "scaling.png"), growths)


def _print(title, *table):
  print("### %s\n\n%s" % (title, comparison.to_markdown(*table)), flush=True)


def _parse(flag, pattern, values):
  """The pairs in the values of a flag, such as NAME=FLAGS or 32x16."""
  for value in values:
    if not re.match(pattern, value):
      raise errors.UserError("--%s=%s: must be like %s" % (
          flag, value, "32x16" if flag == "sizes" else "NAME=TEXT"))
  return [re.match(pattern, value).groups() for value in values]


def _dataset(options, split):
  """The pianoroll file, and its number of sequences in a split."""
  path = os.path.abspath(options.dataset_path or "")
  with errors.naming_flag("dataset_path"):
    sequences = pianorolls.load(path).get(split)
  if not sequences:
    raise errors.UserError(
        "--dataset_path=%s: has no sequences in the %s split" % (path, split))
  return path, len(sequences)
