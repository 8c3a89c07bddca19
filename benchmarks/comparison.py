"""Contestants measured in turn, and tables of what came out.

A machine's speed drifts by more than many a difference of interest. Hence
contestants take turns (A B C A B C ...), and two of them are compared round by
round: the ratio of a pair sees the same machine twice. Reported are medians
over the rounds, with the smallest and the largest.
"""

import collections

from absl import logging
import numpy as np

# A column: the key of its figures, its heading, and their format.
Metric = collections.namedtuple("Metric", "key heading form")

STEPS = Metric("steps_per_sec", "steps/s", "%.2f")
MILLISECONDS = Metric("ms_per_step", "ms per step", "%.1f")
SEQUENCES = Metric("sequences_per_sec", "sequences/s", "%.1f")
STARTUP = Metric("startup_secs", "seconds to step 1", "%.1f")
FIRST_PASS = Metric("first_pass_secs", "first pass, s", "%.2f")
MEMORY = Metric("peak_mb", "peak MB", "%.0f")


def take_turns(title, contestants, num_rounds):
  """Measures contestants in turn.

  Args:
    title: What is measured.
    contestants: Pairs of a name and a function without arguments, which
      measures once and returns a dict of figures.
    num_rounds: How often each is measured.

  Returns:
    An ordered dict: by name a list of dicts, one for each round.
  """
  figures = collections.OrderedDict((name, []) for name, _ in contestants)
  for i in range(num_rounds):
    for name, measure in contestants:
      figures[name].append(measure())
      logging.info("%s, round %d of %d, %s: %s", title, i + 1, num_rounds, name,
                   ", ".join("%s %.4g" % item
                             for item in figures[name][-1].items()))
  return figures


def to_markdown(header, figures, metrics, baselines=()):
  """A table of figures.

  Args:
    header: The heading of the contestants' names.
    figures: What `take_turns` returns.
    metrics: The `Metric`s of the columns. The first one is also compared.
    baselines: The names of those to compare all others with.

  Returns:
    A string of lines.
  """
  baselines = [name for name in baselines if len(figures) > 1]
  first = metrics[0].key
  rows = []
  for name, rounds in figures.items():
    row = [str(name)] + [
        _cell(metric.form, [values[metric.key] for values in rounds])
        if metric.key in rounds[0] else "" for metric in metrics]
    for base in baselines:
      row.append(_cell("%.2f", [
          values[first] / base_values[first]
          for values, base_values in zip(rounds, figures[base])]))
    rows.append(row)
  return markdown([header] + [metric.heading for metric in metrics] + [
      "x %s" % name for name in baselines], rows)


def markdown(header, rows):
  """A table of strings."""
  lines = [header, ["---"] * len(header)] + rows
  return "".join("| %s |\n" % " | ".join(line) for line in lines)


def _cell(form, values):
  """The median, with the smallest and the largest where they differ."""
  if min(values) == max(values):
    return form % values[0]
  return "%s (%s to %s)" % tuple(
      form % value for value in (np.median(values), min(values), max(values)))
