"""How the time and the memory of a training step grow with its sizes.

One size at a time is varied, the others stay at the base point. The data is
synthetic, with sequences of one length, so that all steps are equal work and
few suffice.
"""

import collections
import functools
import os
import tempfile

import numpy as np

from benchmarks import comparison
from benchmarks import training
from fivo.formats import pianorolls
from fivo.rendering import figures
from fivo.system import errors

# The sizes that are varied, and the values they take unless others are given.
DEFAULT_VALUES = collections.OrderedDict([
    ("num_samples", (4, 16, 64, 256)),
    ("batch_size", (4, 16, 64)),
    ("num_timesteps", (50, 200, 800)),
    ("latent_size", (32, 64, 128, 256)),
])
Point = collections.namedtuple("Point", tuple(DEFAULT_VALUES))
BASE = Point(num_samples=4, batch_size=4, num_timesteps=100, latent_size=64)

_NOTES_PER_CHORD = 4  # As in the four datasets of pianorolls.
_METRICS = (comparison.STEPS, comparison.MEMORY)


def parse_sweeps(texts):
  """An ordered dict from names to sizes, of the values of `--sweep`.

  Args:
    texts: A list of strings, each the name of a size, with or without values
      of its own: "num_samples" or "num_samples=4:8:16".

  Returns:
    An ordered dict: a tuple of increasing integers by name.
  """
  sweeps = collections.OrderedDict()
  for text in texts:
    name, equals, values = text.partition("=")
    if name not in DEFAULT_VALUES:
      raise errors.UserError("--sweep=%s: must be of %s" % (
          text, ", ".join(DEFAULT_VALUES)))
    sweeps[name] = DEFAULT_VALUES[name]
    if equals:
      if not all(value.isdigit() and int(value) for value in values.split(":")):
        raise errors.UserError(
            "--sweep=%s: values must be positive integers, as in %s=1:2:4" % (
                text, name))
      sweeps[name] = tuple(sorted(set(map(int, values.split(":")))))
  return sweeps


def measure(sweeps, base, steps, num_rounds):
  """Measures training at all points of some sweeps.

  Args:
    sweeps: A dict as `parse_sweeps` returns it.
    base: A `Point`.
    steps: How many steps are timed, after ten at the most that are not.
    num_rounds: How often each point is measured.

  Returns:
    An ordered dict: a `comparison.Comparison` by the name of the size, whose
    contestants are named by its values.
  """
  by_name = collections.OrderedDict(
      (name, [base._replace(**{name: value}) for value in values])
      for name, values in sweeps.items())
  # The base point belongs to several sweeps.
  points = list(collections.OrderedDict.fromkeys(
      point for points in by_name.values() for point in points))
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as directory:
    measured = comparison.take_turns(
        "Scaling", [_contestant(point, directory, steps) for point in points],
        num_rounds, _METRICS)
  result = collections.OrderedDict()
  for name, points in by_name.items():
    others = ", ".join("%s %d" % (other, getattr(base, other))
                       for other in base._fields if other != name)
    result[name] = comparison.Comparison(
        "Training steps by %s (%s)" % (name, others), _METRICS, (),
        collections.OrderedDict(
            (getattr(point, name), measured.figures[_label(point)])
            for point in points))
  return result


def _contestant(point, directory, steps):
  """The training run at a `Point`, its data in a directory."""
  path = os.path.join(directory, "%d.pkl" % point.num_timesteps)
  if not os.path.exists(path):
    write_dataset(path, point.num_timesteps)
  job = training.Job(
      path, point.batch_size, point.num_samples, min(10, steps), steps)
  return comparison.Contestant(_label(point), functools.partial(
      training.measure_training, _label(point), job,
      ["--latent_size=%d" % point.latent_size]))


def _label(point):
  return ", ".join("%s %d" % pair for pair in point._asdict().items())


def write_dataset(path, num_timesteps, num_sequences=16):
  """Writes a pianoroll file of random chords; training repeats it."""
  notes = np.random.RandomState(0).randint(
      pianorolls.MIN_NOTE, pianorolls.MAX_NOTE + 1,
      size=[num_sequences, num_timesteps, _NOTES_PER_CHORD])
  sequences = [[tuple(chord) for chord in sequence]
               for sequence in notes.tolist()]
  contents = {split: sequences for split in pianorolls.SPLITS}
  contents[pianorolls.MEAN_KEY] = pianorolls.calculate_mean(
      pianorolls.encode_split(contents, "train", path), pianorolls.NUM_NOTES)
  pianorolls.save(path, contents)


def to_markdown(name, growth):
  """The table of one sweep; where memory is linear its last column is constant.

  Args:
    name: The name of the size.
    growth: A `comparison.Comparison` from `measure`.

  Returns:
    A string.
  """
  rows = []
  sizes, speeds, memories = _medians(growth)
  for i, (size, speed, memory) in enumerate(zip(sizes, speeds, memories)):
    rows.append(["%d" % size, "%.2f" % speed, "%.1f" % (1000. / speed),
                 "%.0f" % memory, ""])
    if i:
      rows[-1][-1] = "%.3f" % (
          (memory - memories[i - 1]) / (size - sizes[i - 1]))
  return "### %s\n\n%s" % (growth.title, comparison.markdown(
      [name, "steps/s", "ms per step", "peak MB", "MB per added one"], rows))


def draw(path, growths):
  """Draws milliseconds per step and peak memory over each size.

  Args:
    path: The PNG file to write.
    growths: A dict as `measure` returns it, not empty.
  """
  figure, axes = figures.create(
      (3.2 * len(growths), 6.), 2, len(growths), sharex="col")
  for column, (name, growth) in zip(axes.T, growths.items()):
    sizes, speeds, memories = _medians(growth)
    _draw_curve(column[0], sizes, [1000. / speed for speed in speeds])
    _draw_curve(column[1], sizes, memories)
    column[1].set_xlabel(name)
  axes[0, 0].set_ylabel("ms per training step")
  axes[1, 0].set_ylabel("peak MB")
  figures.save(path, figure)


def _draw_curve(axis, sizes, values):
  """Draws a curve, and a dotted line on which linear growth would lie."""
  axis.plot([sizes[0], sizes[-1]], [values[0], values[-1]], ":", color="gray")
  axis.plot(sizes, values, marker="o")
  axis.set_ylim(bottom=0.)
  axis.grid(True, alpha=0.3)


def _medians(growth):
  """Lists of the sizes of a sweep, and of the medians of each of `_METRICS`."""
  return [list(growth.figures)] + [
      [float(np.median([figures_[metric.key] for figures_ in rounds]))
       for rounds in growth.figures.values()] for metric in _METRICS]
