"""Contestants measured in turn, and tables of what came out.

A machine's speed drifts by more than many a difference of interest. Hence
contestants take turns (A B C A B C ...), and two of them are compared round by
round: the ratio of a pair sees the same machine twice. Reported are medians
over the rounds, with the smallest and the largest.
"""

import collections

from absl import logging
import numpy as np

# The columns: keys of figures, which are the headings, with their formats.
STEPS, MILLISECONDS = "steps/s", "ms per step"
SEQUENCES, STARTUP, MEMORY = "sequences/s", "seconds to step 1", "peak MB"
_FORMATS = {STEPS: "%.2f", MILLISECONDS: "%.1f", SEQUENCES: "%.1f",
            STARTUP: "%.1f", MEMORY: "%.0f"}


def take_turns(contestants, num_rounds):
  """Calls pairs' functions in turn: an ordered dict of figures by name."""
  figures = collections.OrderedDict((name, []) for name, _ in contestants)
  for i in range(num_rounds):
    for name, measure in contestants:
      figures[name].append(measure())
      logging.info("%s, round %d of %d: %s", name, i + 1, num_rounds, ", ".join(
          "%s %.4g" % item for item in figures[name][-1].items()))
  return figures


def to_markdown(header, figures, columns, baselines=()):
  """A table of what `take_turns` returns, with ratios of the first column."""
  baselines = baselines if len(figures) > 1 else ()
  rows = []
  for name, rounds in figures.items():
    row = [str(name)] + [
        _cell(_FORMATS[key], [values[key] for values in rounds])
        if key in rounds[0] else "" for key in columns]
    for base in baselines:
      row.append(_cell("%.2f", [
          values[columns[0]] / base_values[columns[0]]
          for values, base_values in zip(rounds, figures[base])]))
    rows.append(row)
  return markdown(
      [header] + columns + ["x %s" % name for name in baselines], rows)


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
