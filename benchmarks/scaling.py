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

# The dataset repeats itself, so a few sequences serve any batch size.
_NUM_SEQUENCES = 16
_NOTES_PER_CHORD = 4  # As in the four datasets of pianorolls.

_METRICS = (comparison.STEPS, comparison.MEMORY)


def parse_sweeps(texts):
  """Reads the flag `--sweep`.

  Args:
    texts: A list of strings, each the name of a size, with or without values
      of its own: "num_samples" or "num_samples=4:8:16".

  Returns:
    An ordered dict: a tuple of increasing integers by name.

  Raises:
    UserError: If a name or a value is wrong.
  """
  sweeps = collections.OrderedDict()
  for text in texts:
    name, equals, values = text.partition("=")
    if name not in DEFAULT_VALUES:
      raise errors.UserError("--sweep=%s: must be of %s" % (
          text, ", ".join(DEFAULT_VALUES)))
    sweeps[name] = DEFAULT_VALUES[name]
    if equals:
      try:
        sweeps[name] = tuple(sorted(set(map(int, values.split(":")))))
      except ValueError:
        sweeps[name] = ()
      if not sweeps[name] or sweeps[name][0] < 1:
        raise errors.UserError(
            "--sweep=%s: values must be positive integers, as in %s=1:2:4" % (
                text, name))
  return sweeps


def measure(sweeps, base, warmup_steps, steps, num_rounds, flags=()):
  """Measures training at all points of some sweeps.

  Args:
    sweeps: A dict as `parse_sweeps` returns it.
    base: A `Point`.
    warmup_steps: How many steps of a run go by untimed.
    steps: How many are timed then.
    num_rounds: How often each point is measured.
    flags: Further flags for `run_fivo.py`.

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
    contestants = [
        _contestant(point, directory, warmup_steps, steps, flags)
        for point in points]
    measured = comparison.take_turns(
        "Scaling", contestants, num_rounds, _METRICS)
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


def to_markdown(name, growth):
  """The table of one sweep.

  The last column tells whether memory is linear: then it is constant, but for
  noise where the steps are small.

  Args:
    name: The name of the size.
    growth: A `comparison.Comparison` from `measure`.

  Returns:
    A string.
  """
  rows = []
  previous = None
  for value, rounds in growth.figures.items():
    speed, memory = medians(rounds)
    row = ["%d" % value, "%.2f" % speed, "%.1f" % (1000. / speed),
           "%.0f" % memory, ""]
    if previous is not None:
      row[-1] = "%.3f" % ((memory - previous[1]) / (value - previous[0]))
    previous = value, memory
    rows.append(row)
  return "### %s\n\n%s" % (growth.title, comparison.markdown_table(
      [name, "steps/s", "ms per step", "peak MB", "MB per added one"], rows))


def medians(rounds):
  """The median steps per second and peak memory of a point's rounds."""
  return [
      comparison.summarize([figures[metric.key] for figures in rounds]).median
      for metric in _METRICS]


def write_dataset(path, num_timesteps, num_sequences=_NUM_SEQUENCES):
  """Writes a pianoroll file of random chords.

  Args:
    path: The path to write.
    num_timesteps: The length of every sequence.
    num_sequences: How many there are in each split.
  """
  rng = np.random.RandomState(0)
  notes = rng.randint(pianorolls.MIN_NOTE, pianorolls.MAX_NOTE + 1, size=[
      num_sequences, num_timesteps, _NOTES_PER_CHORD])
  sequences = [[tuple(chord) for chord in sequence]
               for sequence in notes.tolist()]
  contents = {split: sequences for split in pianorolls.SPLITS}
  contents[pianorolls.MEAN_KEY] = pianorolls.calculate_mean(
      pianorolls.dense_split(contents, "train", path))
  pianorolls.save(path, contents)


def _contestant(point, directory, warmup_steps, steps, flags):
  """The training run at a `Point`, its data in a directory."""
  path = os.path.join(directory, "%d.pkl" % point.num_timesteps)
  if not os.path.exists(path):
    write_dataset(path, point.num_timesteps)
  job = training.Job(
      path, point.batch_size, point.num_samples, warmup_steps, steps)
  return comparison.Contestant(_label(point), functools.partial(
      training.measure_training, _label(point), job,
      ["--latent_size=%d" % point.latent_size] + list(flags)))


def _label(point):
  return ", ".join("%s %d" % pair for pair in point._asdict().items())
