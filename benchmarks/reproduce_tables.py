"""The tables and curves of results, in files and on stdout."""

import collections
import csv
import io
import itertools
import os

import numpy as np

from benchmarks import reproduce_cells
from fivo.system import files

TABLE, FIGURES, CURVES = "table.md", "cells.csv", "curves.png"
_HEAD = ("data", "model", "N", "bound", "seed", "learning rate", "best step",
         "steps", "minutes", "CPU", "valid", "test ELBO", "test IWAE",
         "test FIVO")
_SUMMARY_HEAD = ("data", "model", "N", "ELBO model", "IWAE model", "FIVO model",
                 "FIVO > IWAE > ELBO")
_TEXTS = ("machine", "command", "eval_command")
# Two standard errors: what differs by less may be noise.
_NUM_ERRORS = 2.


def write(out_dir, results):
  """Writes all cells and their summary, with those of earlier calls.

  Args:
    out_dir: A directory.
    results: A list of what `reproduce_cells.Plan.result` gives.

  Returns:
    The text of the Markdown file.
  """
  mine = set(map(_rivals, results))
  results = sorted(
      [row for row in load(out_dir) if _rivals(row) not in mine] + results,
      key=_order)
  text = "\n".join([
      "Nats per timestep, the test split evaluated with %d particles.\n" %
      reproduce_cells.EVAL_PARTICLES, _summary(results), _cells(results),
      _commands(results)])
  with files.atomic_write(os.path.join(out_dir, TABLE), "w") as stream:
    stream.write(text)
  with files.atomic_write(os.path.join(out_dir, FIGURES), "w") as stream:
    stream.write(_csv(results))
  return text


def load(out_dir):
  """The cells of the calls so far.

  Args:
    out_dir: A directory.

  Returns:
    A list of dicts, as `write` takes them.
  """
  path = os.path.join(out_dir, FIGURES)
  if not os.path.exists(path):
    return []
  with open(path) as stream:
    return [collections.OrderedDict(
        (name, _parse(name, text)) for name, text in row.items())
            for row in csv.DictReader(stream)]


def _parse(name, text):
  """The value of a field of the CSV file."""
  if name in reproduce_cells.Cell._fields or name in _TEXTS:
    return text
  if name in ("steps", "best_step"):
    return int(text)
  return float(text) if text else None


def _rivals(row):
  """What a row has in common with those among which it was chosen."""
  return reproduce_cells.Cell(
      *[row[name] for name in reproduce_cells.Cell._fields]).rivals


def _order(row):
  """So that tables come by model, particles, seed and bound."""
  return (row["dataset"], row["model"] != "vrnn", row["model"],
          int(row["particles"]), int(row["seed"]),
          reproduce_cells.BOUNDS.index(row["bound"]) if row["bound"] in
          reproduce_cells.BOUNDS else len(reproduce_cells.BOUNDS))


def _csv(results):
  stream = io.StringIO()
  writer = csv.DictWriter(
      stream, list(results[0]) if results else [], lineterminator="\n")
  writer.writeheader()
  writer.writerows(results)
  return stream.getvalue()


def markdown(head, rows):
  """A table of strings."""
  lines = [head, ["---"] * len(head)] + rows
  return "".join("| %s |\n" % " | ".join(line) for line in lines)


def _with_error(value, error):
  return "%.3f" % value + ("" if error is None else " ± %.3f" % error)


def _cells(results):
  """The table of single cells."""
  rows = []
  for cell in results:
    rows.append([
        cell["dataset"], cell["model"], cell["particles"], cell["bound"],
        cell["seed"], cell["learning_rate"], str(cell["best_step"]),
        str(cell["steps"]), "%.1f" % cell["train_minutes"],
        "%.1f" % cell["train_cpu_minutes"], "%.3f" % cell["valid"]] + [
            _with_error(cell["test_" + bound], cell["standard_error_" + bound])
            for bound in reproduce_cells.BOUNDS])
  return ("Single runs; ± is the standard error of the evaluation, over its "
          "repeats. `minutes` is the time of training by the clock, `CPU` that "
          "of the processor; `valid` the bound that was trained on, with as "
          "many particles.\n\n" + markdown(_HEAD, rows))


def _summary(results):
  """The table of means over seeds, as a paper would show it."""
  rows = []
  for key, group in itertools.groupby(
      sorted(results, key=_group), key=_group):
    by_bound = collections.defaultdict(list)
    for cell in group:
      by_bound[cell["bound"]].append(reproduce_cells.headline(cell))
    figures = {bound: _mean_and_error(values)
               for bound, values in by_bound.items()}
    rows.append(list(key) + [
        _with_error(*figures[bound]) if bound in figures else ""
        for bound in reproduce_cells.BOUNDS] + [verdict(figures)])
  return ("Means over seeds; ± is the standard error over seeds or, with one "
          "seed, of the evaluation. ELBO and IWAE models by the best of the "
          "three bounds, FIVO models by the FIVO bound.\n\n" +
          markdown(_SUMMARY_HEAD, rows))


def _group(cell):
  return cell["dataset"], cell["model"], cell["particles"]


def _mean_and_error(values):
  """Of pairs of a figure and its standard error, one for each seed."""
  means = [mean for mean, _ in values]
  if len(means) == 1:
    return values[0]
  return np.mean(means), np.std(means, ddof=1) / np.sqrt(len(means))


def verdict(figures):
  """Whether the bounds' order is as claimed, by more than the noise."""
  if set(figures) != set(reproduce_cells.BOUNDS):
    return ""
  for lower, higher in (("elbo", "iwae"), ("iwae", "fivo")):
    (low, low_error), (high, high_error) = figures[lower], figures[higher]
    noise = np.hypot(low_error or 0., high_error or 0.)
    if high - low <= _NUM_ERRORS * noise:
      return "no: %s is not above %s" % (higher.upper(), lower.upper())
  return "yes"


def _commands(results):
  """What each run was made with."""
  machines = sorted(set(cell["machine"] for cell in results))
  commands = "".join(
      "%s\n%s\n" % (cell["command"], cell["eval_command"]) for cell in results)
  return "Machine: %s. Commands:\n\n```\n%s```\n" % (
      "; ".join(machines), commands)


def draw_curves(out_dir, curves):
  """Draws the bound of the valid split over steps.

  Args:
    out_dir: A directory.
    curves: A list of pairs of a label and a list of pairs of a step and a
      bound.
  """
  # Here, because all but the plot does without matplotlib.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(7., 4.5))
  FigureCanvasAgg(figure)
  axis = figure.subplots()
  for label, points in curves:
    if points:
      axis.plot(*zip(*points), marker=".", label=label)
  axis.set_xlabel("step")
  axis.set_ylabel("valid bound, nats per timestep")
  axis.grid(True, alpha=0.3)
  axis.legend(fontsize="x-small")
  figure.tight_layout()
  with files.atomic_write(os.path.join(out_dir, CURVES)) as stream:
    figure.savefig(stream, format="png", dpi=100)
