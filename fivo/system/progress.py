"""Progress of long passes over data."""

import sys
import time

from fivo.system import log

try:
  import tqdm
except ImportError:  # An extra; without it progress is logged.
  tqdm = None

_SECONDS_BETWEEN_LINES = 10.


def track(iterable, description, total=None, unit="sequence"):
  """Iterates over `iterable` and shows how far it has come.

  On a terminal with tqdm installed (the extra `progress`) this is a progress
  bar. Elsewhere it is a log line every ten seconds, so that logs stay short.

  Args:
    iterable: What to iterate over.
    description: What is being done, e.g. "Evaluating".
    total: The number of items. Defaults to `len(iterable)` where it has one.
    unit: What one item is.

  Returns:
    An iterator over the items of `iterable`.
  """
  if total is None and hasattr(iterable, "__len__"):
    total = len(iterable)
  if tqdm is not None and sys.stderr.isatty():
    return iter(tqdm.tqdm(iterable, desc=description, total=total, unit=unit))
  return _logged(iterable, description, total, unit)


def _logged(iterable, description, total, unit):
  """Yields the items of `iterable`, logging a line every ten seconds."""
  last_line = time.monotonic()
  for done, item in enumerate(iterable):
    now = time.monotonic()
    if now - last_line >= _SECONDS_BETWEEN_LINES:
      last_line = now
      out_of = "" if total is None else " of %d" % total
      log.info("%s: %d%s %ss", description, done, out_of, unit)
    yield item
