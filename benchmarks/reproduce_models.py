"""Exports the models of a table of results, small enough to be committed.

  python benchmarks/reproduce_models.py --out_dir=reproduction/jsb \
      --data_dir=$PIANOROLL_DIR --models_dir=results/models

For each row of `cells.csv` below `--out_dir`, or those of `--seeds`, it makes a
logdir without the optimizer's state, see `fivo/logdir/export_model.py`, with a
file `figures.json`: the row, and the bounds of the shortest sequences of the
test split, by which a test knows the model again in seconds.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import csv
import os
import shutil
import sys
import tempfile

from absl import flags

from benchmarks import processes
from benchmarks import reproduce_cells
from benchmarks import reproduce_tables
from fivo.config import stored
from fivo.formats import pianorolls
from fivo.logdir import best_checkpoint
from fivo.system import files

FIGURES = "figures.json"
_NUM_SEQUENCES = 8
_NUM_REPEATS = 10
_PARTICLES = 16


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  flags.DEFINE_string("out_dir", None, "The --out_dir of reproduce.py.")
  flags.DEFINE_string("data_dir", None, "The directory of pianoroll files.")
  flags.DEFINE_string("models_dir", None, "The directory of the models.")
  flags.DEFINE_list("seeds", ["1"], "Of which seeds.")
  flags.mark_flags_as_required(["out_dir", "data_dir", "models_dir"])


def main(argv):
  """Does what the flags say."""
  del argv
  export(flags.FLAGS)


def export(options):
  """Exports the models that are not there yet.

  Args:
    options: An object with the flags as attributes.

  Raises:
    UserError: If a logdir is not one, or the data does not fit the model.
  """
  with open(os.path.join(options.out_dir, reproduce_tables.FIGURES)) as stream:
    rows = [row for row in csv.DictReader(stream)
            if row["seed"] in options.seeds]
  for row in rows:
    cell = reproduce_cells.Cell(*[
        row[name] for name in reproduce_cells.Cell._fields])
    target = os.path.join(options.models_dir, model_name(cell))
    if os.path.exists(target):
      continue
    logdir = os.path.join(
        options.out_dir, "cells", cell.name, "logdir",
        best_checkpoint.DIRECTORY)
    data = os.path.join(options.data_dir, cell.dataset + ".pkl")
    with tempfile.TemporaryDirectory(prefix="fivo_export_") as directory:
      unfinished = os.path.join(directory, "model")
      processes.run("export", [
          sys.executable, "-m", "fivo.logdir.export_model",
          "--logdir=" + logdir, "--out_dir=" + unfinished])
      means, spread = evaluate_subset(unfinished, data)
      files.write_json(os.path.join(unfinished, FIGURES), [
          ("table", row),
          ("subset", dict(zip(reproduce_cells.BOUNDS, zip(means, spread))))])
      shutil.copytree(unfinished, target)
    print("Wrote %s." % target)


def model_name(cell):
  """The directory's name of a cell's model."""
  return "%s_%s_%s_n%s_seed%s" % (
      cell.dataset, cell.model, cell.bound, cell.particles, cell.seed)


def evaluate_subset(logdir, dataset_path):
  """Evaluates a model on the shortest sequences of the test split.

  Args:
    logdir: The model's logdir.
    dataset_path: The pianoroll file, with or without a train mean.

  Returns:
    Two lists: the mean of the ELBO, IWAE and FIVO over repeats, in nats per
    timestep; their standard errors.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_subset_") as directory:
    path = os.path.join(directory, "subset.pkl")
    _write_subset(dataset_path, path, stored.load(logdir)[1])
    copy = os.path.join(directory, "model")  # Evaluation writes summaries.
    shutil.copytree(logdir, copy)
    outcome = processes.run("evaluation", [
        sys.executable, os.path.join(processes.ROOT, "run_fivo.py"),
        "--mode=eval", "--split=test", "--logdir=" + copy,
        "--dataset_path=" + path, "--batch_size=%d" % _NUM_SEQUENCES,
        "--num_samples=%d" % _PARTICLES, "--eval_repeats=%d" % _NUM_REPEATS])
  return reproduce_cells.read_figures(
      lambda pattern: outcome.require(pattern)[0][1])


def _write_subset(source, target, mean):
  """Writes a pianoroll file of the shortest test sequences."""
  contents = pianorolls.load(source)
  contents = {"test": sorted(contents["test"], key=len)[:_NUM_SEQUENCES],
              pianorolls.MEAN_KEY: mean}
  pianorolls.save(target, contents)
