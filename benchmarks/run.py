"""Measures training, evaluation, and how time and memory of a step grow.

`bin/run_benchmark.sh` calls it and finds the data. Without further flags it
takes a few minutes. What is compared takes turns, see `comparison.py`. Tables
go to stdout as they become ready and, with `--out_dir`, to `table.md`, all
single figures to `results.json`, and a plot of the growth to `scaling.png`.

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

import os
import sys

from absl import flags

from benchmarks import comparison
from benchmarks import evaluation
from benchmarks import machine
from benchmarks import plot
from benchmarks import report as report_lib
from benchmarks import scaling
from benchmarks import training
from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import errors

TRAINING, EVALUATION, SCALING = MEASURES = (
    "training", "evaluation", "scaling")

_QUICK = {"repeats": 2, "warmup_steps": 10, "steps": 20, "eval_passes": 2,
          "sweep_steps": 10}
_MAX_SWEEP_WARMUP_STEPS = 10
_PLOT = "scaling.png"


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  console.define_path("dataset_path", None, "The pianoroll file to measure on.")
  console.define_path(
      "out_dir", None, "The directory for table.md, results.json and "
      "scaling.png, made if need be. None: only print.")
  flags.DEFINE_list(
      "measure", list(MEASURES), "What to measure, of %s." %
      ", ".join(MEASURES))
  flags.DEFINE_integer(
      "repeats", 3, "How many rounds of training and evaluation.", 1)
  flags.DEFINE_boolean(
      "quick", False, "Whether to do no more than a rough impression needs: "
      "two rounds, few steps, the ends of each sweep.")
  flags.DEFINE_list(
      "sizes", ["4x4"], "The sizes to train with: sequences in a batch x "
      "particles, e.g. 4x4,32x16. The first are also the base of scaling.")
  flags.DEFINE_multi_string(
      "variant", [], "NAME=FLAGS: trains with further flags of run_fivo.py "
      "too, e.g. 'bucketed=--bucket_by_length'. May be repeated.")
  flags.DEFINE_multi_string(
      "yardstick", [], "NAME=COMMAND: compares training with a shell command "
      "that prints '<number> steps/s', or lines 'Step N, ...' as run_fivo.py "
      "does. {python}, {dataset_path}, {batch_size}, {num_samples}, {steps}, "
      "{warmup_steps} and {max_steps} in it are filled in. May be repeated.")
  flags.DEFINE_integer(
      "warmup_steps", 100, "How many training steps go by untimed.", 1)
  flags.DEFINE_integer(
      "steps", 200, "How many training steps are timed; rounded up to whole "
      "epochs, because batches differ in length.", 1)
  flags.DEFINE_string("eval_size", "16x4", "The size to evaluate with.")
  flags.DEFINE_enum(
      "eval_split", "test", list(pianorolls.SPLITS), "The split to evaluate.")
  flags.DEFINE_integer(
      "eval_passes", 5, "How many passes over the split are timed, after the "
      "first.", 1)
  flags.DEFINE_list(
      "sweep", list(scaling.DEFAULT_VALUES), "What to scale, of %s; with "
      "=VALUE:VALUE for other values." % ", ".join(scaling.DEFAULT_VALUES))
  flags.DEFINE_integer(
      "sweep_steps", 30, "How many training steps are timed at each point.", 1)
  flags.DEFINE_integer("sweep_repeats", 1, "How many rounds of scaling.", 1)


def main(argv):
  """Measures what the flags say."""
  del argv
  options = flags.FLAGS
  if options.quick:
    for name, value in _QUICK.items():
      options.set_default(name, value)  # A flag that was given stays.
  measure(options)


def measure(options):
  """Measures what an object with the flags as attributes says.

  Args:
    options: The object.

  Raises:
    UserError: If an option is wrong, or a measured command fails.
  """
  unknown = sorted(set(options.measure) - set(MEASURES))
  if unknown or not options.measure:
    raise errors.UserError("--measure=%s: must be of %s" % (
        ",".join(options.measure), ", ".join(MEASURES)))
  sizes = [parse_size("sizes", text) for text in options.sizes or [""]]
  eval_size = parse_size("eval_size", options.eval_size)
  variants = training.parse_variants(options.variant)
  yardsticks = training.parse_named("yardstick", options.yardstick)
  training.check_names(variants + yardsticks)
  sweeps = scaling.parse_sweeps(options.sweep)
  if options.quick:
    sweeps = {name: (values[0], values[-1]) for name, values in sweeps.items()}
  if options.out_dir and SCALING in options.measure:
    plot.check_available()
  num_sequences = {}
  if {TRAINING, EVALUATION} & set(options.measure):
    num_sequences = count_sequences(options.dataset_path, options.eval_split)
  report = report_lib.Report(options.out_dir, machine.describe(sys.argv))
  if TRAINING in options.measure:
    measure_training(report, options, sizes, variants, yardsticks,
                     num_sequences["train"])
  if EVALUATION in options.measure:
    measure_evaluation(
        report, options, eval_size, num_sequences[options.eval_split])
  if SCALING in options.measure:
    measure_scaling(report, options, sweeps, sizes[0])


def measure_training(report, options, sizes, variants, yardsticks, num_train):
  """Compares training with variants and yardsticks, for each of the sizes."""
  baselines = [training.DEFAULT] + [name for name, _ in yardsticks]
  for batch_size, num_samples in sizes:
    job = training.Job(
        os.path.abspath(options.dataset_path), batch_size, num_samples,
        options.warmup_steps,
        whole_epochs(options.steps, batch_size, num_train))
    title = "Training on %s: batch %d, %d particles, %d steps" % (
        os.path.basename(job.dataset_path), batch_size, num_samples, job.steps)
    measured = comparison.take_turns(
        title, training.contestants(job, variants, yardsticks),
        options.repeats, training.METRICS, baselines)
    report.add(measured, comparison.to_markdown(measured))


def measure_evaluation(report, options, size, num_sequences):
  """Compares evaluation with that of separate bounds in file order."""
  job = training.Job(os.path.abspath(options.dataset_path), *size,
                     warmup_steps=1, steps=0)
  measured = evaluation.measure(
      job, options.eval_split, num_sequences, options.eval_passes,
      options.repeats)
  report.add(measured, comparison.to_markdown(measured))


def measure_scaling(report, options, sweeps, size):
  """Measures how a training step grows, and draws it."""
  batch_size, num_samples = size
  growths = scaling.measure(
      sweeps,
      scaling.BASE._replace(batch_size=batch_size, num_samples=num_samples),
      min(_MAX_SWEEP_WARMUP_STEPS, options.sweep_steps), options.sweep_steps,
      options.sweep_repeats)
  for name, growth in growths.items():
    report.add(growth, scaling.to_markdown(name, growth))
  if options.out_dir:
    plot.write(report.path(_PLOT), growths)


def parse_size(flag, text):
  """Reads a size.

  Args:
    flag: The flag that gives it.
    text: A string BATCHxPARTICLES.

  Returns:
    Two positive integers.

  Raises:
    UserError: If it has another form.
  """
  try:
    batch_size, num_samples = map(int, text.split("x"))
  except ValueError:
    batch_size = num_samples = 0
  if min(batch_size, num_samples) < 1:
    raise errors.UserError(
        "--%s=%s: must be BATCHxPARTICLES, e.g. 32x16" % (flag, text))
  return batch_size, num_samples


def count_sequences(path, split):
  """Counts the sequences of the train split and another.

  Args:
    path: The path of a pianoroll file.
    split: The other split.

  Returns:
    A dict of the two counts by split.

  Raises:
    UserError: If there is no such file, or it lacks one of the splits.
  """
  if not path:
    raise errors.UserError(
        "--dataset_path is empty: must be a pianoroll pickle")
  try:
    contents = pianorolls.load(path)
  except errors.UserError as error:
    raise errors.UserError("--dataset_path=%s" % error) from error
  for name in ("train", split):
    if not contents.get(name):
      raise errors.UserError(
          "--dataset_path=%s: has no sequences in the %s split" % (path, name))
  return {name: len(contents[name]) for name in ("train", split)}


def whole_epochs(steps, batch_size, num_sequences):
  """The least number of steps that is at least `steps` and whole epochs."""
  num_epochs = -(-steps * batch_size // num_sequences)
  return -(-num_epochs * num_sequences // batch_size)
