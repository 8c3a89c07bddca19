"""The tables and curves of results, in files below `--out_dir`."""

import collections
import csv
import itertools
import os
import re

import numpy as np
from scipy import stats

from benchmarks import comparison
from fivo.config import catalogue
from fivo.rendering import figures
from fivo.system import files

# The first columns of cells.csv; the others are the results of a cell.
CELL = ("dataset", "model", "bound", "particles", "seed", "learning_rate",
        "flags")
# The bounds and particles with which the test split is evaluated.
BOUNDS = ("elbo", "iwae", "fivo")
EVAL_PARTICLES = 128

_HEAD = ["data", "model", "N", "bound", "seed", "learning rate", "best step",
         "steps", "minutes", "CPU", "valid", "test ELBO", "test IWAE",
         "test FIVO"]
_SUMMARY_HEAD = ["data", "model", "N", "ELBO model", "IWAE model", "FIVO model",
                 "order"]
_TEXT = """\
Nats per timestep, the test split evaluated with %d particles.

Means over seeds; ± is the standard error over seeds or, with one seed, of the \
evaluation. ELBO and IWAE models by the best of the three bounds, FIVO models \
by the FIVO bound. p: of a one-sided paired t-test over seeds.

%s
Single runs; ± is the standard error of the evaluation, over its repeats. \
`minutes` is the time of training by the clock, `CPU` that of the processor; \
`valid` the bound that was trained on, with as many particles.

%s
Machine: %s. Commands:

```
%s
```
"""
_NUMBER = r"(-?[\d.]+|-?inf)"
_TEST = "^test elbo ll/t: %s, iwae ll/t: %s fivo ll/t: %s" % ((_NUMBER,) * 3)
_ERRORS = ("^test standard errors over \\d+ repeats, ll/t: elbo %s, iwae %s, "
           "fivo %s" % ((_NUMBER,) * 3))
_VALID = r"^Step (\d+), valid \S+ bound per timestep: (\S+)"


def name(cell):
  """The name of a cell, a dict of strings, in messages and files."""
  return "{dataset}_{model}_{bound}_n{particles}_seed{seed}".format(
      **cell) + "_lr" + "_".join([cell["learning_rate"]] + re.findall(
          r"[\w.=-]+", cell["flags"].replace("--", "")))


def read_bounds(test):
  """Columns of the bounds that an evaluating `tasks.Call` printed, in nats."""
  columns = collections.OrderedDict()
  means, spread = test.last_match(_TEST), test.last_match(_ERRORS)
  for bound, mean, error in zip(BOUNDS, means.groups(), spread.groups()):
    columns["test_" + bound] = mean
    columns["standard_error_" + bound] = error
  return columns


def read_curve(training):
  """The valid bounds, as "STEP:NATS ...", that a `tasks.Call` printed."""
  # Steps that a resumed run repeated count once.
  points = collections.OrderedDict(
      found.groups() for found in training.matches(_VALID))
  return " ".join("%s:%s" % point for point in points.items())


def load(out_dir):
  """The cells of the commands so far, a list of ordered dicts of strings."""
  path = os.path.join(out_dir, "cells.csv")
  if not os.path.exists(path):
    return []
  with open(path) as stream:
    return [collections.OrderedDict(
        [(key, row.get(key, "")) for key in CELL] + list(row.items()))
            for row in csv.DictReader(stream)]


def write(out_dir, results):
  """Writes new cells and those so far; returns the text of table.md."""
  # A choice of the learning rate replaces an earlier one.
  rows = collections.OrderedDict(
      (tuple(row[key] for key in CELL if key != "learning_rate"), row)
      for row in load(out_dir) + results)
  rows = sorted(rows.values(), key=_order)
  groups = itertools.groupby(sorted(rows, key=_group), _group)
  text = _TEXT % (
      EVAL_PARTICLES,
      comparison.markdown(
          _SUMMARY_HEAD, [_summary(key, list(group)) for key, group in groups]),
      comparison.markdown(_HEAD, [_single_run(row) for row in rows]),
      "; ".join(sorted(set(row["machine"] for row in rows))),
      "\n".join("%(command)s\n%(eval_command)s" % row for row in rows))
  with files.atomic_write(os.path.join(out_dir, "table.md"), "w") as stream:
    stream.write(text)
  with files.atomic_write(os.path.join(out_dir, "cells.csv"), "w") as stream:
    names = collections.OrderedDict.fromkeys(sum(map(list, rows), []))
    writer = csv.DictWriter(stream, list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
  return text


def _order(row):
  """Orders tables by model, flags, particles, seed and bound."""
  return (row["dataset"], row["model"] != "vrnn", row["model"], row["flags"],
          int(row["particles"]), int(row["seed"]),
          list(catalogue.BOUNDS).index(row["bound"]))


def _group(row):
  """The common part of the seeds and bounds in a row of the summary."""
  return (row["dataset"], " ".join(filter(None, (row["model"], row["flags"]))),
          row["particles"])


def _with_error(value, error):
  return "%.3f" % float(value) + (
      "" if error == "" else " ± %.3f" % float(error))


def _single_run(row):
  """A row of the table of single runs."""
  dataset, model, particles = _group(row)
  return [dataset, model, particles] + [
      row[key] for key in (
          "bound", "seed", "learning_rate", "best_step", "steps")
  ] + ["%.1f" % float(row["train_minutes"]),
       "%.1f" % float(row["train_cpu_minutes"]), "%.3f" % float(row["valid"])
      ] + [_with_error(row["test_" + bound], row["standard_error_" + bound])
           for bound in BOUNDS]


def _summary(key, rows):
  """A row of the table of means over seeds, as a paper would show it."""
  cells, by_seed = [], {}
  for bound in BOUNDS:
    pairs = {row["seed"]: _headline(row) for row in rows
             if row["bound"] == bound}
    by_seed[bound] = {seed: value for seed, (value, _) in pairs.items()}
    values = list(by_seed[bound].values())
    if len(values) > 1:
      cells.append(_with_error(np.mean(values), stats.sem(values)))
    else:
      cells += [_with_error(*pair) for pair in pairs.values()] or [""]
  return list(key) + cells + [verdict(by_seed)]


def _headline(row):
  """The figure of a cell, and its standard error or "".

  A model trained with a bound that resamples has the FIVO bound, others have
  the best of the three bounds, as in the paper (section 5).
  """
  resamples = catalogue.BOUNDS[row["bound"]].resamples
  return max((float(row["test_" + bound]), row["standard_error_" + bound])
             for bound in (("fivo",) if resamples else BOUNDS))


def verdict(by_seed):
  """Tests the claimed order of bounds, given by a dict of figures by seed."""
  texts = []
  for lower, higher in zip(BOUNDS, BOUNDS[1:]):
    low, high = by_seed[lower], by_seed[higher]
    seeds = sorted(set(low) & set(high))
    if len(seeds) > 1:
      t, p = stats.ttest_rel([high[seed] for seed in seeds],
                             [low[seed] for seed in seeds])
      texts.append("%s > %s: p = %.3f" % (
          higher.upper(), lower.upper(), p / 2. if t > 0. else 1. - p / 2.))
  return ", ".join(reversed(texts))


def draw_curves(out_dir):
  """Draws the bounds of the valid split over steps, of all cells.

  A line's colour is its bound, its style the rest of the cell; the seeds of
  each have one label.
  """
  figure, ((axis,),) = figures.create((9., 5.))
  styles = itertools.cycle(["-", "--", ":", "-."])
  style_of = collections.defaultdict(lambda: next(styles))
  labels = set()
  for row in load(out_dir):
    if row.get("curve"):
      style = style_of[_group(row)]
      label = " ".join((row["bound"],) + _group(row)[1:])
      axis.plot(*zip(*(map(float, point.split(":"))
                       for point in row["curve"].split())),
                marker=".", label="_" if label in labels else label,
                color="C%d" % list(catalogue.BOUNDS).index(row["bound"]),
                linestyle=style)
      labels.add(label)
  axis.set_xlabel("step")
  axis.set_ylabel("valid bound, nats per timestep")
  axis.grid(True, alpha=0.3)
  figures.label_ends(axis)
  figures.save(os.path.join(out_dir, "curves.png"), figure)
