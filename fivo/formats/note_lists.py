"""Reads pianorolls in the JSON and MATLAB forms in which others keep them.

The JSON form, in which the JSB chorales circulate: an object with "train",
"valid" and "test"; each a list of sequences, a sequence a list of timesteps, a
timestep a list of MIDI notes, or one note. A rest is -1, null or NaN in the
place of a note, or an empty list.

The MATLAB form, of polyphonic music in papers on sequence models: variables
traindata, validdata and testdata (or train, valid and test), each a cell array
of sequences, a sequence a matrix of zeros and ones with one row per timestep
and 88 columns, A0 to C8, or 128, all MIDI notes.
"""

import io
import json

import numpy as np
from scipy import sparse
import scipy.io

from fivo.formats import pianorolls
from fivo.formats import reading
from fivo.formats.reading import describe
from fivo.system.errors import UserError

_MAX_NOTE = 127
_MAX_FILE_BYTES = 1 << 28
# The first MIDI note of a matrix of so many columns.
_FIRST_NOTES = {pianorolls.NUM_NOTES: pianorolls.MIN_NOTE, _MAX_NOTE + 1: 0}


def read_json(path):
  """Reads the JSON form.

  Args:
    path: The path of the file.

  Returns:
    A dictionary from splits to lists of lists of tuples of MIDI notes.

  Raises:
    UserError: If the file cannot be read or is not of that form.
  """
  data = reading.read_bytes(path, _MAX_FILE_BYTES)
  with reading.complaining(path, "JSON"):
    contents = json.loads(data.decode("utf-8"))
  if not isinstance(contents, dict):
    raise UserError("%s: is %s, not an object with train, valid and test"
                    % (path, describe(contents)))
  return _convert(contents, path, _lists_to_chords)


def read_mat(path):
  """Reads the MATLAB form; nothing in the file is run.

  Args:
    path: The path of the file.

  Returns:
    A dictionary from splits to lists of lists of tuples of MIDI notes.

  Raises:
    UserError: If the file cannot be read or is not of that form.
  """
  data = reading.read_bytes(path, _MAX_FILE_BYTES)
  with reading.complaining(path, "a complete MATLAB file"):
    try:
      contents = scipy.io.loadmat(io.BytesIO(data))
    except NotImplementedError as error:
      raise UserError("%s: is of MATLAB's version 7.3; save it with: save(..., "
                      "'-v7')" % path) from error
  found = {split: contents.get(split, contents.get(split + "data"))
           for split in pianorolls.SPLITS}
  return _convert({split: _cells(value) for split, value in found.items()
                   if value is not None}, path, _matrix_to_chords)


def _convert(contents, path, to_chords):
  """Converts the sequences of each split; names the one that is wrong."""
  if "train" not in contents:
    raise UserError("%s: has no train split, only %s" % (
        path, ", ".join(map(describe, list(contents)[:10])) or "nothing"))
  converted = {}
  for split in (split for split in pianorolls.SPLITS if split in contents):
    where = "%s: split '%s'" % (path, split)
    if not isinstance(contents[split], list):
      raise UserError("%s is %s, not a list of sequences"
                      % (where, describe(contents[split])))
    if split == "train" and not contents[split]:
      raise UserError("%s has no sequences" % where)
    converted[split] = []
    for index, sequence in enumerate(contents[split]):
      try:
        chords = to_chords(sequence)
      except UserError as error:
        raise UserError("%s, sequence %d, %s" % (where, index, error)) from (
            error)
      if not chords:
        raise UserError("%s, sequence %d has length 0; remove it"
                        % (where, index))
      converted[split].append(chords)
  return converted


def _lists_to_chords(sequence):
  """Converts a sequence of the JSON form."""
  if not isinstance(sequence, list):
    raise UserError("%s is not a list of timesteps" % describe(sequence))
  chords = []
  for step, notes in enumerate(sequence):
    notes = notes if isinstance(notes, list) else [notes]
    notes = [note for note in notes
             if note is not None and note != -1 and note == note]
    for note in notes:
      if (isinstance(note, bool) or not isinstance(note, (int, float))
          or note % 1 or not 0 <= note <= _MAX_NOTE):
        raise UserError("step %d: %s is not a MIDI note from 0 to %d"
                        % (step, describe(note), _MAX_NOTE))
    chords.append(tuple(sorted(set(map(int, notes)))))
  return chords


def _cells(value):
  """Returns the list of matrices that a MATLAB variable stands for."""
  if sparse.issparse(value):
    return [value]
  if not isinstance(value, np.ndarray) or value.dtype.names:
    return value
  if value.dtype == object:
    return list(value.ravel())
  # Sequences of one length may be stacked; and one alone needs no cell.
  return list(value) if value.ndim == 3 else [value]


def _matrix_to_chords(matrix):
  """Converts a sequence of the MATLAB form."""
  if sparse.issparse(matrix):
    matrix = matrix.toarray()
  if (getattr(matrix, "ndim", 0) != 2 or matrix.dtype.kind not in "biuf"
      or matrix.shape[1] not in _FIRST_NOTES):
    raise UserError(
        "it is %s; must be a matrix of zeros and ones with one row per "
        "timestep and 88 or 128 columns" % describe(matrix))
  wrong = np.argwhere((matrix != 1) & (matrix != 0))
  if wrong.size:
    step, column = wrong[0]
    raise UserError("step %d: column %d is %s, neither 0 nor 1"
                    % (step, column + 1, matrix[step, column]))
  first = _FIRST_NOTES[matrix.shape[1]]
  return [tuple((first + np.flatnonzero(row)).tolist()) for row in matrix]
