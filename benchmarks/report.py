"""The tables and figures of a benchmark, on stdout and in files."""

import collections
import json
import os
import sys

from benchmarks import machine
from fivo.system import files


class Report(object):
  """The tables and figures so far; in files too, if there is a directory."""

  def __init__(self, out_dir, description):
    """Creates a report and writes its head.

    Args:
      out_dir: A directory, made if need be; or None.
      description: A dict, see `machine.describe`.

    Raises:
      OSError: If the directory cannot be made or written to.
    """
    if out_dir:
      os.makedirs(out_dir, exist_ok=True)
    self._out_dir = out_dir
    self._tables = []
    self._results = collections.OrderedDict(
        [("machine", description), ("comparisons", [])])
    self._add("## Benchmark\n\n" + machine.to_markdown(description))

  def add(self, measured, table):
    """Adds a `comparison.Comparison` and its table."""
    self._results["comparisons"].append(collections.OrderedDict([
        ("title", measured.title), ("figures", measured.figures)]))
    self._add(table)

  def path(self, name):
    """The path of a file in the directory; None without one."""
    return self._out_dir and os.path.join(self._out_dir, name)

  def _add(self, table):
    sys.stdout.write(table + "\n")
    sys.stdout.flush()
    self._tables.append(table)
    if self._out_dir:
      with files.atomic_write(self.path("table.md"), "w") as stream:
        stream.write("\n".join(self._tables))
      with files.atomic_write(self.path("results.json"), "w") as stream:
        json.dump(self._results, stream, indent=2)
        stream.write("\n")
