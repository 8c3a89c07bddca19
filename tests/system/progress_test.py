"""Tests of the progress of long passes."""

import io
import logging
import re
import sys
import time
import types

import pytest

from fivo.system import progress


@pytest.fixture
def take(monkeypatch, caplog):
  """A function that takes the items of `track`, and how long each one takes.

  It returns the items and the lines that are logged.
  """
  clock = types.SimpleNamespace(now=1000.)
  monkeypatch.setattr(time, "monotonic", lambda: clock.now)
  caplog.set_level("INFO", logger="absl")

  def run(items, seconds=1., **kwargs):
    caplog.clear()
    taken = []
    for item in progress.track(items, "Reading", **kwargs):
      taken.append(item)
      clock.now += seconds
    return taken, [record.getMessage() for record in caplog.records]
  return run


def test_yields_every_item_and_logs_nothing_of_short_passes(take):
  assert take("abc") == (["a", "b", "c"], [])
  assert take([]) == ([], [])
  assert take(iter([3, 4])) == ([3, 4], [])


@pytest.mark.parametrize("items, total, out_of", [
    (range(30), None, " of 30"), (iter(range(30)), None, ""),
    (iter(range(30)), 30, " of 30")])
def test_logs_a_line_every_ten_seconds(take, items, total, out_of):
  taken, lines = take(items, total=total, unit="files")
  assert taken == list(range(30))
  assert lines == ["Reading: %d%s files" % (done, out_of) for done in (10, 20)]


class _Terminal(io.StringIO):
  """A terminal, as far as bars need one."""

  def isatty(self):
    return True

  def rows(self):
    """The lines to be seen on it in the end."""
    rows, row, column = [[]], 0, 0
    for text in re.findall(r"\x1b\[A|.|\n|\r", self.getvalue()):
      if text in "\r\n":
        column = 0
        row += text == "\n"
      elif text == "\x1b[A":
        row -= 1
      else:
        rows += [[] for _ in range(row + 1 - len(rows))]
        rows[row][column:column + 1] = text
        column += 1
    return [line for line in ("".join(row).rstrip() for row in rows) if line]


def _open_terminal(monkeypatch):
  """A terminal that shows bars, and the log lines of all loggers."""
  pytest.importorskip("tqdm")
  terminal = _Terminal()
  monkeypatch.setattr(sys, "stderr", terminal)
  monkeypatch.setattr(
      logging.root, "handlers", [logging.StreamHandler(terminal)])
  return terminal


def test_lines_stand_above_the_bars(monkeypatch):
  """Also above the bar of an evaluation below that of training."""
  terminal = _open_terminal(monkeypatch)
  with progress.StepBar(1, total=4) as bar:
    for step in (2, 3, 4):
      bar.update(step, "bound: -%d" % step)
      logging.root.warning("Step %d", step)
      for i in progress.track(range(5), "Evaluating"):
        if i == 3:
          logging.root.warning("Restored %d", step)
  *lines, last = terminal.rows()
  assert lines == [line for step in (2, 3, 4)
                   for line in ("Step %d" % step, "Restored %d" % step)]
  assert last.startswith("Training: 100%") and " 4/4 " in last
  assert last.endswith("bound: -4]")
  assert "Evaluating: " in terminal.getvalue()
  assert not logging.root.handlers[0].filters, "nothing is left behind"


@pytest.mark.parametrize("is_wanted, is_terminal, has_tqdm", [
    (False, True, True), (True, False, True), (True, True, False)])
def test_no_bar(monkeypatch, is_wanted, is_terminal, has_tqdm):
  terminal = _open_terminal(monkeypatch)
  monkeypatch.setattr(terminal, "isatty", lambda: is_terminal)
  if not has_tqdm:
    monkeypatch.setattr(progress, "tqdm", None)
  with progress.StepBar(0, show_bar=is_wanted) as bar:
    assert not bar.is_shown
  assert list(progress.track([1, 2], "Reading", show_bar=is_wanted)) == [1, 2]
  assert not terminal.getvalue()
