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
from fivo.formats.pickled_splits import MEAN_KEY  # noqa: F401
from fivo.formats.pickled_splits import SPLITS  # noqa: F401
from fivo.formats.reading import describe
from fivo.system import files
from fivo.system.errors import UserError

# The keys of a piano, A0 to C8.
MIN_NOTE = 21
MAX_NOTE = 108
NUM_NOTES = MAX_NOTE - MIN_NOTE + 1

_KIND = pickled_splits.Kind(
    name="pianoroll", example="jsb.pkl", steps="chords",
    remedy="bin/download_pianorolls.sh DIR downloads the datasets",
    mean_remedy="python fivo/data/calculate_pianoroll_mean.py --in_file=%s")


def load(path):
  """Reads a pianoroll file; see `pickled_splits.load`. Looks at no note."""
  return pickled_splits.load(path, _KIND)


def save(path, pianorolls):
  """Writes a pianoroll file, whole or not at all, for Python 2 and 3.

  Args:
    path: The path to write. What it held before stays if writing fails.
    pianorolls: A dictionary as `load` returns it.

  Raises:
    UserError: If there is no directory to write it to.
    OSError: If the disk refuses it.
  """
  check_writable(path)
  with files.atomic_write(path) as stream:
    pickle.dump(pianorolls, stream, protocol=2)


def save_with_mean(path, pianorolls):
  """Writes a new pianoroll file with its train mean, and logs what it holds.

  Args:
    path: The path to write.
    pianorolls: A dictionary as `load` returns it. Gets the train mean.

  Raises:
    UserError: If a sequence is empty, or as `save`.
  """
  dense = [dense_split(pianorolls, split, path) for split in SPLITS
           if split == "train" or pianorolls.get(split)]
  pianorolls[MEAN_KEY] = calculate_mean(dense[0])
  save(path, pianorolls)
  sequences = list(itertools.chain.from_iterable(dense))
  notes = MIN_NOTE + np.flatnonzero(calculate_mean(sequences))
  logging.info(
      "%s: %d sequences (%s), %d timesteps, %s.", path, len(sequences),
      ", ".join("%d %s" % (len(pianorolls.get(split, ())), split)
                for split in SPLITS), sum(map(len, sequences)),
      "notes %d to %d" % (notes[0], notes[-1]) if len(notes) else "no notes")


def check_writable(path):
  """Refuses a path to which no file can be written, before much work is done.

  Args:
    path: The path of a file, which need not exist, in a directory that must.

  Raises:
    UserError: If there is no such directory, if it does not let itself be
      written, or if something else than a file is at `path`.
  """
  if path.endswith(os.sep) or (
      os.path.exists(path) and not os.path.isfile(path)):
    # A rename would replace a device such as /dev/null by a file.
    raise UserError("%s: not a file; give the path of a file to write" % path)
  directory = os.path.dirname(os.path.realpath(path))
  if not os.path.isdir(directory):
    raise UserError("%s: there is no directory %s" % (path, directory))
  if not os.access(directory, os.W_OK | os.X_OK):
    raise UserError("%s: no permission to write in %s" % (path, directory))


def dense_split(pianorolls, split, path, min_note=MIN_NOTE, max_note=MAX_NOTE):
  """Checks a split and converts it to dense arrays.

  Args:
    pianorolls: A dictionary as `load` returns it.
    split: The key of the split.
    path: The path of the file, for messages.
    min_note: The lowest MIDI note allowed.
    max_note: The highest MIDI note allowed.

  Returns:
    A list of bool arrays `[T, max_note - min_note + 1]`, one per sequence.

  Raises:
    UserError: If the split is missing or empty, if a sequence is empty, or if
      anything in it is not a note in [min_note, max_note]: names the split,
      the sequence, the step and the note.
  """
  dense = []
  for index, sequence in enumerate(
      pickled_splits.get_split(pianorolls, split, path, _KIND)):
    try:
      dense.append(to_dense(sequence, min_note, max_note - min_note + 1))
    except UserError as error:
      raise UserError("%s: split '%s', sequence %d, %s"
                      % (path, split, index, error)) from error
  return dense


def to_dense(sequence, min_note, num_notes):
  """Converts a sequence of chords to a dense array.

  Args:
    sequence: A sequence of chords, each a tuple, list, set or array of MIDI
      notes, which may be whole floats. A note that is listed twice counts once.
    min_note: The MIDI note of the first column.
    num_notes: The number of columns.

  Returns:
    A bool array of shape `[T, num_notes]`.

  Raises:
    UserError: If a chord is not a sequence of integers in [min_note,
      min_note + num_notes): names the step and the note.
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


def calculate_mean(dense):
  """Calculates how often each note sounds in a split.

  Args:
    dense: A list of arrays as `dense_split` returns it.

  Returns:
    A float64 array `[num_notes]`: the mean over all timesteps of all sequences.
    The counts are integers, so that each entry is exact up to one rounding.
  """
  counts = sum(sequence.sum(axis=0, dtype=np.int64) for sequence in dense)
  return counts / sum(len(sequence) for sequence in dense)


def get_mean(pianorolls, path, num_notes):
  """Returns the train mean `[num_notes]`; see `pickled_splits.get_mean`."""
  return pickled_splits.get_mean(
      pianorolls, path, num_notes, _KIND, minimum=0., maximum=1.)


def _raise_for_bad_note(sequence, min_note, max_note):
  """Raises the UserError that names the first bad note of `sequence`."""
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
