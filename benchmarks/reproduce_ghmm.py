"""The study of the Gaussian hidden Markov model: how far bounds are from it.

The model's likelihood is known, so the gap of a bound is, too. Of each bound
and proposal the gap is measured over the number of particles and the length of
the sequence. Proposals that are learned are trained for each length and bound,
with `_TRAIN_PARTICLES`.
"""

import collections
import csv
import io
import os
import sys

import numpy as np

from benchmarks import processes
from benchmarks import reproduce_tables
from benchmarks import reproduce_tasks
from fivo.system import files

BOUNDS = ("elbo", "iwae", "fivo")
PROPOSALS = ("prior", "filtering", "smoothing", "true-filtering",
             "true-smoothing")
PARTICLES = (4, 16, 64)
LENGTHS = (5, 10, 20)
_LEARNED = ("filtering", "smoothing")
_TRAIN_PARTICLES = 4
_TRAIN_FLAGS = ("--max_steps=4000", "--batch_size=16", "--learning_rate=0.01",
                "--learning_rate_schedule=cosine", "--schedule_steps=4000",
                "--random_seed=1")
_NUM_SEQUENCES = 2000
_EVAL_FLAGS = ("--batch_size=%d" % _NUM_SEQUENCES, "--random_seed=1")
_GAP = r"gap: (\S+), standard deviation of the gap per sequence: (\S+)$"
TABLE, FIGURES, PLOT = "ghmm.md", "ghmm.csv", "ghmm.png"

Point = collections.namedtuple("Point", "proposal bound length particles")


class Study(object):
  """All points of the study.

  Attributes:
    tasks: A list of `reproduce_tasks.Task`s.
  """

  def __init__(self, out_dir):
    """Plans the points below a directory, an absolute path."""
    self._out_dir = out_dir
    self._points = [
        Point(proposal, bound, length, particles)
        for proposal in PROPOSALS for length in LENGTHS for bound in BOUNDS
        for particles in ((1,) if bound == "elbo" else PARTICLES)]
    self.tasks = []
    for point in self._points:
      task = self._eval_task(point)
      self.tasks += [need for need in task.needs if need not in self.tasks]
      self.tasks.append(task)

  def write(self, task=None):
    """Writes what is ready, the plot when no task is left; gives the table.

    Args:
      task: The `reproduce_tasks.Task` that has just ended; None after all.
    """
    gaps = collections.OrderedDict(
        (point, gap(task, point.length))
        for point, task in ((point, self._eval_task(point))
                            for point in self._points) if task.is_done())
    text = _to_markdown(gaps)
    for name, content in ((TABLE, text), (FIGURES, _to_csv(gaps))):
      with files.atomic_write(os.path.join(self._out_dir, name), "w") as stream:
        stream.write(content)
    if task is None:
      _draw(os.path.join(self._out_dir, PLOT), gaps)
    return text

  def describe(self, task):
    """How far a task has come."""
    found = task.last_line(r"^Step \d+")
    return found.group() if found else "starting"

  def _train_task(self, point):
    point = point._replace(
        particles=1 if point.bound == "elbo" else _TRAIN_PARTICLES)
    directory = os.path.join(
        self._out_dir, "runs", "%s_%s_t%d_n%d" % point)
    return _task("train", directory, directory, point, _TRAIN_FLAGS)

  def _eval_task(self, point):
    directory = logdir = os.path.join(
        self._out_dir, "points", "%s_%s_t%d_n%d" % point)
    needs = ()
    if point.proposal in _LEARNED:
      needs = (self._train_task(point),)
      logdir = needs[0].directory
    return _task("eval", directory, logdir, point, _EVAL_FLAGS, needs)


def _task(kind, directory, logdir, point, flags, needs=()):
  """A task of `run_fivo.py`."""
  command = [
      sys.executable, os.path.join(processes.ROOT, "run_fivo.py"),
      "--mode=" + kind, "--model=ghmm", "--logdir=" + logdir,
      "--proposal_type=" + point.proposal, "--bound=" + point.bound,
      "--num_timesteps=%d" % point.length,
      "--num_samples=%d" % point.particles] + list(flags)
  return reproduce_tasks.Task(
      "%s of %s" % (kind, os.path.basename(directory)), directory, kind,
      command, needs, reproduce_tasks.always)


def gap(task, length):
  """The gap of a bound, from the log of an evaluation.

  Args:
    task: A `reproduce_tasks.Task`.
    length: T.

  Returns:
    The mean of log p(x) minus the bound over sequences, in nats per sequence;
    its standard error.
  """
  found = task.last_line(_GAP)
  return (length * float(found.group(1)),
          float(found.group(2)) / np.sqrt(_NUM_SEQUENCES))


def _to_markdown(gaps):
  """A table with a column for each length."""
  lengths = sorted(set(point.length for point in gaps))
  rows = collections.OrderedDict()
  for point, value in gaps.items():
    key = point.proposal, point.bound, str(point.particles)
    rows.setdefault(key, {})[point.length] = "%.3f ± %.3f" % value
  return (
      "log p(x) minus the bound, nats per sequence; ± is the standard error "
      "over sequences.\n\n" + reproduce_tables.markdown(
          ["proposal", "bound", "N"] + ["T = %d" % t for t in lengths],
          [list(key) + [row.get(t, "") for t in lengths]
           for key, row in rows.items()]))


def _to_csv(gaps):
  stream = io.StringIO()
  writer = csv.writer(stream, lineterminator="\n")
  writer.writerow(Point._fields + ("gap", "standard_error"))
  for point, value in gaps.items():
    writer.writerow(tuple(point) + value)
  return stream.getvalue()


def _draw(path, gaps):
  """Draws gaps over N at the longest T, and over T at the fewest particles."""
  from matplotlib.backends.backend_agg import FigureCanvasAgg
  from matplotlib.figure import Figure

  figure = Figure(figsize=(3. * len(PROPOSALS), 6.))
  FigureCanvasAgg(figure)
  # Each has a scale of its own: gaps differ by orders of magnitude.
  axes = figure.subplots(2, len(PROPOSALS), squeeze=False)
  for column, proposal in zip(axes.T, PROPOSALS):
    column[0].set_title(proposal)
    for bound in BOUNDS:
      mine = [(point, value) for point, value in gaps.items()
              if point[:2] == (proposal, bound)]
      _draw_curve(column[0], bound, [
          (point.particles, value) for point, value in mine
          if point.length == LENGTHS[-1]])
      _draw_curve(column[1], bound, [
          (point.length, value) for point, value in mine
          if point.particles in (1, PARTICLES[0])])
    for axis, ticks in zip(column, (PARTICLES, LENGTHS)):
      axis.set_xscale("log", base=2)
      axis.set_xticks(ticks)
      axis.set_xticklabels(ticks)
      axis.set_ylim(bottom=min(axis.get_ylim()[0], -0.01))
      axis.grid(True, alpha=0.3)
    column[0].set_xlabel("N, at T = %d" % LENGTHS[-1])
    column[1].set_xlabel("T, at N = %d" % PARTICLES[0])
  for axis in axes[:, 0]:
    axis.set_ylabel("log p(x) - bound, nats")
  axes[0, 0].legend()
  figure.tight_layout()
  with files.atomic_write(path) as stream:
    figure.savefig(stream, format="png", dpi=80)


def _draw_curve(axis, label, points):
  """Draws one bound; the ELBO has but one particle and is a dotted line."""
  if not points:
    return
  sizes, values = zip(*points)
  means, errors = zip(*values)
  if len(points) == 1:
    axis.axhline(means[0], linestyle=":", color="C0", label=label)
  else:
    axis.errorbar(sizes, means, errors, marker="o", label=label,
                  color="C%d" % BOUNDS.index(label))
