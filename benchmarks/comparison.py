"""Contestants measured in turn, and the statistics of what came out.

A machine's speed drifts by more than many a difference of interest. Hence
contestants take turns (A B C A B C ...), and two of them are compared round by
round: the ratio of a pair sees the same machine twice. Reported are medians
over the rounds, with the smallest and the largest.
"""

import collections

from absl import logging
import numpy as np

# Something to measure: a function without arguments that measures it once and
# returns a dict of figures.
Contestant = collections.namedtuple("Contestant", ("name", "measure"))

# A column: the key of its figures, its heading, and their format.
Metric = collections.namedtuple("Metric", ("key", "heading", "form"))

STEPS = Metric("steps_per_sec", "steps/s", "%.2f")
SEQUENCES = Metric("sequences_per_sec", "sequences/s", "%.1f")
STARTUP = Metric("startup_secs", "seconds to step 1", "%.1f")
MEMORY = Metric("peak_mb", "peak MB", "%.0f")

# A table of results. `metrics` are its columns; the first one is compared with
# that of the contestants named in `baselines`. `figures` is an ordered dict: by
# the contestant's name a list of dicts, one for each round.
Comparison = collections.namedtuple(
    "Comparison", ("title", "metrics", "baselines", "figures"))


def take_turns(title, contestants, num_rounds, metrics, baselines=()):
  """Measures `Contestant`s in turn and gives a `Comparison`."""
  figures = collections.OrderedDict(
      (contestant.name, []) for contestant in contestants)
  for i in range(num_rounds):
    for contestant in contestants:
      values = contestant.measure()
      figures[contestant.name].append(values)
      logging.info(
          "%s, round %d of %d, %s: %s", title, i + 1, num_rounds,
          contestant.name, ", ".join(
              "%s %s" % (metric.form % values[metric.key], metric.heading)
              for metric in metrics if metric.key in values))
  return Comparison(title, metrics, baselines, figures)


def to_markdown(comparison):
  """The table of a `Comparison`."""
  baselines = [name for name in comparison.baselines
               if len(comparison.figures) > 1]
  header = [""] + [metric.heading for metric in comparison.metrics] + [
      "x %s" % name for name in baselines]
  first = comparison.metrics[0].key
  rows = []
  for name, rounds in comparison.figures.items():
    row = [name] + [
        _cell(metric.form, _values(rounds, metric.key))
        if metric.key in rounds[0] else "" for metric in comparison.metrics]
    for base in baselines:
      row.append(_cell("%.2f", [x / y for x, y in zip(
          _values(rounds, first), _values(comparison.figures[base], first))]))
    rows.append(row)
  return "### %s\n\n%s" % (comparison.title, markdown(header, rows))


def markdown(header, rows):
  """A table of strings, in lines."""
  lines = [header, ["---"] * len(header)] + rows
  return "".join("| %s |\n" % " | ".join(cell.replace("|", "\\|")
                                         for cell in line) for line in lines)


def _values(rounds, key):
  return [figures[key] for figures in rounds]


def _cell(form, values):
  """The median, with the smallest and the largest where they differ."""
  if min(values) == max(values):
    return form % values[0]
  return "%s (%s to %s)" % tuple(
      form % value for value in (np.median(values), min(values), max(values)))
