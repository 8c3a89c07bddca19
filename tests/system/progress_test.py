"""Tests of the progress of long passes."""

import io
import logging
import re
import sys
import time
from unittest import mock

import pytest

from fivo.system import log
from fivo.system import progress


class _Clock(object):
  """A clock that is set forward by hand."""

  def __init__(self):
    self.now = 1000.

  def __call__(self):
    return self.now


@pytest.fixture
def clock(monkeypatch):
  """Stands in for every clock."""
  fake = _Clock()
  monkeypatch.setattr(time, "time", fake)
  monkeypatch.setattr(time, "monotonic", fake)
  return fake


@pytest.fixture
def lines(monkeypatch):
  """The lines that are logged."""
  result = []
  monkeypatch.setattr(
      log, "info", lambda text, *args: result.append(text % args))
  return result


def take(items, clock, seconds):
  """Takes all items, each of which takes some seconds."""
  taken = []
  for item in items:
    taken.append(item)
    clock.now += seconds
  return taken


def test_yields_every_item(clock, lines):
  assert take(progress.track("abc", "Reading"), clock, 1.) == ["a", "b", "c"]
  assert take(progress.track([], "Reading"), clock, 1.) == []
  assert take(progress.track(iter([3, 4]), "Reading"), clock, 1.) == [3, 4]
  assert not lines, "short passes log nothing"


def test_logs_a_line_every_ten_seconds(clock, lines):
  taken = take(
      progress.track(range(100), "Evaluating", unit="batches"), clock, 1.)
  assert taken == list(range(100))
  assert 8 <= len(lines) <= 10
  assert all(line.startswith("Evaluating: ") for line in lines)
  assert all("of 100" in line for line in lines)
  assert "batch" in lines[0]
  done = [int(line.split()[1]) for line in lines]
  assert done[0] == 10
  assert done == sorted(set(done))


def test_total_of_a_generator(clock, lines):
  take(progress.track((x for x in range(30)), "Reading"), clock, 1.)
  assert lines and " of " not in "".join(lines)
  del lines[:]
  take(progress.track((x for x in range(30)), "Reading", total=30), clock, 1.)
  assert lines and all("of 30" in line for line in lines)


def test_is_lazy():
  """It neither reads ahead nor holds back."""
  read = []
  def source():
    for item in range(3):
      read.append(item)
      yield item

  tracked = progress.track(source(), "Reading")
  assert read == []
  assert next(tracked) == 0
  assert read == [0]


def test_errors_pass_through():
  def source():
    yield 1
    raise ValueError("broken")

  with pytest.raises(ValueError, match="broken"):
    list(progress.track(source(), "Reading"))


class _Bar(list):

  def close(self):
    pass


class _Tqdm(object):
  """Stands in for the package of that name."""

  def __init__(self):
    self.calls = []

  def tqdm(self, iterable, **kwargs):
    self.calls.append(kwargs)
    return _Bar(iterable)


def test_a_bar_on_a_terminal_alone(monkeypatch):
  package = _Tqdm()
  monkeypatch.setattr(progress, "tqdm", package)
  terminal = mock.Mock()
  monkeypatch.setattr(sys, "stderr", terminal)
  terminal.isatty.return_value = False
  assert list(progress.track([1, 2], "Reading")) == [1, 2]
  assert not package.calls
  terminal.isatty.return_value = True
  assert list(progress.track([1, 2], "Reading")) == [1, 2]
  assert package.calls[0]["total"] == 2
  assert package.calls[0]["desc"] == "Reading"


def test_does_without_tqdm(monkeypatch):
  monkeypatch.setattr(progress, "tqdm", None)
  terminal = mock.Mock()
  terminal.isatty.return_value = True
  monkeypatch.setattr(sys, "stderr", terminal)
  assert list(progress.track([1, 2], "Reading")) == [1, 2]


class _Terminal(io.StringIO):
  """A terminal, as far as bars need one."""

  def isatty(self):
    return True

  def rows(self):
    """What is to be seen on it in the end."""
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


class TestStepBar(object):

  def test_lines_stand_above_the_bars(self, monkeypatch):
    """Also above the bar of an evaluation below that of training."""
    terminal = _open_terminal(monkeypatch)
    with progress.StepBar(total=4) as bar:
      bar.start(1)
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

  def test_without_a_total(self, monkeypatch):
    terminal = _open_terminal(monkeypatch)
    with progress.StepBar() as bar:
      bar.start(100)
      bar.start(100)  # In another session.
      bar.update(103, "bound: -3")
    assert terminal.rows()[-1].startswith("Training: 103 steps [")

  @pytest.mark.parametrize("is_wanted", [False, True])
  def test_none(self, monkeypatch, is_wanted):
    """As is asked for, or because there is no terminal."""
    terminal = _open_terminal(monkeypatch)
    monkeypatch.setattr(terminal, "isatty", lambda: not is_wanted)
    with progress.StepBar(show_bar=is_wanted) as bar:
      bar.start(0)
      assert not bar.is_shown
    list(progress.track([1, 2], "Reading", show_bar=is_wanted))
    assert not terminal.getvalue()


def test_lines_go_to_the_log(clock, caplog):
  """Not to standard output, which is for results."""
  caplog.set_level("INFO", logger="absl")
  take(progress.track(range(12), "Evaluating"), clock, 1.)
  assert "Evaluating: 10 of 12 sequences" in caplog.text
