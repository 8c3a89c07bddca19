"""The tables and curves of results, in files below `--out_dir`."""

import collections
import csv
import glob
import itertools
import os
import re

import numpy as np

from benchmarks import comparison
from fivo.config import catalogue
from fivo.rendering import figures
from fivo.system import files

FIGURES = "cells.csv"
CELL = ("dataset", "model", "bound", "particles", "seed", "learning_rate",
        "flags")
# What the test split is evaluated with.
BOUNDS = ("elbo", "iwae", "fivo")
EVAL_PARTICLES = 128

_HEAD = ["data", "model", "N", "bound", "seed", "learning rate", "best step",
         "steps", "minutes", "CPU", "valid", "test ELBO", "test IWAE",
         "test FIVO"]
_SUMMARY_HEAD = ["data", "model", "N", "ELBO model", "IWAE model", "FIVO model",
                 "FIVO > IWAE > ELBO"]
_NUMBER = r"(-?[\d.]+|-?inf)"
_TEST = "^test elbo ll/t: %s, iwae ll/t: %s fivo ll/t: %s" % ((_NUMBER,) * 3)
_ERRORS = ("^test standard errors over \\d+ repeats, ll/t: elbo %s, iwae %s, "
           "fivo %s" % ((_NUMBER,) * 3))
_VALID = re.compile(r"^Step (\d+), valid \w+ bound per timestep: (\S+)")
# Two standard errors: what differs by less may be noise.
_NUM_ERRORS = 2.


def name(cell):
  """The name of a cell, a dict of strings, in messages and files."""
  return "{dataset}_{model}_{bound}_n{particles}_seed{seed}".format(
      **cell) + "_lr" + "_".join([cell["learning_rate"]] + re.findall(
          r"[\w.=-]+", cell["flags"].replace("--", "")))


def read_bounds(last_line):
  """Reads the bounds that an evaluation printed.

  Args:
    last_line: A function of a regular expression that gives the match object of
      the last line with it, or None.

  Returns:
    Two lists in the order of `BOUNDS`: means, in nats per timestep; standard
    errors, "" where it was evaluated once.
  """
  means, spread = last_line(_TEST), last_line(_ERRORS)
  return ([float(x) for x in means.groups()],
          [float(x) for x in spread.groups()] if spread else [""] * 3)


def write(out_dir, results):
  """Writes cells and their summary, with those of earlier commands.

  Args:
    out_dir: A directory.
    results: A list of ordered dicts of strings, whose first keys are `CELL`.

  Returns:
    The text of the Markdown file.
  """
  rows = collections.OrderedDict(
      (_rivals(row), row) for row in _load(out_dir) + results)
  rows = sorted(rows.values(), key=_order)
  commands = "".join("%s\n%s\n" % (row["command"], row["eval_command"])
                     for row in rows)
  text = "\n".join([
      "Nats per timestep, the test split evaluated with %d particles.\n" %
      EVAL_PARTICLES, _summary(rows), _cells(rows),
      "Machine: %s. Commands:\n\n```\n%s```\n" % (
          "; ".join(sorted(set(row["machine"] for row in rows))), commands)])
  with files.atomic_write(os.path.join(out_dir, "table.md"), "w") as stream:
    stream.write(text)
  with files.atomic_write(os.path.join(out_dir, FIGURES), "w") as stream:
    writer = csv.DictWriter(
        stream, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
  return text


def _load(out_dir):
  """The cells of the commands so far, as `write` takes them."""
  path = os.path.join(out_dir, FIGURES)
  if not os.path.exists(path):
    return []
  with open(path) as stream:
    return [collections.OrderedDict(
        [(key, row.get(key, "")) for key in CELL] + list(row.items()))
            for row in csv.DictReader(stream)]


def _rivals(row):
  """What a row has in common with those among which it was chosen."""
  return tuple(row[key] for key in CELL if key != "learning_rate")


def _order(row):
  """Orders tables by model, flags, particles, seed and bound."""
  return (row["dataset"], row["model"] != "vrnn", row["model"], row["flags"],
          int(row["particles"]), int(row["seed"]),
          list(catalogue.BOUNDS).index(row["bound"]))


def _model(row):
  return " ".join(filter(None, (row["model"], row["flags"])))


def _with_error(value, error):
  return "%.3f" % float(value) + (
      "" if error == "" else " ± %.3f" % float(error))


def _cells(rows):
  """The table of single cells."""
  lines = []
  for row in rows:
    lines.append([
        row["dataset"], _model(row), row["particles"], row["bound"],
        row["seed"], row["learning_rate"], row["best_step"], row["steps"],
        "%.1f" % float(row["train_minutes"]),
        "%.1f" % float(row["train_cpu_minutes"]),
        "%.3f" % float(row["valid"])] + [
            _with_error(row["test_" + bound], row["standard_error_" + bound])
            for bound in BOUNDS])
  return ("Single runs; ± is the standard error of the evaluation, over its "
          "repeats. `minutes` is the time of training by the clock, `CPU` that "
          "of the processor; `valid` the bound that was trained on, with as "
          "many particles.\n\n" + comparison.markdown(_HEAD, lines))


def _summary(rows):
  """The table of means over seeds, as a paper would show it."""
  lines = []
  for key, group in itertools.groupby(
      sorted(rows, key=_group), key=_group):
    by_bound = collections.defaultdict(list)
    for row in group:
      by_bound[row["bound"]].append(_headline(row))
    means = {bound: _mean_and_error(pairs) for bound, pairs in by_bound.items()}
    lines.append(list(key) + [
        _with_error(*means[bound]) if bound in means else ""
        for bound in BOUNDS] + [verdict(means)])
  return ("Means over seeds; ± is the standard error over seeds or, with one "
          "seed, of the evaluation. ELBO and IWAE models by the best of the "
          "three bounds, FIVO models by the FIVO bound.\n\n" +
          comparison.markdown(_SUMMARY_HEAD, lines))


def _group(row):
  return row["dataset"], _model(row), row["particles"]


def _headline(row):
  """The figure of a cell, and its standard error or "".

  That of a model trained with a bound that resamples is the FIVO bound, that of
  others the best of the three bounds, as in the paper (section 5).
  """
  resamples = catalogue.BOUNDS[row["bound"]].resamples
  return max((float(row["test_" + bound]), row["standard_error_" + bound])
             for bound in (("fivo",) if resamples else BOUNDS))


def _mean_and_error(pairs):
  """Of pairs of a figure and its standard error, one for each seed."""
  means = [mean for mean, _ in pairs]
  if len(means) == 1:
    return pairs[0]
  return np.mean(means), np.std(means, ddof=1) / np.sqrt(len(means))


def verdict(means):
  """Says whether the bounds' order is as claimed, by more than the noise."""
  if not set(BOUNDS) <= set(means):
    return ""
  for lower, higher in (("elbo", "iwae"), ("iwae", "fivo")):
    (low, low_error), (high, high_error) = means[lower], means[higher]
    noise = np.hypot(float(low_error or 0.), float(high_error or 0.))
    if high - low <= _NUM_ERRORS * noise:
      return "no: %s is not above %s" % (higher.upper(), lower.upper())
  return "yes"


def draw_curves(out_dir):
  """Draws the bounds of the valid split over steps, of all cells' logs.

  A line's colour is its bound, its style the model; it is labelled at its end.

  Args:
    out_dir: A directory.
  """
  figure, ((axis,),) = figures.create((9., 5.))
  for path in sorted(glob.glob(os.path.join(
      glob.escape(out_dir), "cells", "*", "train.log"))):
    with open(path, errors="replace") as stream:
      points = [list(map(float, found.groups()))
                for found in map(_VALID.match, stream) if found]
    if points:
      label = os.path.basename(os.path.dirname(path)).partition("_")[2]
      model, bound = label.split("_")[:2]
      axis.plot(*zip(*points), marker=".", label=label,
                color="C%d" % list(catalogue.BOUNDS).index(bound),
                linestyle="-" if model == "vrnn" else "--")
  axis.set_xlabel("step")
  axis.set_ylabel("valid bound, nats per timestep")
  axis.grid(True, alpha=0.3)
  figures.label_ends(axis)
  figures.save(os.path.join(out_dir, "curves.png"), figure)
