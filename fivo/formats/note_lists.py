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
import re

import numpy as np
from scipy import sparse
import scipy.io

from fivo.formats import pianorolls
from fivo.formats import pickled_splits
from fivo.formats.pickles import describe
from fivo.system import files
from fivo.system.errors import UserError

_MAX_NOTE = 127
_MAX_MAT_BYTES = 1 << 28
_MAX_STEPS = 1000 * 1000
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
  try:
    contents = files.read_json(path)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror)) from error
  except ValueError as error:
    raise UserError("%s: is not JSON (%s)" % (path, error)) from error
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
  names = ["%s%s" % (split, ending) for split in pianorolls.SPLITS
           for ending in ("", "data")]
  try:
    contents = scipy.io.loadmat(
        io.BytesIO(files.read_bytes(path, _MAX_MAT_BYTES)),
        variable_names=names)
  except NotImplementedError as error:
    raise UserError("%s: is of MATLAB's version 7.3; save it with: save(..., "
                    "'-v7')" % path) from error
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror or error)) from error
  except Exception as error:  # pylint: disable=broad-except
    # The library raises almost anything for a damaged file.
    raise UserError("%s: is not a complete MATLAB file (%s)"
                    % (path, pickled_splits.one_line(error))) from error
  return _convert(
      {re.sub("data$", "", name): _cells(contents[name])
       for name in names if name in contents}, path, _matrix_to_chords)


def _convert(contents, path, to_chords):
  """Converts the sequences of each split; names the one that is wrong."""
  if "train" not in contents:
    raise UserError("%s: has no train split, only %s" % (
        path, ", ".join(map(describe, list(contents)[:10])) or "nothing"))
  converted = {}
  for split in (split for split in pianorolls.SPLITS if split in contents):
    if not isinstance(contents[split], list):
      raise UserError("%s: split '%s' is %s, not a list of sequences"
                      % (path, split, describe(contents[split])))
    if split == "train" and not contents[split]:
      raise UserError("%s: split 'train' has no sequences" % path)
    converted[split] = []
    for index, sequence in enumerate(contents[split]):
      try:
        converted[split].append(to_chords(sequence))
        if not converted[split][-1]:
          raise UserError("it has length 0; remove it")
      except UserError as error:
        raise UserError("%s: split '%s', sequence %d, %s"
                        % (path, split, index, error)) from error
  return converted


def _lists_to_chords(sequence):
  """Converts a sequence of the JSON form."""
  if not isinstance(sequence, list):
    raise UserError("%s is not a list of timesteps" % describe(sequence))
  chords = []
  for step, notes in enumerate(sequence):
    notes = notes if isinstance(notes, list) else [notes]
    chord = set()
    for note in notes:
      if note is None or note == -1 or note != note:
        continue
      if (isinstance(note, bool) or not isinstance(note, (int, float))
          or note % 1 or not 0 <= note <= _MAX_NOTE):
        raise UserError("step %d: %s is not a MIDI note from 0 to %d"
                        % (step, describe(note), _MAX_NOTE))
      chord.add(int(note))
    chords.append(tuple(sorted(chord)))
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
  if (getattr(matrix, "ndim", 0) != 2 or matrix.dtype.kind not in "biuf"
      or matrix.shape[1] not in _FIRST_NOTES):
    raise UserError(
        "it is %s; must be a matrix of zeros and ones with one row per "
        "timestep and 88 or 128 columns" % describe(matrix))
  if matrix.shape[0] > _MAX_STEPS:
    raise UserError("it has %d timesteps; at most %d are allowed"
                    % (matrix.shape[0], _MAX_STEPS))
  if sparse.issparse(matrix):
    matrix = matrix.tocoo()
    steps, columns, values = matrix.row, matrix.col, matrix.data
  else:
    steps, columns = np.nonzero(matrix)
    values = matrix[steps, columns]
  wrong = np.flatnonzero((values != 1) & (values != 0))
  if wrong.size:
    raise UserError("step %d: column %d is %s, neither 0 nor 1" % (
        steps[wrong[0]], columns[wrong[0]] + 1, values[wrong[0]]))
  chords = [[] for _ in range(matrix.shape[0])]
  first = _FIRST_NOTES[matrix.shape[1]]
  for step, column, value in zip(
      steps.tolist(), columns.tolist(), values.tolist()):
    if value:
      chords[step].append(first + column)
  return [tuple(sorted(chord)) for chord in chords]
