"""Pianoroll files: safe reading, checking, and writing whole.

A pianoroll file is a pickled dictionary. Under "train", "valid" and "test" it
holds splits: a split is a list of sequences, a sequence a list of chords (one
per timestep), a chord a possibly empty tuple of MIDI notes. Under "train_mean"
it holds the mean of the dense train split over all timesteps, which
`calculate_pianoroll_mean.py` adds. The files that are in use were written by
Python 2.

Nothing that a file says is run, see `plain_pickle`. Every mistake in a file is
a `UserError` whose message starts with the file's path.
"""

import itertools
import numbers
import os
import pickle

import numpy as np

from fivo.data import plain_pickle
from fivo.data.plain_pickle import describe
from fivo.system import files
from fivo.system.errors import UserError

SPLITS = ("train", "valid", "test")
MEAN_KEY = "train_mean"
# The keys of a piano, A0 to C8.
MIN_NOTE = 21
MAX_NOTE = 108
NUM_NOTES = MAX_NOTE - MIN_NOTE + 1

_DOWNLOAD = "bin/download_pianorolls.sh DIR downloads the datasets"
_MEAN_COMMAND = "python fivo/data/calculate_pianoroll_mean.py --in_file=%s"
# A few bytes of a pickle can stand for any number of references to one chord.
# The largest dataset in use (MuseData) has 0.4 million timesteps.
_MAX_STEPS = 50 * 1000 * 1000
_MAX_CHORD_SIZE = 256
_MAX_LISTED_NOTES = 50 * 1000 * 1000
# Read as plain data, a file takes up to a hundred times its size.
_MAX_FILE_BYTES = 1 << 28
_MAX_SHOWN_NAMES = 10


def load(path):
  """Reads a pianoroll file without running anything it says.

  Integers that were NumPy scalars become Python integers; arrays stay arrays.
  Notes are not looked at: see `encode_split`.

  Args:
    path: The path of a pianoroll file.

  Returns:
    The dictionary in the file: some of "train", "valid" and "test", each a
    list of sequences, perhaps "train_mean", and any other keys.

  Raises:
    UserError: If the file cannot be read, is not a pickle, asks for anything
      but plain data, or is not a dictionary of splits.
  """
  data = _read(path)
  try:
    pianorolls = plain_pickle.loads(data)
  except plain_pickle.RefusedError as error:
    raise UserError(
        "%s: refused: %s, which no pianoroll file needs; nothing in it was "
        "run; %s" % (path, error, _DOWNLOAD)) from error
  except (Exception, MemoryError) as error:  # pylint: disable=broad-except
    raise UserError(
        "%s: not a complete pickle (%s); %s"
        % (path, _one_line(error), _DOWNLOAD)) from error
  _check_is_dataset(pianorolls, path)
  return pianorolls


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
                    % (path, _one_line(error))) from error
  try:
    with files.atomic_write(path) as stream:
      stream.write(data)
  except OSError as error:
    raise UserError("%s: cannot be written (%s); nothing was changed"
                    % (path, error.strerror)) from error


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
  sequences = _get_split(pianorolls, split, path)
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
  command = _MEAN_COMMAND % path
  if MEAN_KEY not in pianorolls:
    raise UserError("%s: has no %s; add it with: %s"
                    % (path, MEAN_KEY, command))
  mean = pianorolls[MEAN_KEY]
  if isinstance(mean, (list, tuple)) and all(
      isinstance(entry, numbers.Real) for entry in mean):
    try:
      mean = np.array(mean, dtype=np.float64)
    except OverflowError:
      pass  # Of an integer; described below.
  if not isinstance(mean, np.ndarray):
    raise UserError("%s: %s is %s, not an array; calculate it again with: %s"
                    % (path, MEAN_KEY, describe(mean), command))
  if mean.shape != (num_notes,):
    raise UserError(
        "%s: %s has shape %s, not %s; calculate it again with: %s"
        % (path, MEAN_KEY, list(mean.shape), [num_notes], command))
  mean = mean.astype(np.float64)
  with np.errstate(invalid="ignore"):  # NaN is neither.
    wrong = np.flatnonzero(~((mean >= 0.) & (mean <= 1.)))
  if wrong.size:
    raise UserError(
        "%s: %s[%d] is %g, not in [0, 1]; calculate it again with: %s"
        % (path, MEAN_KEY, wrong[0], mean[wrong[0]], command))
  return mean


def _read(path):
  """Returns the bytes of the file at `path`, or raises a UserError."""
  if not os.path.exists(path):
    raise UserError("%s: no such file; %s" % (path, _DOWNLOAD))
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a pianoroll file, e.g. "
                    "%s" % (path, os.path.join(path, "jsb.pkl")))
  try:
    with open(path, "rb") as stream:
      data = stream.read(_MAX_FILE_BYTES + 1)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror)) from error
  if len(data) > _MAX_FILE_BYTES:
    raise UserError("%s: is larger than %d MB, which no pianoroll file is"
                    % (path, _MAX_FILE_BYTES >> 20))
  if not data:
    raise UserError("%s: the file is empty; %s" % (path, _DOWNLOAD))
  if data[:2] == b"\x1f\x8b":
    raise UserError("%s: is compressed; unpack it with gunzip first" % path)
  if data.lstrip()[:1] == b"<":
    raise UserError("%s: holds a web page, not a pianoroll pickle; %s"
                    % (path, _DOWNLOAD))
  return data


def _check_is_dataset(pianorolls, path):
  """Raises a UserError unless `pianorolls` is a dictionary of splits."""
  if not isinstance(pianorolls, dict):
    raise UserError("%s: holds %s, not a dictionary with the splits %s"
                    % (path, describe(pianorolls), ", ".join(SPLITS)))
  splits = [split for split in SPLITS if split in pianorolls]
  if not splits:
    raise UserError("%s: has none of the splits %s, only %s"
                    % (path, ", ".join(SPLITS), _names(pianorolls)))
  for split in splits:
    if not isinstance(pianorolls[split], (list, tuple)):
      raise UserError("%s: split '%s' is %s, not a list of sequences"
                      % (path, split, describe(pianorolls[split])))


def _get_split(pianorolls, split, path):
  """Returns the non-empty sequences of a split, or raises a UserError."""
  if split not in pianorolls or split == MEAN_KEY:
    there = [key for key in pianorolls if key != MEAN_KEY]
    raise UserError("%s: has no split '%s', only %s"
                    % (path, split, _names(there)))
  sequences = pianorolls[split]
  if not isinstance(sequences, (list, tuple)):
    raise UserError("%s: split '%s' is %s, not a list of sequences"
                    % (path, split, describe(sequences)))
  if not sequences:
    raise UserError("%s: split '%s' has no sequences" % (path, split))
  num_steps = 0
  for index, sequence in enumerate(sequences):
    if not isinstance(sequence, (list, tuple)):
      raise UserError("%s: split '%s', sequence %d is %s, not a list of chords"
                      % (path, split, index, describe(sequence)))
    if not sequence:
      raise UserError("%s: split '%s', sequence %d has length 0; remove it"
                      % (path, split, index))
    num_steps += len(sequence)
  if num_steps > _MAX_STEPS:
    raise UserError("%s: split '%s' has %d timesteps; at most %d are allowed"
                    % (path, split, num_steps, _MAX_STEPS))
  return sequences


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


def _names(keys):
  keys = list(keys)
  return ", ".join([describe(key) for key in keys[:_MAX_SHOWN_NAMES]] +
                   ["..."] * (len(keys) > _MAX_SHOWN_NAMES)) or "nothing"


def _one_line(error):
  message = str(error).split("\n")[0][:120]
  name = type(error).__name__
  return "%s: %s" % (name, message) if message else name
