"""Pianoroll files: safe reading, checking, and writing whole.

A pianoroll file is one of `pickled_splits`. A sequence is a list of chords (one
per timestep), a chord a possibly empty tuple of MIDI notes. The mean of the
dense train split is what `calculate_pianoroll_mean.py` adds. The files that are
in use were written by Python 2.

Every mistake in a file is a `UserError` whose message starts with the file's
path.
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
from fivo.formats.pickles import describe
from fivo.system import files
from fivo.system.errors import UserError

# The keys of a piano, A0 to C8.
MIN_NOTE = 21
MAX_NOTE = 108
NUM_NOTES = MAX_NOTE - MIN_NOTE + 1

_KIND = pickled_splits.Kind(
    name="pianoroll", example="jsb.pkl", list_types=(list, tuple),
    steps="chords",
    remedy="bin/download_pianorolls.sh DIR downloads the datasets",
    mean_remedy="python fivo/data/calculate_pianoroll_mean.py --in_file=%s")
# A few bytes of a pickle can stand for any number of references to one chord.
_MAX_CHORD_SIZE = 256
_MAX_LISTED_NOTES = 50 * 1000 * 1000


def load(path):
  """Reads a pianoroll file; see `pickled_splits.load`.

  Notes are not looked at: see `encode_split`.

  Args:
    path: The path of a pianoroll file.

  Returns:
    The dictionary in the file.

  Raises:
    UserError: If the file is not what it must be.
  """
  return pickled_splits.load(path, _KIND)


def save(path, pianorolls):
  """Writes a pianoroll file, whole or not at all, for Python 2 and 3.

  Args:
    path: The path to write. What it held before stays if writing fails.
    pianorolls: A dictionary as `load` returns it.

  Raises:
    UserError: If `pianorolls` cannot be pickled, or the file not be written.
  """
  check_writable(path)
  try:
    data = pickle.dumps(pianorolls, protocol=2)
  except (AttributeError, pickle.PicklingError, RecursionError,
          TypeError) as error:
    raise UserError("%s: cannot be written as a pickle (%s)"
                    % (path, pickled_splits.one_line(error))) from error
  try:
    with files.atomic_write(path) as stream:
      stream.write(data)
  except OSError as error:
    raise UserError("%s: cannot be written (%s); nothing was changed"
                    % (path, error.strerror)) from error


def save_with_mean(path, pianorolls):
  """Writes a new pianoroll file with its train mean, and logs what it holds.

  Args:
    path: The path to write.
    pianorolls: A dictionary as `load` returns it. Gets the train mean.

  Raises:
    UserError: If a sequence is empty, or as `save`.
  """
  encoded = [encode_split(pianorolls, split, path) for split in SPLITS
             if split == "train" or pianorolls.get(split)]
  pianorolls[MEAN_KEY] = calculate_mean(encoded[0], NUM_NOTES)
  save(path, pianorolls)
  sequences = list(itertools.chain.from_iterable(encoded))
  notes = MIN_NOTE + np.flatnonzero(calculate_mean(sequences, NUM_NOTES))
  logging.info(
      "%s: %d sequences (%s), %d timesteps, %s.", path, len(sequences),
      ", ".join("%d %s" % (len(pianorolls.get(split, ())), split)
                for split in SPLITS), sum(map(len, sequences)),
      "notes %d to %d" % (notes[0], notes[-1]) if len(notes) else "no notes")


def check_writable(path):
  """Raises a `UserError` unless a file can be written at `path`.

  For commands that work for a while before they write.

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


def encode_split(pianorolls, split, path, min_note=MIN_NOTE,
                 max_note=MAX_NOTE):
  """Checks a split and packs it into one bit per timestep and note.

  MuseData's train split takes 3 MB in this form, 22 as lists of tuples, and 86
  as dense float32 arrays.

  Args:
    pianorolls: A dictionary as `load` returns it.
    split: The key of the split.
    path: The path of the file, for messages.
    min_note: The lowest MIDI note allowed.
    max_note: The highest MIDI note allowed.

  Returns:
    A list of uint8 arrays, one per sequence, of shape
    `[num_timesteps, ceil(num_notes / 8)]`, that `decode` turns into dense
    arrays.

  Raises:
    UserError: If the split is missing or empty, if a sequence is empty, or if
      anything in it is not a note in [min_note, max_note]: names the split,
      the sequence, the step and the note.
  """
  sequences = pickled_splits.get_split(pianorolls, split, path, _KIND)
  num_notes = max_note - min_note + 1
  encoded = []
  num_listed = 0
  for index, sequence in enumerate(sequences):
    try:
      dense = to_dense(sequence, min_note, num_notes)
      num_listed += sum(map(len, sequence))
      _check_listed(num_listed)
    except UserError as error:
      raise UserError("%s: split '%s', sequence %d, %s"
                      % (path, split, index, error)) from error
    encoded.append(np.packbits(dense, axis=1))
  return encoded


def decode(encoded, num_notes):
  """Unpacks a sequence that `encode_split` packed.

  Args:
    encoded: A uint8 array of shape `[num_timesteps, ceil(num_notes / 8)]`.
    num_notes: The number of notes, `max_note - min_note + 1`.

  Returns:
    A uint8 array of shape `[num_timesteps, num_notes]` of zeros and ones.
  """
  return np.unpackbits(encoded, axis=1)[:, :num_notes]


def to_dense(sequence, min_note, num_notes):
  """Converts a sequence of chords to a dense array.

  Args:
    sequence: A sequence of chords, each a sequence of MIDI notes. A chord that
      lists a note twice counts it once.
    min_note: The MIDI note of the first column.
    num_notes: The number of columns.

  Returns:
    A bool array of shape `[num_timesteps, num_notes]`.

  Raises:
    UserError: If a chord is not a sequence of integers in [min_note,
      min_note + num_notes): names the step and the note.
  """
  max_note = min_note + num_notes - 1
  sizes = [_chord_size(step, chord) for step, chord in enumerate(sequence)]
  _check_listed(sum(sizes))
  notes = list(itertools.chain.from_iterable(sequence))
  if not (all(map(_is_integer_type, set(map(type, notes)))) and
          (not notes or min_note <= min(notes) <= max(notes) <= max_note)):
    _raise_for_bad_note(sequence, min_note, max_note)
  dense = np.zeros([len(sizes), num_notes], dtype=bool)
  steps = np.repeat(np.arange(len(sizes)), sizes)
  dense[steps, np.array(notes, dtype=np.intp) - min_note] = True
  return dense


def calculate_mean(encoded, num_notes):
  """Calculates how often each note sounds in a split.

  Args:
    encoded: A list of packed sequences, as `encode_split` returns it.
    num_notes: The number of notes, `max_note - min_note + 1`.

  Returns:
    A float64 array of shape `[num_notes]`: the mean of the dense sequences
    over all timesteps of all sequences. The counts are integers, so that each
    entry is exact up to one rounding.
  """
  counts = sum(decode(sequence, num_notes).sum(axis=0, dtype=np.int64)
               for sequence in encoded)
  return counts / sum(len(sequence) for sequence in encoded)


def get_mean(pianorolls, path, num_notes):
  """Returns the checked train mean of a pianoroll file.

  Args:
    pianorolls: A dictionary as `load` returns it.
    path: The path of the file, for messages.
    num_notes: The number of notes, `max_note - min_note + 1`.

  Returns:
    A float64 array of shape `[num_notes]`, all entries in [0, 1].

  Raises:
    UserError: If there is no train mean (names the command that adds one), or
      if it is not `num_notes` numbers in [0, 1].
  """
  return pickled_splits.get_mean(
      pianorolls, path, num_notes, _KIND, minimum=0., maximum=1.)


def _chord_size(step, chord):
  """Returns the number of notes that `chord` lists."""
  try:
    size = len(chord)
  except TypeError:
    size = None
  # Bytes and dictionaries would give integers too.
  if size is None or isinstance(chord, (bytes, dict, str)):
    raise UserError("step %d: %s is not a tuple of MIDI notes"
                    % (step, describe(chord)))
  if size > _MAX_CHORD_SIZE:
    raise UserError("step %d: a chord of %d notes; at most %d are allowed"
                    % (step, size, _MAX_CHORD_SIZE))
  return size


def _check_listed(num_listed):
  """Raises a UserError for more notes than any dataset lists."""
  if num_listed > _MAX_LISTED_NOTES:
    raise UserError("%d notes so far; at most %d are allowed"
                    % (num_listed, _MAX_LISTED_NOTES))


def _is_integer_type(note_type):
  return issubclass(note_type, numbers.Integral) and note_type is not bool


def _raise_for_bad_note(sequence, min_note, max_note):
  """Raises the UserError that names the first bad note of `sequence`."""
  for step, chord in enumerate(sequence):
    for note in chord:
      if not _is_integer_type(type(note)):
        raise UserError("step %d: note %s is not an integer"
                        % (step, describe(note)))
      if not min_note <= note <= max_note:
        raise UserError("step %d: note %s is outside [%d, %d]"
                        % (step, describe(note), min_note, max_note))
