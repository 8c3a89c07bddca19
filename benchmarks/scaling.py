"""How the time and the memory of a training step grow with its sizes.

One size at a time is varied, the others stay at the base point. The data is
synthetic, with sequences of one length, so that all steps are equal work and
few suffice.
"""

import functools
import os
import tempfile

import numpy as np

from benchmarks import comparison
from benchmarks import runs
from fivo.formats import pianorolls
from fivo.rendering import figures

_BASE = dict(num_samples=4, batch_size=4, num_timesteps=100, latent_size=64)
VALUES = dict(num_samples=[4, 16, 64, 256], batch_size=[4, 16, 64],
              num_timesteps=[50, 200, 800], latent_size=[32, 64, 128, 256])
COLUMNS = [runs.MILLISECONDS, runs.MEMORY]
TITLE = "Training steps by one size, the others of " + ", ".join(
    "%s %d" % item for item in _BASE.items())
_WARMUP_STEPS, _MAX_STEPS = 10, 41


def measure(name, values):
  """Measures training at some values of one size: figures by the value."""
  with tempfile.TemporaryDirectory(prefix="fivo_benchmark_") as directory:
    contestants = []
    for value in values:
      sizes = dict(_BASE, **{name: value})
      path = os.path.join(directory, "%d.pkl" % sizes["num_timesteps"])
      write_dataset(path, sizes["num_timesteps"])
      job = runs.Job(path, sizes["batch_size"], sizes["num_samples"],
                     _WARMUP_STEPS, _MAX_STEPS)
      contestants.append((value, functools.partial(
          runs.measure_training, "%s %d" % (name, value), job,
          ["--latent_size=%d" % sizes["latent_size"]])))
    return comparison.take_turns(contestants, 1)


def write_dataset(path, num_timesteps, num_sequences=16):
  """Writes a pianoroll file of random chords; training repeats it."""
  notes = np.random.RandomState(0).randint(
      pianorolls.MIN_NOTE, pianorolls.MAX_NOTE + 1,
      size=[num_sequences, num_timesteps, 4])
  sequences = [list(map(tuple, sequence)) for sequence in notes.tolist()]
  pianorolls.save_with_mean(
      path, {split: sequences for split in pianorolls.SPLITS})


def draw(path, growths):
  """Draws what `measure` returned, by the size's name, as a PNG file."""
  figure, axes = figures.create(
      (3.2 * len(growths), 6.), 2, len(growths), sharex="col")
  for column, (name, growth) in zip(axes.T, growths.items()):
    for axis, key in zip(column, COLUMNS):
      values = [rounds[0][key] for rounds in growth.values()]
      sizes = list(growth)
      # What grows linearly lies on the dotted line.
      axis.plot([sizes[0], sizes[-1]], [values[0], values[-1]], ":",
                color="gray")
      axis.plot(sizes, values, marker="o")
      axis.set_ylim(bottom=0.)
      axis.set_ylabel(key)
    column[1].set_xlabel(name)
  figures.save(path, figure)
