"""Reproduces the results: trains, chooses by the valid split, and tests.

`bin/reproduce.sh` calls it and finds the data. It runs several processes of
`run_fivo.py` at a time, below `--out_dir`, and writes tables there as cells are
finished. An interrupted command continues when it is repeated.

  bin/reproduce.sh --dataset=jsb --seeds=1,2 --jobs=2
  bin/reproduce.sh --dataset=jsb --bounds=fivo --flags=--latent_size=32
  bin/reproduce.sh --dataset=ghmm

A cell of the table is a model, trained with one bound, number of particles,
seed and further flags. Of several learning rates the one with the best bound on
the valid split is chosen, and only that one sees the test split.
`--dataset=ghmm` is the study in `reproduce_ghmm.py`.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import itertools
import os
import threading

from absl import flags

from benchmarks import reproduce_ghmm
from benchmarks import reproduce_tables
from benchmarks import tasks
from fivo.config import checks
from fivo.system import console
from fivo.system import errors
from fivo.system import files

# The flags of training that were best on the valid split of each dataset.
_COMMON = ("--dataset_type=pianoroll --latent_size=64 --max_train_length=128 "
           "--xla=true --bucket_by_length=true --learning_rate_schedule=cosine "
           "--average_variables=0.995 --export_best=true "
           "--early_stop_patience=4 ")
_RECIPES = {
    "jsb": "--eval_every=1000 --kl_warmup_steps=4000 --input_dropout=0.2 "
           "--schedule_steps=8000 --max_steps=8000",
    "nottingham": "--eval_every=2000 --kl_warmup_steps=2000 "
                  "--schedule_steps=12000 --max_steps=12000",
    "musedata": "--eval_every=2000 --kl_warmup_steps=4000 "
                "--schedule_steps=12000 --max_steps=12000",
    "piano-midi.de": "--eval_every=1000 --kl_warmup_steps=2000 "
                     "--input_dropout=0.1 --transpose_octaves=1 "
                     "--schedule_steps=10000 --max_steps=10000",
}
_RECIPES["chorales"] = _RECIPES["jsb"]


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  flags.DEFINE_enum(
      "dataset", "jsb", list(_RECIPES) + ["ghmm"],
      "The data of the table; ghmm: the study of that model.")
  flags.DEFINE_list("bounds", list(reproduce_tables.BOUNDS),
                    "The bounds to train on.")
  flags.DEFINE_list("particles", ["4"], "The numbers of particles.")
  flags.DEFINE_list("models", ["vrnn"], "The models: vrnn, srnn.")
  flags.DEFINE_list("seeds", ["1"], "The seeds of the runs of each cell.")
  flags.DEFINE_list("learning_rates", ["0.003"],
                    "The learning rates to choose from by the valid bound.")
  flags.DEFINE_string(
      "flags", "", "More flags of run_fivo.py for training, which override "
      "the recipe's, e.g. '--latent_size=32 --max_steps=20000'. Cells with "
      "them are rows of their own in the tables.")
  flags.DEFINE_integer(
      "eval_repeats", 5, "How often to evaluate the test split.", 2)
  flags.DEFINE_integer("jobs", 2, "The number of parallel processes.", 1)
  console.define_path(
      "out_dir", None, "The directory of logdirs, logs and tables. Default: "
      "reproduction/DATASET in the working directory.")
  console.define_path(
      "data_dir", None, "The directory of the pianoroll files. Default: that "
      "of the variable PIANOROLL_DIR, else ~/pianorolls.")
  flags.DEFINE_boolean(
      "dry_run", False, "Whether to print the commands without running them.")


def main(unused_argv):
  """Runs the study given by the flags."""
  options = flags.FLAGS
  out_dir = os.path.abspath(
      options.out_dir or os.path.join("reproduction", options.dataset))
  runner = tasks.Runner(out_dir, options.dry_run)
  if options.dataset == "ghmm":
    study = reproduce_ghmm.Study(out_dir, runner)
  else:
    study = Table(out_dir, runner, options)
  if options.dry_run:
    for item in study.items:
      study.run(item)
  else:
    checks.check_rendering("out_dir")
    runner.map(study.run, study.items, options.jobs)
    print(study.write())


class Table(object):
  """The cells of one command, dicts with the keys `reproduce_tables.CELL`.

  `items` is a list of lists of cells that differ in the learning rate alone.
  """

  def __init__(self, out_dir, runner, options):
    self._out_dir = out_dir
    self._runner = runner
    self._dataset_path = _dataset_path(options)
    self._eval_repeats = options.eval_repeats
    self._results = []
    self._lock = threading.Lock()  # Items are run in threads.
    self.items = [
        [collections.OrderedDict(zip(reproduce_tables.CELL, (
            options.dataset, model, bound, particles, seed, rate,
            options.flags))) for rate in options.learning_rates]
        for model, particles, seed, bound in itertools.product(
            options.models, options.particles, options.seeds, options.bounds)]

  def run(self, cells):
    """Trains cells, tests the best one, and rewrites the tables."""
    is_run = [self._runner.run(self._training(cell)) for cell in cells]
    cell = max(cells, key=self._valid_bound) if all(is_run) else cells[0]
    if self._runner.run(self._test(cell)):
      with self._lock:
        self._results.append(self._result(cell))
        reproduce_tables.write(self._out_dir, self._results)

  def write(self):
    """Draws the curves and returns the text of the tables."""
    reproduce_tables.draw_curves(self._out_dir)
    return reproduce_tables.write(self._out_dir, self._results)

  def _directory(self, cell, *names):
    return os.path.join(
        self._out_dir, "cells", reproduce_tables.name(cell), *names)

  def _training(self, cell):
    """The call that trains until it stops early or its schedule ends."""
    recipe = " ".join((_COMMON, _RECIPES[cell["dataset"]], cell["flags"]))
    # The last value of a flag counts.
    return tasks.Call("train", self._directory(cell), recipe.split() + [
        "--logdir=" + self._directory(cell, "logdir"),
        "--dataset_path=" + self._dataset_path, "--model=" + cell["model"],
        "--bound=" + cell["bound"], "--num_samples=" + cell["particles"],
        "--random_seed=" + cell["seed"],
        "--learning_rate=" + cell["learning_rate"]])

  def _test(self, cell):
    """The call that evaluates the best checkpoint of a cell."""
    return tasks.Call("eval", self._directory(cell), [
        "--split=test", "--logdir=" + self._directory(cell, "logdir", "best"),
        "--dataset_path=" + self._dataset_path, "--batch_size=16",
        "--num_samples=%d" % reproduce_tables.EVAL_PARTICLES,
        "--eval_repeats=%d" % self._eval_repeats])

  def _validation(self, cell):
    """The record of the valid split that training kept, a dict."""
    return files.read_json(self._directory(cell, "logdir", "validation.json"))

  def _valid_bound(self, cell):
    bound = self._validation(cell)["best_bound"]
    return -float("inf") if bound is None else bound

  def _result(self, cell):
    """The results of a cell, an ordered dict of strings."""
    record = self._validation(cell)
    training, test = self._training(cell), self._test(cell)
    result = collections.OrderedDict(
        cell, steps=record["last_step"], best_step=record["best_step"],
        valid=record["best_bound"],
        curve=reproduce_tables.read_curve(self._training(cell)))
    result.update(reproduce_tables.read_bounds(test))
    state = training.state()
    for name, seconds in (("train", state["seconds"]),
                          ("train_cpu", state["cpu_seconds"]),
                          ("test", test.state()["seconds"])):
      result[name + "_minutes"] = round(seconds / 60., 2)
    result["machine"] = state["machine"]
    for name, call in (("command", training), ("eval_command", test)):
      text = " ".join(["python run_fivo.py"] + call.flags)
      result[name] = text.replace(self._out_dir, "$OUT_DIR").replace(
          os.path.dirname(self._dataset_path), "$PIANOROLL_DIR")
    return collections.OrderedDict(
        (name, str(value)) for name, value in result.items())


def _dataset_path(options):
  """The pianoroll file of a dataset."""
  directory = os.path.abspath(os.path.expanduser(
      options.data_dir or os.environ.get("PIANOROLL_DIR") or "~/pianorolls"))
  path = os.path.join(directory, options.dataset + ".pkl")
  if not os.path.exists(path):
    raise errors.UserError(
        "--data_dir=%s: has no %s; bin/download_pianorolls.sh DIR downloads "
        "the pianoroll files" % (directory, os.path.basename(path)))
  return path
