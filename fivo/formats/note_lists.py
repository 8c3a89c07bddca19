"""Reads pianorolls in JSON and MATLAB files.

The JSON form, in which the JSB chorales circulate, is an object with "train",
"valid" and "test", each a list of sequences, lists of timesteps, lists of MIDI
notes (or one note). -1, null or NaN is a rest.

The MATLAB form has variables traindata, validdata and testdata (or train, valid
and test), each a cell array of matrices of zeros and ones with one row per
timestep and 88 columns, A0 to C8, or 128, all MIDI notes.
"""

import io
import json

import numpy as np
from scipy import sparse
import scipy.io

from fivo.formats import pianorolls
from fivo.formats import pickled_splits
from fivo.formats import reading
from fivo.formats.reading import describe
from fivo.system.errors import UserError

_MAX_NOTE = 127
# The first MIDI note of a matrix, by its number of columns.
_FIRST_NOTES = {pianorolls.NUM_NOTES: pianorolls.MIN_NOTE, _MAX_NOTE + 1: 0}


def read_json(path):
  """Reads the JSON form: a dict of splits, lists of lists of tuples."""
  data = reading.read_bytes(path)
  with reading.as_user_error(path, "JSON"):
    contents = json.loads(data.decode("utf-8"))
  if not isinstance(contents, dict):
    raise UserError("%s: is %s, not an object with train, valid and test"
                    % (path, describe(contents)))
  return _convert(contents, path, _lists_to_chords)


def read_mat(path):
  """Reads the MATLAB form; returns what `read_json` does."""
  data = reading.read_bytes(path)
  with reading.as_user_error(path, "a complete MATLAB file"):
    try:
      variables = scipy.io.loadmat(io.BytesIO(data))
    except NotImplementedError as error:
      raise UserError("%s: is of MATLAB's version 7.3; save it with: save(..., "
                      "'-v7')" % path) from error
  contents = {split: _cells(variables[name]) for split in pianorolls.SPLITS
              for name in (split, split + "data") if name in variables}
  return _convert(contents, path, _matrix_to_chords)


def _convert(contents, path, to_chords):
  """Converts the sequences of the splits that exist."""
  return {split: pickled_splits.convert(contents, split, path, to_chords)
          for split in pianorolls.SPLITS
          if split == "train" or contents.get(split)}


def _lists_to_chords(sequence):
  """Converts a sequence of the JSON form."""
  chords = []
  for step, notes in enumerate(sequence):
    notes = notes if isinstance(notes, list) else [notes]
    notes = [note for note in notes if note not in (None, -1) and note == note]
    for note in notes:
      if (isinstance(note, bool) or not isinstance(note, (int, float))
          or note % 1 or not 0 <= note <= _MAX_NOTE):
        raise UserError("step %d: %s is not a MIDI note from 0 to %d"
                        % (step, describe(note), _MAX_NOTE))
    chords.append(tuple(sorted(set(map(int, notes)))))
  return chords


def _cells(value):
  """The matrices in a MATLAB variable: in cells, in a stack, or only one."""
  if isinstance(value, np.ndarray) and value.dtype == object:
    value = value.ravel()
  elif value.ndim != 3:
    value = [value]
  return [cell.toarray() if sparse.issparse(cell) else cell for cell in value]


def _matrix_to_chords(matrix):
  """Converts a sequence of the MATLAB form."""
  if (matrix.ndim != 2 or matrix.dtype.kind not in "biuf"
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
