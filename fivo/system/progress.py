"""Progress of training and of long passes over data.

On a terminal, with tqdm installed (the extra `progress`), it is a bar below the
log lines; otherwise a log line every ten seconds.
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


def track(iterable, description, total=None, unit="sequences", show_bar=True):
  """Yields items and shows how many are done, as "Evaluating: 3 of 9"."""
  if total is None and hasattr(iterable, "__len__"):
    total = len(iterable)
  if show_bar and _can_show_bar():
    # Only the topmost bar stays on the terminal.
    with _shown_bar(iterable=iterable, desc=description, total=total,
                    unit=" " + unit, leave=None) as bar:
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
  """A bar of training steps while a `with` block runs, if it can be shown."""

  def __init__(self, step, total=None, show_bar=True):
    super().__init__()
    self.is_shown = show_bar and _can_show_bar()
    if self.is_shown:
      self._bar = self.enter_context(_shown_bar(
          desc="Training", total=total, initial=step, unit=" steps",
          dynamic_ncols=True))

  def update(self, step, text):
    """Shows a step that was taken, and a text beside the bar."""
    self._bar.set_postfix_str(text, refresh=False)
    self._bar.update(step - self._bar.n)


def _can_show_bar():
  return tqdm is not None and sys.stderr.isatty()


@contextlib.contextmanager
def _shown_bar(**kwargs):
  """Shows a bar, which makes room for log lines, while the block runs."""
  handlers = logging.root.handlers + logging.getLogger("tensorflow").handlers
  with tqdm.tqdm(**kwargs) as bar:

    def make_room(unused_record):
      bar.clear()
      return True

    for handler in handlers:
      handler.addFilter(make_room)
    try:
      yield bar
    finally:
      for handler in handlers:
        handler.removeFilter(make_room)
