"""Pianoroll files: reading, checking, and writing whole.

A pianoroll file is one of `pickled_splits`. A sequence is a list of chords (one
per timestep), a chord a possibly empty tuple of MIDI notes. The mean of the
dense train split is what `calculate_pianoroll_mean.py` adds. The files that are
in use were written by Python 2.

Every mistake in a file is a `UserError` whose message starts with its path.
"""

import itertools
import numbers
import os
import pickle

from absl import logging
import numpy as np

from fivo.formats import pickled_splits
from fivo.formats.pickled_splits import MEAN_KEY
from fivo.formats.pickled_splits import SPLITS
from fivo.formats.reading import describe
from fivo.system import files
from fivo.system.errors import UserError

# The keys of a piano, A0 to C8.
MIN_NOTE = 21
MAX_NOTE = 108
NUM_NOTES = MAX_NOTE - MIN_NOTE + 1

_REMEDY = "bin/download_pianorolls.sh DIR downloads the datasets"


def load(path):
  """Reads a pianoroll file; see `pickled_splits.load`."""
  return pickled_splits.load(path, "pianoroll", _REMEDY)


def parse(data, path):
  """Reads the bytes of a pianoroll file; `path` is for messages."""
  return pickled_splits.parse(data, path, "pianoroll", _REMEDY)


def save(path, pianorolls):
  """Writes a pianoroll file, whole or not at all, for Python 2 and 3."""
  check_writable(path)
  # Through a link, to the file that it names.
  with files.atomic_write(os.path.realpath(path)) as stream:
    pickle.dump(pianorolls, stream, protocol=2)


def save_with_mean(path, pianorolls):
  """Adds the train mean, writes the file, and logs what it holds."""
  dense = {split: dense_split(pianorolls, split, path) for split in SPLITS
           if split == "train" or pianorolls.get(split)}
  pianorolls[MEAN_KEY] = calculate_mean(dense["train"])
  save(path, pianorolls)
  sequences = list(itertools.chain.from_iterable(dense.values()))
  notes = MIN_NOTE + np.flatnonzero(calculate_mean(sequences))
  logging.info(
      "%s: %d sequences (%s), %d timesteps, %s.", path, len(sequences),
      ", ".join("%d %s" % (len(dense.get(split, ())), split)
                for split in SPLITS), sum(map(len, sequences)),
      "notes %d to %d" % (notes[0], notes[-1]) if len(notes) else "no notes")


def check_writable(path):
  """Refuses what cannot become a file, before much work is done."""
  if not os.path.basename(path) or os.path.isdir(path):
    raise UserError("%s: not a file; give the path of a file to write" % path)
  directory = os.path.dirname(os.path.realpath(path))
  if not os.path.isdir(directory):
    raise UserError("%s: there is no directory %s" % (path, directory))


def dense_split(pianorolls, split, path, min_note=MIN_NOTE, max_note=MAX_NOTE):
  """Returns a split as bool arrays `[T, max_note - min_note + 1]`.

  A `UserError` names the split, the sequence, the step and the note that is
  not an integer in [min_note, max_note].
  """
  dense = []
  sequences = pickled_splits.get_split(pianorolls, split, path)
  for index, sequence in enumerate(sequences):
    try:
      dense.append(to_dense(sequence, min_note, max_note - min_note + 1))
    except UserError as error:
      raise UserError("%s: split '%s', sequence %d, %s"
                      % (path, split, index, error)) from error
  return dense


def to_dense(sequence, min_note, num_notes):
  """Converts a sequence of chords to a bool array `[T, num_notes]`.

  A chord is a tuple, list, set or array of MIDI notes from `min_note` on, which
  may be whole floats. A note that is listed twice counts once.
  """
  max_note = min_note + num_notes - 1
  try:
    sizes = list(map(len, sequence))
    notes = list(itertools.chain.from_iterable(sequence))
    is_good = (
        all(issubclass(kind, numbers.Real) for kind in set(map(type, notes)))
        and min_note <= min(notes, default=min_note)
        and max(notes, default=max_note) <= max_note
        and not np.mod(np.array(notes, np.float64), 1.).any())
  except TypeError:  # Of len.
    is_good = False
  if not is_good:
    _raise_for_bad_note(sequence, min_note, max_note)
  dense = np.zeros([len(sizes), num_notes], dtype=bool)
  steps = np.repeat(np.arange(len(sizes)), sizes)
  dense[steps, np.array(notes, np.intp) - min_note] = True
  return dense


def _raise_for_bad_note(sequence, min_note, max_note):
  """Raises the UserError that names the first bad note of a sequence."""
  for step, chord in enumerate(sequence):
    if not hasattr(chord, "__len__"):
      raise UserError("step %d: %s is not a tuple of MIDI notes"
                      % (step, describe(chord)))
    for note in chord:
      if not isinstance(note, numbers.Real) or not note % 1 == 0:
        raise UserError("step %d: note %s is not an integer"
                        % (step, describe(note)))
      if not min_note <= note <= max_note:
        raise UserError("step %d: note %s is outside [%d, %d]"
                        % (step, describe(note), min_note, max_note))


def calculate_mean(dense):
  """The mean of arrays `[T, num_notes]` over all timesteps, in float64.

  The counts are integers, so that each entry is exact up to one rounding.
  """
  counts = sum(sequence.sum(axis=0, dtype=np.int64) for sequence in dense)
  return counts / sum(len(sequence) for sequence in dense)


def get_mean(pianorolls, path, num_notes):
  """Returns the train mean `[num_notes]`; see `pickled_splits.get_mean`."""
  return pickled_splits.get_mean(
      pianorolls, path, num_notes,
      "python fivo/data/calculate_pianoroll_mean.py --in_file=" + path, 0., 1.)
