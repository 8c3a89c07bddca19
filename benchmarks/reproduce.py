"""Reproduces the results: trains, chooses by the valid split, and tests.

`bin/reproduce.sh` calls it and finds the data. It runs `run_fivo.py`, some
processes at a time, below `--out_dir`, and writes tables there as cells become
ready. The same call goes on where one that was interrupted stopped.

  bin/reproduce.sh --dataset=jsb --seeds=1,2 --jobs=2
  bin/reproduce.sh --dataset=jsb --bounds=fivo --flags=--latent_size=32
  bin/reproduce.sh --dataset=ghmm

With `--dataset=ghmm` it is the study of the Gaussian hidden Markov model, whose
likelihood is known: the gap of every bound and proposal over the number of
particles and the length of the sequence.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import itertools
import os
import re
import shlex

from absl import flags

from benchmarks import plot
from benchmarks import reproduce_cells
from benchmarks import reproduce_ghmm
from benchmarks import reproduce_tables
from benchmarks import reproduce_tasks
from fivo.config import options as fivo_options
from fivo.system import errors

GHMM = "ghmm"
# What a cell sets itself.
_OWN_FLAGS = ("mode", "logdir", "dataset_path", "model", "bound", "num_samples",
              "random_seed", "learning_rate")


def define_flags():
  """Defines the flags; not at import, because others have the same names."""
  flags.DEFINE_enum(
      "dataset", "jsb", list(reproduce_cells.RECIPES) + [GHMM],
      "The data of the table; ghmm: the study of that model.")
  flags.DEFINE_list("bounds", list(reproduce_cells.BOUNDS),
                    "The bounds to train on.")
  flags.DEFINE_list("particles", ["4"], "The numbers of particles.")
  flags.DEFINE_list("models", ["vrnn"], "The models: vrnn, srnn.")
  flags.DEFINE_list("seeds", ["1"], "The seeds of the runs of each cell.")
  flags.DEFINE_list(
      "learning_rates", [reproduce_cells.LEARNING_RATE],
      "The learning rates to choose from by the valid bound.")
  flags.DEFINE_string(
      "flags", "", "Further flags of run_fivo.py for training, which win over "
      "the recipe's, e.g. '--latent_size=32 --max_steps=20000'.")
  flags.DEFINE_integer(
      "eval_repeats", 5, "How often to evaluate the test split.", 1)
  flags.DEFINE_integer("jobs", 2, "How many processes run at a time.", 1)
  flags.DEFINE_float("progress_secs", 60., "Seconds between lines that say how "
                     "far each process has come.", 0.)
  flags.DEFINE_string(
      "out_dir", None, "The directory of logdirs, logs and tables. None: "
      "reproduction/DATASET in the working directory.")
  flags.DEFINE_string(
      "data_dir", None, "The directory of the pianoroll files. None: that of "
      "the variable PIANOROLL_DIR, else ~/pianorolls.")
  flags.DEFINE_boolean(
      "dry_run", False, "Whether to print the commands and run none.")


def main(argv):
  """Does what the flags say."""
  del argv
  reproduce(flags.FLAGS)


def reproduce(options):
  """Does what an object with the flags as attributes says.

  Args:
    options: The object.

  Raises:
    UserError: If an option is wrong, or a command fails.
    SystemExit: After Ctrl-C or SIGTERM.
  """
  out_dir = os.path.abspath(
      options.out_dir or os.path.join("reproduction", options.dataset))
  if options.dataset == GHMM:
    study = reproduce_ghmm.Study(out_dir)
    tasks, on_done = study.tasks, study.write
    describe = study.describe
  else:
    table = Table(options, out_dir)
    tasks, on_done = table.tasks, table.write
    describe = reproduce_cells.describe
  if options.dry_run:
    for task in tasks:
      print(" ".join(map(shlex.quote, task.command)))
    return
  plot.check_available()
  os.makedirs(out_dir, exist_ok=True)
  reproduce_tasks.run(
      out_dir, tasks, options.jobs, options.progress_secs, describe, on_done)
  print(on_done())


class Table(object):
  """The cells of one call.

  Attributes:
    tasks: A list of `reproduce_tasks.Task`s.
  """

  def __init__(self, options, out_dir):
    """Plans the cells.

    Args:
      options: An object with the flags as attributes.
      out_dir: An absolute path.

    Raises:
      UserError: If an option is wrong.
    """
    self._groups = parse_cells(options)
    self._plan = reproduce_cells.Plan(
        out_dir, _dataset_path(options), parse_flags(options.flags),
        options.eval_repeats)
    self.tasks = []
    for rivals in self._groups:
      self.tasks += [self._plan.train_task(cell) for cell in rivals]
      self.tasks += [self._plan.eval_task(cell, rivals) for cell in rivals]

  def write(self, task=None):
    """Writes what is ready, the curves when no task is left; gives the table.

    Args:
      task: The `reproduce_tasks.Task` that has just ended; None after all.
    """
    results = [self._plan.result(self._plan.chosen(rivals))
               for rivals in self._groups]
    if task is None:
      reproduce_tables.draw_curves(
          self._plan.out_dir, reproduce_cells.curves(self._plan.out_dir))
    return reproduce_tables.write(
        self._plan.out_dir, [result for result in results if result])


def parse_cells(options):
  """The cells that the flags ask for.

  Args:
    options: An object with the flags as attributes.

  Returns:
    A list of lists of cells that differ in the learning rate alone.

  Raises:
    UserError: If a value is none that `run_fivo.py` takes.
  """
  checked = (("models", "model"), ("bounds", "bound"),
             ("particles", "num_samples"), ("seeds", "random_seed"),
             ("learning_rates", "learning_rate"))
  for flag, name in checked:
    _check_values(flag, getattr(options, flag), fivo_options.OPTIONS[name])
  return [
      [reproduce_cells.Cell(
          options.dataset, model, bound, particles, seed, rate)
       for rate in options.learning_rates]
      for model, particles, seed, bound in itertools.product(
          options.models, options.particles, options.seeds, options.bounds)]


def _check_values(flag, values, option):
  """Refuses values of a list that are none of an option of `run_fivo.py`."""
  for value in values or [""]:
    try:
      complaint = option.complaint(option.kind(value))
    except ValueError:
      complaint = "must be of kind %s" % option.kind.__name__
    if complaint:
      raise errors.UserError("--%s=%s: %s" % (flag, value, complaint))


def parse_flags(text):
  """Reads the flag `--flags`.

  Args:
    text: Flags of `run_fivo.py`, as a shell takes them.

  Returns:
    A dict of strings.

  Raises:
    UserError: If one has another form than --NAME=VALUE, or is a cell's.
  """
  try:
    words = shlex.split(text)
  except ValueError as error:
    raise errors.UserError("--flags=%s: %s" % (text, error)) from error
  found = {}
  for word in words:
    match = re.match(r"--?(\w+)=(.*)$", word)
    if not match or match.group(1) not in fivo_options.OPTIONS:
      raise errors.UserError(
          "--flags=%s: %s is no --NAME=VALUE of run_fivo.py" % (text, word))
    if match.group(1) in _OWN_FLAGS:
      raise errors.UserError(
          "--flags=%s: --%s is a cell's own; there is a flag for it" % (
              text, match.group(1)))
    found[match.group(1)] = match.group(2)
  return found


def _dataset_path(options):
  """The pianoroll file of a dataset."""
  directory = os.path.expanduser(
      options.data_dir or os.environ.get("PIANOROLL_DIR") or "~/pianorolls")
  path = os.path.join(os.path.abspath(directory), options.dataset + ".pkl")
  if not os.path.exists(path):
    raise errors.UserError(
        "--data_dir=%s: has no %s; bin/download_pianorolls.sh DIR downloads "
        "the pianoroll files" % (directory, os.path.basename(path)))
  return path
