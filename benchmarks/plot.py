"""The plot of how time and memory grow."""

from benchmarks import scaling
from fivo.system import errors
from fivo.system import files


def check_available():
  """Raises a `UserError` unless matplotlib is there."""
  try:
    import matplotlib  # noqa: F401  pylint: disable=unused-import
  except ImportError as error:
    raise errors.UserError(
        "--out_dir: the plot needs matplotlib; install it with: pip install "
        "'.[benchmark]'") from error


def write(path, growths):
  """Draws milliseconds per step and peak memory over each size.

  The axes are linear, and so is a dotted line from the first to the last point:
  what grows linearly lies on it.

  Args:
    path: The PNG file to write.
    growths: A dict as `scaling.measure` returns it, not empty.
  """
  # Here, because all but the plot does without matplotlib. Neither class needs
  # a display, unlike pyplot.
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(3.2 * len(growths), 6.))
  FigureCanvasAgg(figure)
  axes = figure.subplots(2, len(growths), squeeze=False, sharex="col")
  for column, (name, growth) in zip(axes.T, growths.items()):
    sizes = list(growth.figures)
    speeds, memories = zip(*map(scaling.medians, growth.figures.values()))
    _draw(column[0], sizes, [1000. / speed for speed in speeds])
    _draw(column[1], sizes, memories)
    column[1].set_xlabel(name)
  axes[0, 0].set_ylabel("ms per training step")
  axes[1, 0].set_ylabel("peak MB")
  figure.tight_layout()
  with files.atomic_write(path) as stream:
    figure.savefig(stream, format="png", dpi=100)


def _draw(axis, sizes, values):
  """Draws one curve."""
  axis.plot([sizes[0], sizes[-1]], [values[0], values[-1]], ":", color="gray")
  axis.plot(sizes, values, marker="o")
  axis.set_ylim(bottom=0.)
  axis.grid(True, alpha=0.3)
