"""Progress of training and of long passes over data.

On a terminal with tqdm installed (the extra `progress`) it is a bar, elsewhere
log lines. A log line that comes while there are bars takes the place of them;
they are drawn again below it.
"""

import contextlib
import logging
import sys
import time

from fivo.system import log

try:
  import tqdm
except ImportError:  # An extra; without it progress is logged.
  tqdm = None

_SECONDS_BETWEEN_LINES = 10.

# The bars that are on the terminal.
_bars = []


def track(iterable, description, total=None, unit="sequences", show_bar=True):
  """Iterates over `iterable` and shows how far it has come.

  Without a bar this is a log line every ten seconds, so that logs stay short.

  Args:
    iterable: What to iterate over.
    description: What is being done, e.g. "Evaluating".
    total: The number of items. Defaults to `len(iterable)` where it has one.
    unit: What the items are, e.g. "files".
    show_bar: Whether a terminal may show a bar.

  Yields:
    The items of `iterable`.
  """
  if total is None and hasattr(iterable, "__len__"):
    total = len(iterable)
  if show_bar and _can_show_bar():
    with _shown_bar(iterable=iterable, desc=description, total=total,
                    unit=" " + unit, leave=None if _bars else True) as bar:
      yield from bar
    return
  last_line = time.monotonic()
  for done, item in enumerate(iterable):
    if time.monotonic() - last_line >= _SECONDS_BETWEEN_LINES:
      last_line = time.monotonic()
      out_of = "" if total is None else " of %d" % total
      log.info("%s: %d%s %s", description, done, out_of, unit)
    yield item


class StepBar(contextlib.ExitStack):
  """A bar of training steps on a terminal; elsewhere nothing.

  It is shown from `start` on until the `with` block of this object ends.
  """

  def __init__(self, total=None, show_bar=True):
    """Creates a bar up to step `total`, or without an end for None."""
    super().__init__()
    self._total = total
    self._may_show = show_bar and _can_show_bar()
    self._bar = None

  @property
  def is_shown(self):
    """Whether there is a bar."""
    return self._bar is not None

  def start(self, step):
    """Shows the bar, if it is not shown yet, from a step on."""
    if self._may_show and not self.is_shown:
      self._bar = self.enter_context(_shown_bar(
          desc="Training", total=self._total, initial=step, unit=" steps",
          dynamic_ncols=True))

  def update(self, step, text):
    """Shows that a step has been taken, and a text beside the bar."""
    self._bar.set_postfix_str(text, refresh=False)
    self._bar.update(step - self._bar.n)


def _can_show_bar():
  return tqdm is not None and sys.stderr.isatty()


@contextlib.contextmanager
def _shown_bar(**kwargs):
  """Shows a bar, of which log lines take the place, while the block runs."""
  bar = tqdm.tqdm(**kwargs)
  _bars.append(bar)
  handlers = logging.root.handlers + logging.getLogger("tensorflow").handlers
  for handler in handlers:
    handler.addFilter(_clear_bars)
  try:
    yield bar
  finally:
    bar.close()
    # Bars in one place are equal, but not the same.
    _bars[:] = [other for other in _bars if other is not bar]
    if not _bars:
      for handler in handlers:
        handler.removeFilter(_clear_bars)


def _clear_bars(unused_record):
  """A filter that lets every line pass."""
  for bar in _bars:
    bar.clear()
  return True
