"""The study of the Gaussian hidden Markov model: how far bounds are from it.

The model's likelihood is known, and so is the gap of a bound. For each bound
and proposal the gap is measured over the number of particles and the length of
the sequence. Learned proposals are trained for each length and bound.
"""

import collections
import csv
import itertools
import os

import numpy as np

from benchmarks import comparison
from benchmarks import tasks
from fivo.rendering import figures
from fivo.system import files

_BOUNDS = ("elbo", "iwae", "fivo")
_PROPOSALS = ("prior", "filtering", "smoothing", "true-filtering",
              "true-smoothing")
_LEARNED = ("filtering", "smoothing")
_PARTICLES = (4, 16, 64)
_LENGTHS = (5, 10, 20)
_NUM_SEQUENCES = 2000
_FLAGS = {
    "train": "--max_steps=4000 --batch_size=16 --learning_rate=0.01 "
             "--learning_rate_schedule=cosine --schedule_steps=4000",
    "eval": "--batch_size=%d" % _NUM_SEQUENCES,
}
_GAP = r"gap: (\S+), standard deviation of the gap per sequence: (\S+)$"

_NAME = "%s_%s_t%d_n%d"
Point = collections.namedtuple("Point", "proposal bound length particles")


class Study(object):
  """All points; `items` are lists that differ in the number of particles."""

  def __init__(self, out_dir, runner):
    self._out_dir = out_dir
    self._runner = runner
    self._gaps = {}
    self.items = [
        [Point(proposal, bound, length, n)
         for n in ((1,) if bound == "elbo" else _PARTICLES)]
        for proposal, length, bound in itertools.product(
            _PROPOSALS, _LENGTHS, _BOUNDS)]

  def run(self, points):
    """Trains their proposal, if it is learned, and measures their gaps."""
    logdir = None
    if points[0].proposal in _LEARNED:
      trained = points[0]  # That of the fewest particles.
      logdir = os.path.join(self._out_dir, "runs", _NAME % trained)
      self._runner.run(_call("train", logdir, logdir, trained))
    for point in points:
      directory = os.path.join(self._out_dir, "points", _NAME % point)
      call = _call("eval", directory, logdir or directory, point)
      if self._runner.run(call):
        gap, deviation = map(float, call.last_match(_GAP).groups())
        # Of the bound per timestep, and of the one per sequence.
        self._gaps[point] = (
            point.length * gap, deviation / np.sqrt(_NUM_SEQUENCES))

  def write(self):
    """Writes the figures, draws them, and returns their table."""
    gaps = [(point, self._gaps[point]) for points in self.items
            for point in points]
    rows = collections.defaultdict(list)  # With a column for each length.
    for point, value in gaps:
      rows[point.proposal, point.bound, str(point.particles)].append(
          "%.3f ± %.3f" % value)
    text = (
        "log p(x) minus the bound, nats per sequence; ± is the standard error "
        "over sequences.\n\n" + comparison.markdown(
            ["proposal", "bound", "N"] + ["T = %d" % t for t in _LENGTHS],
            [list(key) + row for key, row in rows.items()]))
    path = os.path.join(self._out_dir, "ghmm")
    with files.atomic_write(path + ".md", "w") as stream:
      stream.write(text)
    with files.atomic_write(path + ".csv", "w") as stream:
      writer = csv.writer(stream, lineterminator="\n")
      writer.writerow(Point._fields + ("gap", "standard_error"))
      writer.writerows(point + value for point, value in gaps)
    _draw(path + ".png", gaps)
    return text


def _call(mode, directory, logdir, point):
  """The `tasks.Call` that trains or evaluates a `Point`."""
  return tasks.Call(mode, directory, [
      "--model=ghmm", "--random_seed=1", "--logdir=" + logdir,
      "--proposal_type=" + point.proposal, "--bound=" + point.bound,
      "--num_timesteps=%d" % point.length, "--num_samples=%d" % point.particles
  ] + _FLAGS[mode].split())


def _draw(path, gaps):
  """Draws gaps over N at the longest T, and over T at the fewest particles."""
  # Each axis has its own scale: gaps differ by orders of magnitude.
  figure, axes = figures.create((15., 6.), 2, len(_PROPOSALS))
  for column, proposal in zip(axes.T, _PROPOSALS):
    column[0].set_title(proposal)
    for bound in _BOUNDS:
      mine = [(point, value) for point, value in gaps
              if point[:2] == (proposal, bound)]
      for axis, points in (
          (column[0], [(point.particles,) + value for point, value in mine
                       if point.length == _LENGTHS[-1]]),
          (column[1], [(point.length,) + value for point, value in mine
                       if point.particles in (1, _PARTICLES[0])])):
        axis.errorbar(*zip(*points), marker="o", label=bound)
    for axis, ticks in zip(column, ((1,) + _PARTICLES, _LENGTHS)):
      axis.set_xscale("log", base=2)
      axis.set_xticks(ticks)
      axis.set_xticklabels(ticks)
      axis.set_ylim(bottom=min(axis.get_ylim()[0], -0.01))
      axis.grid(True, alpha=0.3)
    column[0].set_xlabel("N, at T = %d" % _LENGTHS[-1])
    column[1].set_xlabel("T, at N = %d" % _PARTICLES[0])
  for axis in axes[:, 0]:
    axis.set_ylabel("log p(x) - bound, nats")
  axes[0, 0].legend()
  figures.save(path, figure, dpi=80)
