"""Plots the bounds of training runs over steps and over time.

  bin/plot_training.sh LOGDIR... --out_file=X.png

It reads the summaries written by training and evaluation. Thin lines are the
bounds of single batches, thick lines their moving averages, and dots the bounds
of evaluations.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import glob
import itertools
import os

from absl import flags
import numpy as np
import tensorflow as tf

from fivo.config import checks
from fivo.formats import writing
from fivo.rendering import figures
from fivo.system import console
from fivo.system import errors
from fivo.system import files
from fivo.system import log

FLAGS = flags.FLAGS

_BOUNDS = "bound_per_timestep/"
# Of runs of the original code, and of this code before it had charts.
_FORMER_TAGS = ("train_ll_per_t", "train_ll_bound")
_EVALUATIONS = ("train", "valid", "test", "eval")
# The fraction of all points in a moving average's window.
_SMOOTHING = 0.05

# steps, seconds, values: Arrays `[num_points]`; seconds are those of training.
Curve = collections.namedtuple("Curve", "steps seconds values")


def read_curves(directory, charts=_BOUNDS):
  """Reads the bounds from the event files of a directory, a dict of `Curve`s.

  Its keys are what follows `charts` in a tag, such as "fivo", or whole tags of
  old runs. If a resumed run repeated steps, their last values count.
  """
  points = collections.defaultdict(list)
  seconds = 0.
  for path in sorted(glob.glob(  # Their names contain the time.
      os.path.join(glob.escape(directory), "*tfevents*"))):
    new, seconds = _read_file(path, charts, seconds)
    for tag, found in new.items():
      points[tag] = [point for point in points[tag]
                     if point[0] < found[0][0]] + found
  charted = {tag[len(charts):]: values for tag, values in points.items()
             if tag.startswith(charts)}
  return {tag: Curve(*map(np.array, zip(*values)))
          for tag, values in (charted or points).items()}


def _read_file(path, charts, seconds_before):
  """Lists of (step, seconds, value) by tag, and the seconds at the end."""
  points = collections.defaultdict(list)
  began, seconds = None, seconds_before
  try:
    for event in tf.compat.v1.train.summary_iterator(path):
      began = event.wall_time if began is None else began
      seconds = max(seconds, seconds_before + event.wall_time - began)
      for value in event.summary.value:
        if value.tag.startswith(charts) or value.tag in _FORMER_TAGS:
          number = (value.simple_value if value.HasField("simple_value") else
                    float(tf.make_ndarray(value.tensor)))
          points[value.tag].append((event.step, seconds, number))
  except tf.errors.DataLossError:
    log.info("%s ends in the middle of a record; its run may still go on.",
             path)
  return points, seconds


def draw(path, logdirs):
  """Draws runs to a PNG file; a run without bounds is a UserError."""
  runs = [(logdir, read_curves(logdir)) for logdir in logdirs]
  for logdir, curves in runs:
    if not curves:
      raise errors.UserError(
          "--logdir=%s: has no summaries of training; must be the logdir of a "
          "run of more than --summarize_every steps" % logdir)
  parent = os.path.commonpath(
      [os.path.dirname(os.path.abspath(logdir)) for logdir in logdirs])
  figure, axes = figures.create_panels(2, row_height=4.)
  colors = map("C{}".format, itertools.count())
  for logdir, curves in runs:
    for bound, curve in curves.items():
      color = next(colors)
      label = "%s, %s" % (os.path.relpath(logdir, parent), bound)
      _draw_curve(axes, curve, color, label)
      for name in _EVALUATIONS:
        evaluated = read_curves(os.path.join(logdir, name))
        if bound in evaluated:
          _draw_evaluation(
              axes, evaluated[bound], curve, color, "%s, %s" % (label, name))
  for axis, name in zip(axes, ("step", "minutes of training")):
    axis.set_xlabel(name)
    axis.set_ylabel("bound per timestep (nats)")
    axis.grid(True, alpha=0.3)
  axes[0].legend(fontsize="small")
  figures.save(path, figure)


def _draw_curve(axes, curve, color, label):
  """Draws the bounds of batches, and their moving average."""
  window = max(1, int(_SMOOTHING * len(curve.values)))
  # At the ends, the average is over the points that exist.
  kernel = np.ones(window)
  average = (np.convolve(curve.values, kernel, "same") /
             np.convolve(np.ones(len(curve.values)), kernel, "same"))
  for axis, x in zip(axes, (curve.steps, curve.seconds / 60.)):
    if window > 1:
      axis.plot(x, curve.values, color=color, linewidth=0.5, alpha=0.4)
    axis.plot(x, average, color=color, label=label)


def _draw_evaluation(axes, evaluated, curve, color, label):
  """Draws bounds of evaluations at the times of their training steps."""
  seconds = np.interp(evaluated.steps, curve.steps, curve.seconds)
  for axis, x in zip(axes, (evaluated.steps, seconds / 60.)):
    axis.plot(x, evaluated.values, "o--", color=color, markersize=4.,
              linewidth=0.8, label=label)


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  flags.DEFINE_multi_string("logdir", [], "The logdirs of the runs to plot.")
  console.define_path("out_file", None, "The PNG file to write.")


def main(unused_argv):
  """Plots the runs given by the flags."""
  log.configure()
  if not FLAGS.logdir:
    raise errors.UserError("no LOGDIR is given: name the runs to plot")
  if not FLAGS.out_file:
    raise errors.UserError("--out_file is required: the PNG file to write")
  checks.check_rendering("out_file")
  with errors.naming_flag("out_file"):
    writing.check_file(FLAGS.out_file)
  with errors.naming_flag("logdir"):
    logdirs = [files.local_path(path) for path in FLAGS.logdir]
  draw(FLAGS.out_file, logdirs)
  log.info("Wrote %s.", FLAGS.out_file)
