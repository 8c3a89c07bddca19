"""Set-up that all figures share: made without a display, saved as PNG."""

import io
import itertools

from fivo.system import files

# More panels than that cannot be told apart in one picture.
MAX_PANELS = 8

PREFIX_COLOR = "0.35"
BOUNDARY = dict(color="black", linewidth=1., linestyle=":")

_WIDTH = 10.
# Of the height of an axis, between two labels of `label_ends`.
_LABEL_DISTANCE = 0.055


def create(size, num_rows=1, num_columns=1, **kwargs):
  """Creates a figure.

  Args:
    size: Its width and height in inches.
    num_rows: The number of rows of axes.
    num_columns: The number of columns of axes.
    **kwargs: Passed on to `Figure.subplots`.

  Returns:
    A `matplotlib.figure.Figure`, and an array `[num_rows, num_columns]` of its
    axes.
  """
  # Imported here, because matplotlib is an extra. Neither class needs a
  # display, unlike pyplot.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=size)
  FigureCanvasAgg(figure)
  return figure, figure.subplots(
      num_rows, num_columns, squeeze=False, **kwargs)


def create_panels(num_rows, row_height=1.6, **kwargs):
  """Creates a figure of wide panels below each other.

  Args:
    num_rows: The number of panels.
    row_height: The height of each, in inches.
    **kwargs: Passed on to `Figure.subplots`.

  Returns:
    A `matplotlib.figure.Figure`, and an array `[num_rows]` of its axes.
  """
  figure, axes = create(
      (_WIDTH, 1. + row_height * num_rows), num_rows, **kwargs)
  return figure, axes[:, 0]


def png(figure, dpi=100, rect=(0., 0., 1., 1.)):
  """Renders a figure.

  Args:
    figure: A figure that `create` returned.
    dpi: Pixels per inch.
    rect: The part of the figure that its axes may take: left, bottom, right and
      top as fractions of its size.

  Returns:
    The bytes of a PNG file.
  """
  figure.tight_layout(rect=rect)
  stream = io.BytesIO()
  figure.savefig(stream, format="png", dpi=dpi)
  return stream.getvalue()


def save(path, figure, **kwargs):
  """Writes a figure as a PNG file, whole or not at all.

  Args:
    path: The file.
    figure: A figure that `create` returned.
    **kwargs: Passed on to `png`.

  Raises:
    OSError: If the file cannot be written.
  """
  data = png(figure, **kwargs)
  with files.atomic_write(path, through_links=False) as stream:
    stream.write(data)


def shown(count, what):
  """Says how many of several things a picture shows.

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
  """Cycles through the colours of matplotlib."""
  return itertools.cycle("C%d" % i for i in range(10))


def label_ends(axis):
  """Labels each line of an axis in its own colour, on the right beside its end.

  Call it when everything is drawn. Labels that would overlap move apart, and a
  thin line leads from each to the last point of its line.

  Args:
    axis: The axis. Its lines have labels; those that begin with an underscore,
      as matplotlib's own do, are left out.
  """
  axis.autoscale_view()
  lines = sorted(
      (line for line in axis.get_lines()
       if len(line.get_xdata()) and not line.get_label().startswith("_")),
      key=lambda line: line.get_ydata()[-1])
  to_fraction = axis.transData + axis.transAxes.inverted()
  heights = [to_fraction.transform(line.get_xydata()[-1])[1] for line in lines]
  for i in range(1, len(heights)):
    heights[i] = max(heights[i], heights[i - 1] + _LABEL_DISTANCE)
  ceiling = 1.
  for i in reversed(range(len(heights))):
    heights[i] = min(heights[i], ceiling)
    ceiling = heights[i] - _LABEL_DISTANCE
  for line, height in zip(lines, heights):
    axis.annotate(
        line.get_label(), line.get_xydata()[-1], (1.02, height),
        textcoords="axes fraction", color=line.get_color(), fontsize="small",
        verticalalignment="center", annotation_clip=False,
        arrowprops=dict(arrowstyle="-", color=line.get_color(), linewidth=0.5,
                        relpos=(0., 0.5), shrinkA=1., shrinkB=1.))
