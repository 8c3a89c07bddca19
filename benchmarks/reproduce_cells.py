"""The cells of a table of results: what is trained, and what came of it.

A cell is a model, trained with one bound, number of particles, seed and
learning rate. Where several learning rates are tried, the one with the best
bound on the valid split is chosen, and only that one sees the test split.
"""

import collections
import glob
import os
import re
import sys

from benchmarks import processes
from benchmarks import reproduce_tasks
from fivo.logdir import best_checkpoint
from fivo.logdir import validation_record

BOUNDS = ("elbo", "iwae", "fivo")
EVAL_PARTICLES = 128

_TRAIN, _EVAL = "train", "eval"
_STEP = r"^Step (\d+), \w+ bound per timestep: (\S+)"
_VALID = r"^Step (\d+), valid \w+ bound per timestep: (\S+)"
_NUMBER = r"(-?[\d.]+|-?inf)"
_TEST = "^test elbo ll/t: %s, iwae ll/t: %s fivo ll/t: %s" % ((_NUMBER,) * 3)
_ERRORS = ("^test standard errors over \\d+ repeats, ll/t: elbo %s, iwae %s, "
           "fivo %s" % ((_NUMBER,) * 3))
_BATCH_OF_EVAL = 16

# The flags of training by dataset, beside `_COMMON`: what was best on its valid
# split.
_COMMON = collections.OrderedDict([
    ("dataset_type", "pianoroll"),
    ("latent_size", "64"),
    ("max_train_length", "128"),
    ("xla", "true"),
    ("bucket_by_length", "true"),
    ("learning_rate_schedule", "cosine"),
    ("average_variables", "0.995"),
    ("kl_warmup_steps", "4000"),
    ("export_best", "true"),
    ("eval_every", "1000"),
    ("early_stop_patience", "4"),
])
RECIPES = collections.OrderedDict([
    ("jsb", {"input_dropout": "0.2", "schedule_steps": "8000"}),
    ("nottingham", {"kl_warmup_steps": "2000", "schedule_steps": "12000",
                    "eval_every": "2000"}),
    ("musedata", {"schedule_steps": "12000", "eval_every": "2000"}),
    ("piano-midi.de", {"input_dropout": "0.2", "schedule_steps": "10000"}),
    ("chorales", {"input_dropout": "0.2", "schedule_steps": "8000"}),
])
LEARNING_RATE = "0.003"


class Cell(collections.namedtuple("Cell", (
    "dataset", "model", "bound", "particles", "seed", "learning_rate"))):
  """One training run; all fields are strings, as on the command line."""

  __slots__ = ()

  @property
  def name(self):
    """A name for messages and files."""
    return "%s_%s_%s_n%s_seed%s_lr%s" % self

  @property
  def rivals(self):
    """What distinguishes it from cells that differ in the learning rate."""
    return self[:-1]


class Plan(collections.namedtuple("Plan", (
    "out_dir", "dataset_path", "flags", "eval_repeats"))):
  """What all cells of a call have in common.

  Attributes:
    out_dir: The directory of everything.
    dataset_path: The pianoroll file.
    flags: A dict of further flags of training, which win.
    eval_repeats: How often to evaluate the test split.
  """

  __slots__ = ()

  def directory(self, cell):
    """The directory of a cell: logs, logdir and results."""
    return os.path.join(self.out_dir, "cells", cell.name)

  def logdir(self, cell):
    """The logdir of a cell."""
    return os.path.join(self.directory(cell), "logdir")

  def train_task(self, cell):
    """The task of training a cell until it stops early or its schedule ends."""
    options = collections.OrderedDict([
        ("mode", "train"),
        ("logdir", self.logdir(cell)),
        ("dataset_path", self.dataset_path),
        ("model", cell.model),
        ("bound", cell.bound),
        ("num_samples", cell.particles),
        ("random_seed", cell.seed),
        ("learning_rate", cell.learning_rate),
    ])
    options.update(_COMMON)
    options.update(sorted(RECIPES[cell.dataset].items()))
    options.update(self.flags)
    options.setdefault("max_steps", options["schedule_steps"])
    return self._task(cell, _TRAIN, options)

  def eval_task(self, cell, rivals):
    """The task of evaluating the best checkpoint of a cell.

    Args:
      cell: A `Cell`.
      rivals: The cells that must have been trained before.
    """
    options = collections.OrderedDict([
        ("mode", "eval"),
        ("split", "test"),
        ("logdir", best_checkpoint.path_in(self.logdir(cell))),
        ("dataset_path", self.dataset_path),
        ("num_samples", str(EVAL_PARTICLES)),
        ("batch_size", str(_BATCH_OF_EVAL)),
        ("eval_repeats", str(self.eval_repeats)),
    ])
    return self._task(
        cell, _EVAL, options,
        needs=tuple(self.train_task(rival) for rival in rivals),
        is_wanted=lambda: cell == self.chosen(rivals))

  def chosen(self, rivals):
    """The cell with the best bound on the valid split so far."""
    return max(rivals, key=self._valid_bound)

  def _valid_bound(self, cell):
    record = validation_record.load(self.logdir(cell))
    if record is None or record.best_bound is None:
      return -float("inf")
    return record.best_bound

  def _task(self, cell, kind, options, needs=(),
            is_wanted=reproduce_tasks.always):
    command = [sys.executable, os.path.join(processes.ROOT, "run_fivo.py")] + [
        "--%s=%s" % item for item in options.items()]
    return reproduce_tasks.Task(
        "%s of %s" % (kind, cell.name), self.directory(cell), kind, command,
        needs, is_wanted)

  def result(self, cell):
    """What came of a cell.

    Args:
      cell: A `Cell`.

    Returns:
      An ordered dict; None unless it has been trained and evaluated.
    """
    train, test = self.train_task(cell), self.eval_task(cell, [])
    if not (train.is_done() and test.is_done()):
      return None
    record = validation_record.load(self.logdir(cell))
    figures = collections.OrderedDict(zip(cell._fields, cell))
    figures["steps"] = record.last_step
    figures["best_step"] = record.best_step
    figures["valid"] = record.best_bound
    means, spread = read_figures(test.last_line)
    for bound, mean, error in zip(BOUNDS, means, spread):
      figures["test_" + bound] = mean
      figures["standard_error_" + bound] = error
    figures["train_minutes"] = round(train.state()["seconds"] / 60., 2)
    figures["train_cpu_minutes"] = round(train.state()["cpu_seconds"] / 60., 2)
    figures["test_minutes"] = round(test.state()["seconds"] / 60., 2)
    figures["machine"] = train.state()["machine"]
    figures["command"] = self.portable(train.command)
    figures["eval_command"] = self.portable(test.command)
    return figures

  def portable(self, command):
    """A command line without the directories of this machine."""
    text = " ".join(command)
    for directory, name in (
        (self.out_dir, "$OUT_DIR"),
        (os.path.dirname(self.dataset_path), "$PIANOROLL_DIR"),
        (sys.executable, "python"), (processes.ROOT + os.sep, "")):
      text = text.replace(directory, name)
    return text


def curves(out_dir):
  """The valid bounds of all cells below a directory over their steps.

  Args:
    out_dir: A directory.

  Returns:
    A list of pairs of a cell's name and a list of pairs of a step and a bound.
  """
  found = []
  for path in sorted(glob.glob(
      os.path.join(glob.escape(out_dir), "cells", "*", _TRAIN + ".log"))):
    with open(path, errors="replace") as stream:
      matches = filter(None, map(re.compile(_VALID).match, stream))
      # Steps that were taken twice count once.
      points = {int(match.group(1)): float(match.group(2))
                for match in matches}
    found.append((os.path.basename(os.path.dirname(path)),
                  sorted(points.items())))
  return found


def describe(task):
  """How far a training run or an evaluation has come."""
  if task.kind == _EVAL:
    found = task.last_line(r"^Evaluating.*")
    return found.group() if found else "starting"
  step, valid = task.last_line(_STEP), task.last_line(_VALID)
  if step is None:
    return "starting"
  text = "step %s" % step.group(1)
  if valid is not None:
    text += ", valid %s at step %s" % (valid.group(2), valid.group(1))
  return text


def read_figures(find):
  """Reads the bounds that an evaluation printed.

  Args:
    find: A function of a regular expression that gives the match object of the
      line with it, or None.

  Returns:
    Two lists in the order of `BOUNDS`: means, in nats per timestep; standard
    errors, of None where it was evaluated once.
  """
  means, spread = find(_TEST), find(_ERRORS)
  return ([float(x) for x in means.groups()],
          [float(x) for x in spread.groups()] if spread else [None] * 3)


def headline(figures):
  """The figure of a cell and its standard error.

  The FIVO bound of a model trained with it; the best of the three bounds of
  others, as in the paper (section 5).

  Args:
    figures: What `Plan.result` gives.

  Returns:
    A float, in nats per timestep; a float or None.
  """
  bounds = BOUNDS if figures["bound"] in ("elbo", "iwae") else ("fivo",)
  best = max(bounds, key=lambda bound: figures["test_" + bound])
  return figures["test_" + best], figures["standard_error_" + best]
