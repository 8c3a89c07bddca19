"""Tests of fivo.formats.note_lists."""

import json
import os

import numpy as np
import pytest
from scipy import io
from scipy import sparse

from fivo.formats import note_lists
from tests.bad_files import message_of


def _json(tmp_path, contents):
  path = tmp_path / "a.json"
  path.write_text(contents if isinstance(contents, str)
                  else json.dumps(contents))
  return str(path)


def _mat(tmp_path, **variables):
  path = str(tmp_path / "a.mat")
  io.savemat(path, variables)
  return path


def _cells(*matrices):
  cells = np.empty([1, len(matrices)], dtype=object)
  cells[0, :] = matrices
  return cells


def _message(function, path):
  message = message_of(function, path)
  assert message.startswith(path + ": ")
  return message


def test_json(tmp_path):
  path = _json(tmp_path, {
      "train": [[[74, 70, 65, 58], [-1, -1, -1, -1], [], [60, 60, -1]],
                [60, -1, None, 61.0, [None, float("nan"), 5]]],
      "valid": [[[127]]], "test": [], "about": "anything"})
  assert note_lists.read_json(path) == {
      "train": [[(58, 65, 70, 74), (), (), (60,)],
                [(60,), (), (), (61,), (5,)]],
      "valid": [[(127,)]]}


@pytest.mark.parametrize("contents, words", [
    ("{", "not JSON"), ([1], "is a list of length 1"),
    ({"valid": []}, "has no split 'train', only 'valid'"),
    ({"train": [[[60], [60, 128]]]}, "sequence 0, step 1: 128 is not a MIDI"),
    ({"train": [[[60.5]]]}, "60.5 is not"), ({"train": [[["C"]]]}, "'C' is"),
    ({"train": [[[[60]]]]}, "a list of length 1 is not a MIDI note"),
    ({"train": [[-2]]}, "-2 is not"), ({"train": [[True]]}, "True is not"),
])
def test_wrong_json(tmp_path, contents, words):
  assert words in _message(note_lists.read_json, _json(tmp_path, contents))


@pytest.mark.parametrize("dtype, ending", [
    (np.float64, ""), (np.uint8, "data"), (bool, "data")])
def test_mat(tmp_path, dtype, ending):
  first = np.zeros([3, 88], dtype)
  first[0, 0] = first[0, 87] = first[2, 39] = 1
  second = np.eye(2, 128, 60).astype(dtype)
  path = _mat(tmp_path, **{
      "train" + ending: _cells(first, second),
      "valid" + ending: _cells(sparse.csc_matrix(first.astype(float))),
      "test" + ending: np.stack([first, first]), "other": "text"})
  chords = [(21, 108), (), (60,)]
  assert note_lists.read_mat(path) == {
      "train": [chords, [(60,), (61,)]], "valid": [chords],
      "test": [chords, chords]}


@pytest.mark.parametrize("variables, words", [
    ({"x": 1.}, "has no split 'train', only nothing"),
    ({"train": "text"}, "must be a matrix of zeros and ones"),
    ({"train": np.eye(88, 5)}, "an array of shape [88, 5]; must be a matrix"),
    ({"train": _cells(np.eye(2, 88), 2. * np.eye(2, 88))},
     "sequence 1, step 0: column 1 is 2.0, neither 0 nor 1"),
    ({"train": np.full([1, 88], np.nan)}, "is nan"),
])
def test_wrong_mat(tmp_path, variables, words):
  assert words in _message(note_lists.read_mat, _mat(tmp_path, **variables))


def test_what_is_no_mat(tmp_path):
  path = tmp_path / "a.mat"
  for data in (b"text", b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM",
               open(_mat(tmp_path, train=np.eye(9, 88)), "rb").read()[:-9]):
    path.write_bytes(data)
    _message(note_lists.read_mat, str(path))
  os.mkfifo(str(tmp_path / "pipe"))  # It would be waited for.
  assert "regular file" in _message(note_lists.read_mat, str(tmp_path / "pipe"))
