"""Figures without a display, and the lines that most of them are made of."""

import itertools

from fivo.system import files

# More than that on one picture nobody can tell apart.
MAX_PANELS = 8

PREFIX_COLOR = "0.35"
BOUNDARY = dict(color="black", linewidth=1., linestyle=":")

_WIDTH = 10.
_DPI = 100


def create(num_rows, row_height=1.6, **kwargs):
  """Creates a figure of panels below each other.

  Args:
    num_rows: The number of panels.
    row_height: The height of each, in inches.
    **kwargs: Passed on to `Figure.subplots`.

  Returns:
    A `matplotlib.figure.Figure`, and an array `[num_rows]` of its axes.
  """
  # Here, because all but rendering does without matplotlib. Neither class
  # needs a display, unlike pyplot.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(_WIDTH, 1. + row_height * num_rows))
  FigureCanvasAgg(figure)
  axes = figure.subplots(num_rows, 1, squeeze=False, **kwargs)
  return figure, axes[:, 0]


def save(path, figure):
  """Writes a PNG file, whole or not at all.

  Args:
    path: The file.
    figure: A figure that `create` created.

  Raises:
    OSError: If it cannot be written.
  """
  figure.tight_layout()
  with files.atomic_write(path, through_links=False) as stream:
    figure.savefig(stream, format="png", dpi=_DPI)


def shown(count, what):
  """How many of several things a picture shows, and the words for that.

  Args:
    count: How many there are.
    what: What they are, e.g. "continuations".

  Returns:
    An int, and "" or such as ", 8 of 20 continuations".
  """
  if count <= MAX_PANELS:
    return count, ""
  return MAX_PANELS, ", %d of %d %s" % (MAX_PANELS, count, what)


def colors():
  """Yields colours for ever, those of matplotlib's default cycle."""
  return itertools.cycle("C%d" % i for i in range(10))
