"""Pianoroll files: reading, checking and writing.

A pianoroll file has the form of `pickled_splits`. A sequence is a list of
chords (one per timestep), a chord a possibly empty tuple of MIDI notes.
"""

import numbers
import os
import pickle

import numpy as np

from fivo.formats import pickled_splits
from fivo.formats import writing
from fivo.formats.pickled_splits import MEAN_KEY
from fivo.formats.pickled_splits import SPLITS
from fivo.formats.reading import describe
from fivo.system import files
from fivo.system import log
from fivo.system.errors import UserError

# The keys of a piano, A0 to C8.
MIN_NOTE = 21
MAX_NOTE = 108
NUM_NOTES = MAX_NOTE - MIN_NOTE + 1


def load(path):
  """Reads a pianoroll file, see `pickled_splits.load`."""
  return pickled_splits.load(
      path, "pianoroll", "bin/download_pianorolls.sh DIR downloads the datasets"
  )


def save(path, pianorolls):
  """Writes a pianoroll file, whole or not at all, for Python 2 and 3."""
  writing.check_file(path)
  # A link stays; the file it points to is replaced.
  with files.atomic_write(os.path.realpath(path)) as stream:
    pickle.dump(pianorolls, stream, protocol=2)


def save_with_mean(path, pianorolls):
  """Adds the train mean, writes the file, and logs its contents."""
  dense = {split: dense_split(pianorolls, split, path) for split in SPLITS
           if split == "train" or pianorolls.get(split)}
  pianorolls[MEAN_KEY] = calculate_mean(dense["train"])
  save(path, pianorolls)
  sequences = sum(dense.values(), [])
  notes = MIN_NOTE + np.flatnonzero(calculate_mean(sequences))
  log.info(
      "%s: %d sequences (%s), %d timesteps, %s.", path, len(sequences),
      ", ".join("%d %s" % (len(dense.get(split, ())), split)
                for split in SPLITS), sum(map(len, sequences)),
      "notes %d to %d" % (notes[0], notes[-1]) if len(notes) else "no notes")


def dense_split(pianorolls, split, path, min_note=MIN_NOTE, max_note=MAX_NOTE):
  """A split as a list of bool arrays `[T, max_note - min_note + 1]`."""
  return pickled_splits.convert(
      pianorolls, split, path,
      lambda sequence: to_dense(sequence, min_note, max_note - min_note + 1))


def to_dense(sequence, min_note, num_notes):
  """Converts chords, whose notes may be floats, to bools `[T, num_notes]`."""
  columns = {min_note + column: column for column in range(num_notes)}
  try:
    sizes = list(map(len, sequence))
    sounding = [columns[note] for chord in sequence for note in chord]
  except (KeyError, TypeError) as error:
    raise UserError(_describe_bad_note(sequence, columns)) from error
  dense = np.zeros([len(sizes), num_notes], dtype=bool)
  dense[np.repeat(np.arange(len(sizes)), sizes), sounding] = True
  return dense


def add_octaves(dense, octaves):
  """Each array `[T, D]`, and transposed by up to `octaves`, up and down.

  Notes that leave the columns drop out.
  """
  reach = 12 * octaves
  padded = [np.pad(sequence, [(0, 0), (reach, reach)], "constant")
            for sequence in dense]
  return [sequence[:, start:sequence.shape[1] - 2 * reach + start]
          for sequence in padded for start in range(0, 2 * reach + 1, 12)]


def _describe_bad_note(sequence, columns):
  """Describes the first note of the chords that has no column."""
  for step, chord in enumerate(sequence):
    if not hasattr(chord, "__len__"):
      return "step %d: %s is not a tuple of MIDI notes" % (
          step, describe(chord))
    for note in chord:
      if not isinstance(note, numbers.Real) or not note % 1 == 0:
        return "step %d: note %s is not an integer" % (step, describe(note))
      if note not in columns:
        return "step %d: note %s is outside [%d, %d]" % (
            step, describe(note), min(columns), max(columns))


def calculate_mean(dense):
  """The mean of bool arrays `[T, num_notes]` over all timesteps, float64."""
  counts = sum(sequence.sum(axis=0, dtype=np.int64) for sequence in dense)
  return counts / sum(map(len, dense))


def get_mean(pianorolls, path, num_notes):
  """The train mean, a float64 array `[num_notes]`."""
  return pickled_splits.get_mean(
      pianorolls, path, num_notes,
      "python fivo/data/calculate_pianoroll_mean.py --in_file=" + path, 0., 1.)
