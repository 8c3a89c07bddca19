"""Tests of benchmarks.comparison."""

import collections
import itertools

import pytest

from benchmarks import comparison

_METRICS = (comparison.STEPS, comparison.MEMORY)


def _comparison(figures, baselines=()):
  return comparison.Comparison(
      "Title", _METRICS, baselines, collections.OrderedDict(
          (name, [dict(zip(("steps_per_sec", "peak_mb"), values))
                  for values in rounds]) for name, rounds in figures))


def test_contestants_take_turns():
  order = []
  counter = itertools.count(1)

  def contestant(name):
    def measure():
      order.append(name)
      return {"steps_per_sec": float(next(counter)), "peak_mb": 1.}
    return comparison.Contestant(name, measure)

  measured = comparison.take_turns(
      "Title", [contestant("a"), contestant("b")], 3, _METRICS, ["b"])
  assert order == ["a", "b"] * 3
  assert [f["steps_per_sec"] for f in measured.figures["a"]] == [1., 3., 5.]
  assert [f["steps_per_sec"] for f in measured.figures["b"]] == [2., 4., 6.]
  assert measured.baselines == ["b"]


@pytest.mark.parametrize("values, expected", [
    ([3., 1., 2.], (2., 1., 3.)),
    ([4., 1.], (2.5, 1., 4.)),
    ([7.], (7., 7., 7.)),
])
def test_summary(values, expected):
  assert comparison.summarize(values) == expected


def test_ratios_are_those_of_pairs():
  # The machine is twice as slow in the second round: no pair notices.
  assert comparison.ratios([30., 15., 33.], [20., 10., 22.]) == (1.5, 1.5, 1.5)
  # The medians' ratio would be 2 / 2.
  assert comparison.ratios([1., 2., 9.], [2., 5., 1.]) == (0.5, 0.4, 9.)


def test_ratios_need_pairs():
  with pytest.raises(ValueError):
    comparison.ratios([1., 2.], [1.])


def test_table():
  table = comparison.to_markdown(_comparison(
      [("a", [(10., 300.), (12., 302.), (11., 301.)]),
       ("b", [(5., 200.), (4., 200.), (5.5, 200.)])], ["a", "b"]))
  assert table.splitlines() == [
      "### Title",
      "",
      "|  | steps/s | peak MB | x a | x b |",
      "| --- | --- | --- | --- | --- |",
      "| a | 11.00 (10.00 to 12.00) | 301 (300 to 302) | 1.00 "
      "| 2.00 (2.00 to 3.00) |",
      "| b | 5.00 (4.00 to 5.50) | 200 | 0.50 (0.33 to 0.50) | 1.00 |",
  ]


def test_table_of_one_contestant_compares_nothing():
  table = comparison.to_markdown(_comparison([("a", [(10., 300.)])], ["a"]))
  assert table.splitlines()[2:] == [
      "|  | steps/s | peak MB |", "| --- | --- | --- |", "| a | 10.00 | 300 |"]


def test_table_leaves_out_what_was_not_measured():
  table = comparison.to_markdown(_comparison(
      [("a", [(10., 300.)]), ("b", [(5.,)])]))
  assert table.splitlines()[-1] == "| b | 5.00 |  |"


def test_cells_cannot_break_a_table():
  assert comparison.markdown_table(["a|b"], [["c"]]) == (
      "| a\\|b |\n| --- |\n| c |\n")
