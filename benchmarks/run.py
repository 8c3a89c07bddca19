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

import collections
import os
import re

from absl import flags

from benchmarks import comparison
from benchmarks import evaluation
from benchmarks import machine
from benchmarks import scaling
from benchmarks import training
from fivo.config import rendering_extra
from fivo.formats import pianorolls
from fivo.system import console
from fivo.system import errors
from fivo.system import files

_MEASURES = ("training", "evaluation", "scaling")
_QUICK = {"repeats": 2, "warmup_steps": 10, "steps": 20, "eval_passes": 2,
          "sweep_steps": 10}


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  console.define_path("dataset_path", None, "The pianoroll file to measure on.")
  console.define_path(
      "out_dir", None, "The directory for table.md, results.json and "
      "scaling.png, made if need be. None: only print.")
  flags.DEFINE_list(
      "measure", list(_MEASURES), "What to measure, of %s." %
      ", ".join(_MEASURES))
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
  for measure in options.measure:
    if measure not in _MEASURES:
      raise errors.UserError("--measure=%s: must be of %s" % (
          measure, ", ".join(_MEASURES)))
  sizes = [_parse_size("sizes", text) for text in options.sizes]
  eval_size = _parse_size("eval_size", options.eval_size)
  variants = _parse_named("variant", options.variant)
  yardsticks = _parse_named("yardstick", options.yardstick)
  sweeps = collections.OrderedDict(map(_parse_sweep, options.sweep))
  report = _Report(options.out_dir)
  if "training" in options.measure:
    _measure_training(report, options, sizes, variants, yardsticks)
  if "evaluation" in options.measure:
    _measure_evaluation(report, options, eval_size)
  if "scaling" in options.measure:
    _measure_scaling(report, options, sweeps, sizes[0])


def _measure_training(report, options, sizes, variants, yardsticks):
  """Compares training with variants and yardsticks, for each of the sizes."""
  path = os.path.abspath(options.dataset_path or "")
  num_sequences = _count_sequences(path, "train")
  for batch_size, num_samples in sizes:
    # Whole epochs.
    num_epochs = -(-options.steps * batch_size // num_sequences)
    steps = -(-num_epochs * num_sequences // batch_size)
    title = "Training on %s: batch %d, %d particles, %d steps" % (
        os.path.basename(path), batch_size, num_samples, steps)
    job = training.Job(
        path, batch_size, num_samples, options.warmup_steps, steps)
    measured = comparison.take_turns(
        title, training.contestants(job, variants, yardsticks), options.repeats)
    report.add(title, measured, comparison.to_markdown(
        "", measured, training.METRICS,
        ["default"] + [name for name, _ in yardsticks]))


def _measure_evaluation(report, options, size):
  """Compares evaluation with that of separate bounds in file order."""
  path = os.path.abspath(options.dataset_path or "")
  title = "Evaluation of the %s split of %s: batch %d, %d particles" % (
      (options.eval_split, os.path.basename(path)) + size)
  measured = evaluation.measure(
      title, training.Job(path, *size, warmup_steps=1, steps=0),
      options.eval_split, _count_sequences(path, options.eval_split),
      options.eval_passes, options.repeats)
  report.add(title, measured, comparison.to_markdown(
      "", measured, evaluation.METRICS, [evaluation.SEPARATE]))


def _measure_scaling(report, options, sweeps, size):
  """Measures how a training step grows, and draws it."""
  base = dict(scaling.BASE, batch_size=size[0], num_samples=size[1])
  growths = collections.OrderedDict()
  for name, values in sweeps.items():
    title = "Training steps by %s (%s)" % (name, ", ".join(
        "%s %d" % (other, base[other]) for other in scaling.BASE
        if other != name))
    growths[name] = scaling.measure(
        title, name, [values[0], values[-1]] if options.quick else values, base,
        options.sweep_steps, options.sweep_repeats)
    report.add(title, growths[name], comparison.to_markdown(
        name, growths[name], scaling.METRICS))
  if options.out_dir:
    scaling.draw(os.path.join(options.out_dir, "scaling.png"), growths)


def _parse_size(flag, text):
  """A batch size and a number of particles, of a text such as 32x16."""
  found = re.match(r"([1-9]\d*)x([1-9]\d*)$", text)
  if not found:
    raise errors.UserError(
        "--%s=%s: must be BATCHxPARTICLES, e.g. 32x16" % (flag, text))
  return int(found.group(1)), int(found.group(2))


def _parse_named(flag, values):
  """Pairs of a name and a text, of the values NAME=TEXT of a repeated flag."""
  for value in values:
    if not re.match(r"[\w.-]+=.*\S", value):
      raise errors.UserError("--%s=%s: must be NAME=%s" % (
          flag, value, "COMMAND" if flag == "yardstick" else "FLAGS"))
  return [tuple(value.split("=", 1)) for value in values]


def _parse_sweep(text):
  """A name and a list of sizes, of a text such as num_samples=4:8:16."""
  found = re.match(r"(\w+)(=[1-9]\d*(:[1-9]\d*)*)?$", text)
  if not found or found.group(1) not in scaling.DEFAULT_VALUES:
    raise errors.UserError(
        "--sweep=%s: must be of %s, e.g. num_samples or num_samples=1:2:4" % (
            text, ", ".join(scaling.DEFAULT_VALUES)))
  name, _, values = text.partition("=")
  return name, sorted(map(int, values.split(":"))) if values else (
      scaling.DEFAULT_VALUES[name])


def _count_sequences(path, split):
  """The number of sequences in a split of a pianoroll file."""
  with errors.naming_flag("dataset_path"):
    sequences = pianorolls.load(path).get(split)
  if not sequences:
    raise errors.UserError(
        "--dataset_path=%s: has no sequences in the %s split" % (path, split))
  return len(sequences)


class _Report(object):
  """The tables and figures so far, on stdout; in files, given a directory."""

  def __init__(self, out_dir):
    if out_dir:
      rendering_extra.check("out_dir")
      os.makedirs(out_dir, exist_ok=True)
    self._out_dir = out_dir
    self._tables = []
    self._machine = machine.describe()
    self._comparisons = []
    self._write("## Benchmark\n\n" + "".join(
        "* %s: %s\n" % item for item in self._machine.items()))

  def add(self, title, measured, table):
    """Adds what `comparison.take_turns` returned, and its table."""
    self._comparisons.append({"title": title, "figures": measured})
    self._write("### %s\n\n%s" % (title, table))

  def _write(self, text):
    print(text, flush=True)
    self._tables.append(text)
    if self._out_dir:
      with files.atomic_write(
          os.path.join(self._out_dir, "table.md"), "w") as stream:
        stream.write("\n".join(self._tables))
      files.write_json(os.path.join(self._out_dir, "results.json"), [
          ("machine", self._machine), ("comparisons", self._comparisons)])
