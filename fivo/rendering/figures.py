"""Set-up that all figures share: made without a display, saved as PNG."""

import io

from fivo.system import files

# More panels than that cannot be told apart in one picture.
MAX_PANELS = 8

PREFIX_COLOR = "0.35"
BOUNDARY = dict(color="black", linewidth=1., linestyle=":")

_WIDTH = 10.
# Of the height of an axis, between two labels of `label_ends`.
_LABEL_DISTANCE = 0.055


def create(size, num_rows=1, num_columns=1, **kwargs):
  """Creates a figure of a width and height in inches.

  Further arguments are those of `Figure.subplots`.

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
  """As `create`: wide panels below each other, and an array of their axes."""
  figure, axes = create(
      (_WIDTH, 1. + row_height * num_rows), num_rows, **kwargs)
  return figure, axes[:, 0]


def png(figure, dpi=100, rect=(0., 0., 1., 1.)):
  """Renders a figure as the bytes of a PNG file of `dpi` pixels per inch.

  Its axes take the part `rect` of it: left, bottom, right and top, from 0 to 1.
  """
  figure.tight_layout(rect=rect)
  stream = io.BytesIO()
  figure.savefig(stream, format="png", dpi=dpi)
  return stream.getvalue()


def save(path, figure, **kwargs):
  """Writes what `png` renders, whole or not at all; else an OSError."""
  data = png(figure, **kwargs)
  with files.atomic_write(path) as stream:
    stream.write(data)


def shown(count, what):
  """Says how many of `count` things, e.g. "continuations", a picture shows.

  Returns:
    An int, and "" or such as ", 8 of 20 continuations".
  """
  if count <= MAX_PANELS:
    return count, ""
  return MAX_PANELS, ", %d of %d %s" % (MAX_PANELS, count, what)


def label_ends(axis):
  """Labels the lines of an axis on the right, each in its own colour.

  Labels that would overlap move apart, and a thin line leads from each to the
  last point of its line. Lines whose label begins with an underscore have none.
  Call it when everything is drawn.
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
