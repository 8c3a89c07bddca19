"""Set-up shared by all figures: drawn without a display, saved as PNG."""

import io

from fivo.system import files

# More panels than this are hard to tell apart in one picture.
MAX_PANELS = 8

PREFIX_COLOR = "0.35"
BOUNDARY = dict(color="black", linewidth=1., linestyle=":")

_WIDTH = 10.


def create(size, num_rows=1, num_columns=1, **kwargs):
  """Creates a figure of (width, height) inches, and an array of its axes."""
  # Here, since matplotlib is an extra; unlike pyplot, this needs no display.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=size)
  FigureCanvasAgg(figure)
  return figure, figure.subplots(
      num_rows, num_columns, squeeze=False, **kwargs)


def create_panels(num_rows, row_height=1.6, **kwargs):
  """Creates a figure of wide, stacked panels, and their axes."""
  figure, axes = create(
      (_WIDTH, 1. + row_height * num_rows), num_rows, **kwargs)
  return figure, axes[:, 0]


def png(figure, dpi=100, rect=(0., 0., 1., 1.)):
  """The bytes of a PNG file of a figure, with `dpi` pixels per inch.

  The axes fill a rectangle of it: left, bottom, right and top, from 0 to 1.
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


def limit(count, plural):
  """The number of panels to show, and a remark such as ", 8 of 20 poses"."""
  if count <= MAX_PANELS:
    return count, ""
  return MAX_PANELS, ", %d of %d %s" % (MAX_PANELS, count, plural)


def label_ends(axis):
  """Labels an axis' lines on the right in their colours, except "_..."."""
  lines = sorted((line for line in axis.get_lines()
                  if not line.get_label().startswith("_")),
                 key=lambda line: line.get_ydata()[-1])
  for rank, line in enumerate(lines):
    axis.annotate(
        line.get_label(), line.get_xydata()[-1],
        (1.02, (rank + 0.5) / len(lines)),
        textcoords="axes fraction", color=line.get_color(), fontsize="small",
        verticalalignment="center", annotation_clip=False,
        arrowprops=dict(arrowstyle="-", color=line.get_color(), linewidth=0.5,
                        relpos=(0., 0.5), shrinkA=1., shrinkB=1.))
