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
from benchmarks import reproduce_tables
from fivo.formats import pianorolls
from fivo.system import files

FIGURES = "figures.json"
_NUM_SEQUENCES = 8


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  flags.DEFINE_string("out_dir", None, "The --out_dir of reproduce.py.")
  flags.DEFINE_string("data_dir", None, "The directory of pianoroll files.")
  flags.DEFINE_string("models_dir", None, "The directory of the models.")
  flags.DEFINE_list("seeds", ["1"], "Of which seeds.")
  flags.mark_flags_as_required(["out_dir", "data_dir", "models_dir"])


def main(argv):
  """Exports the models that are not there yet."""
  del argv
  options = flags.FLAGS
  with open(os.path.join(options.out_dir, reproduce_tables.FIGURES)) as stream:
    rows = [row for row in csv.DictReader(stream)
            if row["seed"] in options.seeds]
  for row in rows:
    name = reproduce_tables.name(row)
    target = os.path.join(options.models_dir, name.replace(
        "_lr" + row["learning_rate"], ""))
    if os.path.exists(target):
      continue
    with tempfile.TemporaryDirectory(prefix="fivo_export_") as directory:
      unfinished = os.path.join(directory, "model")
      processes.run("export", [
          sys.executable, "-m", "fivo.logdir.export_model",
          "--logdir=" + os.path.join(
              options.out_dir, "cells", name, "logdir", "best"),
          "--out_dir=" + unfinished])
      subset = evaluate_subset(unfinished, os.path.join(
          options.data_dir, row["dataset"] + ".pkl"))
      files.write_json(os.path.join(unfinished, FIGURES),
                       [("table", row), ("subset", subset)])
      shutil.copytree(unfinished, target)
    print("Wrote %s." % target)


def evaluate_subset(logdir, dataset_path):
  """Evaluates a model on the shortest sequences of the test split.

  Args:
    logdir: The model's logdir.
    dataset_path: The pianoroll file.

  Returns:
    A dict: by bound its mean over repeats, in nats per timestep, and the
    standard error of that.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_subset_") as directory:
    path = os.path.join(directory, "subset.pkl")
    contents = pianorolls.load(dataset_path)
    contents["test"] = sorted(contents["test"], key=len)[:_NUM_SEQUENCES]
    pianorolls.save_with_mean(path, contents)
    copy = os.path.join(directory, "model")  # Evaluation writes summaries.
    shutil.copytree(logdir, copy)
    outcome = processes.run("evaluation", processes.PROGRAM + [
        "--mode=eval", "--split=test", "--logdir=" + copy,
        "--dataset_path=" + path, "--batch_size=%d" % _NUM_SEQUENCES,
        "--num_samples=16", "--eval_repeats=10"])
  means, spread = reproduce_tables.read_bounds(
      lambda pattern: outcome.require(pattern)[-1][1])
  return dict(zip(reproduce_tables.BOUNDS, zip(means, spread)))
