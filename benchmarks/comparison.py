"""Contestants measured in turn, and the statistics of what came out.

A machine's speed drifts by more than many a difference of interest. Hence
contestants take turns (A B C A B C ...), and two of them are compared round by
round: the ratio of a pair sees the same machine twice. Reported are medians
over the rounds, with the smallest and the largest.
"""

import collections

from absl import logging
import numpy as np

# Something to measure. `measure` is a function without arguments that measures
# it once and returns a dict of figures.
Contestant = collections.namedtuple("Contestant", ("name", "measure"))

# A column: the key of its figures, its heading, and their format.
Metric = collections.namedtuple("Metric", ("key", "heading", "form"))

STEPS = Metric("steps_per_sec", "steps/s", "%.2f")
SEQUENCES = Metric("sequences_per_sec", "sequences/s", "%.1f")
STARTUP = Metric("startup_secs", "seconds to step 1", "%.1f")
MEMORY = Metric("peak_mb", "peak MB", "%.0f")

# One table of results. `metrics` are its columns; the first one is compared
# with that of the contestants named in `baselines`. `figures` is an ordered
# dict: a list of dicts, one for each round, by the contestant's name.
Comparison = collections.namedtuple(
    "Comparison", ("title", "metrics", "baselines", "figures"))

Summary = collections.namedtuple("Summary", ("median", "lowest", "highest"))


def take_turns(title, contestants, num_rounds, metrics, baselines=()):
  """Measures contestants in turn.

  Args:
    title: What is measured.
    contestants: A list of `Contestant`s.
    num_rounds: How often each is measured.
    metrics: A list of `Metric`s; the first one is what is compared.
    baselines: The names of those to compare all others with.

  Returns:
    A `Comparison`.
  """
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


def summarize(values):
  """The `Summary` of a list of numbers."""
  return Summary(float(np.median(values)), min(values), max(values))


def ratios(values, base_values):
  """The ratios of figures that were measured in the same rounds.

  Args:
    values: A list of numbers, one for each round.
    base_values: Those of another contestant.

  Returns:
    The `Summary` of the ratios of the pairs, not the ratio of the summaries.
  """
  if len(values) != len(base_values):
    raise ValueError("%d and %d rounds" % (len(values), len(base_values)))
  return summarize([x / y for x, y in zip(values, base_values)])


def to_markdown(comparison):
  """The table of a `Comparison`."""
  first = comparison.metrics[0]
  baselines = [name for name in comparison.baselines
               if len(comparison.figures) > 1]
  header = [""] + [metric.heading for metric in comparison.metrics] + [
      "x %s" % name for name in baselines]
  rows = []
  for name, rounds in comparison.figures.items():
    row = [name]
    for metric in comparison.metrics:
      row.append(_cell(metric.form, summarize(_values(rounds, metric.key)))
                 if metric.key in rounds[0] else "")
    for base in baselines:
      base_values = _values(comparison.figures[base], first.key)
      row.append(_cell("%.2f", ratios(_values(rounds, first.key), base_values)))
    rows.append(row)
  return "### %s\n\n%s" % (comparison.title, markdown_table(header, rows))


def markdown_table(header, rows):
  """Writes a table.

  Args:
    header: A list of strings.
    rows: A list of such lists.

  Returns:
    A string of lines, each with its end.
  """
  lines = [header, ["---"] * len(header)] + rows
  return "".join("| %s |\n" % " | ".join(cell.replace("|", "\\|")
                                         for cell in line) for line in lines)


def _values(rounds, key):
  return [figures[key] for figures in rounds]


def _cell(form, summary):
  """A median, and the spread where there is one."""
  if summary.lowest == summary.highest:
    return form % summary.median
  return "%s (%s to %s)" % tuple(form % value for value in summary)
