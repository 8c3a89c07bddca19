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

# The sizes that are varied, and the values they take unless others are given.
DEFAULT_VALUES = collections.OrderedDict([
    ("num_samples", [4, 16, 64, 256]),
    ("batch_size", [4, 16, 64]),
    ("num_timesteps", [50, 200, 800]),
    ("latent_size", [32, 64, 128, 256]),
])
BASE = collections.OrderedDict([
    ("num_samples", 4), ("batch_size", 4), ("num_timesteps", 100),
    ("latent_size", 64)])
METRICS = (comparison.STEPS, comparison.MILLISECONDS, comparison.MEMORY)


def measure(title, name, values, base, steps, num_rounds):
  """Measures training at some values of one size.

  Args:
    title: What is measured.
    name: The name of the size.
    values: A list of its values.
    base: A dict of all sizes.
    steps: How many steps are timed, after ten at the most that are not.
    num_rounds: How often each value is measured.

  Returns:
    What `comparison.take_turns` returns, by the value.
  """
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as directory:
    contestants = []
    for value in values:
      sizes = dict(base, **{name: value})
      path = os.path.join(directory, "%d.pkl" % sizes["num_timesteps"])
      write_dataset(path, sizes["num_timesteps"])
      job = training.Job(path, sizes["batch_size"], sizes["num_samples"],
                         min(10, steps), steps)
      contestants.append((value, functools.partial(
          training.measure, "%s %d" % (name, value), job,
          ["--latent_size=%d" % sizes["latent_size"]])))
    return comparison.take_turns(title, contestants, num_rounds)


def write_dataset(path, num_timesteps, num_sequences=16):
  """Writes a pianoroll file of random chords; training repeats it."""
  notes = np.random.RandomState(0).randint(
      pianorolls.MIN_NOTE, pianorolls.MAX_NOTE + 1,
      size=[num_sequences, num_timesteps, 4])
  sequences = [[tuple(chord) for chord in sequence]
               for sequence in notes.tolist()]
  pianorolls.save_with_mean(
      path, {split: sequences for split in pianorolls.SPLITS})


def draw(path, growths):
  """Draws milliseconds per step and peak memory over each size.

  Args:
    path: The PNG file to write.
    growths: An ordered dict of what `measure` returns, by the size's name.
  """
  figure, axes = figures.create(
      (3.2 * len(growths), 6.), 2, len(growths), sharex="col")
  for column, (name, growth) in zip(axes.T, growths.items()):
    for axis, metric in zip(column, METRICS[1:]):
      values = [np.median([values[metric.key] for values in rounds])
                for rounds in growth.values()]
      sizes = list(growth)
      # What grows linearly lies on the dotted line.
      axis.plot([sizes[0], sizes[-1]], [values[0], values[-1]], ":",
                color="gray")
      axis.plot(sizes, values, marker="o")
      axis.set_ylim(bottom=0.)
      axis.grid(True, alpha=0.3)
    column[1].set_xlabel(name)
  for axis, label in zip(axes[:, 0], ("ms per training step", "peak MB")):
    axis.set_ylabel(label)
  figures.save(path, figure)
