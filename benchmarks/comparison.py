"""Measurements of contestants in turn, and tables of the results.

A machine's speed drifts by more than many differences of interest. So the
contestants take turns (A B C A B C ...), and two of them are compared round by
round: both sides of a ratio see the same machine. Reported are medians over the
rounds, with the smallest and the largest.
"""

import collections

import numpy as np

from fivo.system import log


def take_turns(contestants, num_rounds):
  """Calls named functions in turn; returns an ordered dict of their figures."""
  figures = collections.OrderedDict((name, []) for name, _ in contestants)
  for i in range(num_rounds):
    for name, measure in contestants:
      figures[name].append(measure())
      log.info("%s, round %d of %d: %s", name, i + 1, num_rounds, ", ".join(
          "%s %.4g" % item for item in figures[name][-1].items()))
  return figures


def to_markdown(header, figures, columns, baselines=()):
  """A table of results of `take_turns`, with ratios of the first column."""
  first = columns[0]
  rows = []
  for name, rounds in figures.items():
    ratios = [[values[first] / base_values[first]
               for values, base_values in zip(rounds, figures[base])]
              for base in baselines]
    rows.append([str(name)] + [_cell(values) for values in [
        [values[key] for values in rounds if key in values]
        for key in columns] + ratios])
  return markdown(
      [header] + columns + ["x %s" % name for name in baselines], rows)


def markdown(header, rows):
  """A Markdown table of strings."""
  lines = [header, ["---"] * len(header)] + rows
  return "".join("| %s |\n" % " | ".join(line) for line in lines)


def _cell(values):
  """The median, with the smallest and the largest if they differ."""
  if len(set(values)) < 2:
    return "%.4g" % values[0] if values else ""
  return "%.4g (%.4g to %.4g)" % (np.median(values), min(values), max(values))
