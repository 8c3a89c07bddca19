"""Tests of fivo.formats.pianorolls and pickled_splits."""

import pickle

import numpy as np
import pytest

from fivo.formats import pianorolls
from tests.bad_files import message_of

_CONTENTS = {"train": [[(60, 64, 67), (), (60,)], [(21, 108)]],
             "valid": [[(50,)]], "test": [[(51,), (52,)]],
             "about": {"composer": "Bach", "raw": b"\x00\xff", "b": b""}}


def test_what_is_saved_is_loaded(tmp_path):
  path = tmp_path / "rolls.pkl"
  pianorolls.save(str(path), _CONTENTS)
  assert path.read_bytes()[:2] == b"\x80\x02"  # Protocol 2, for Python 2.
  assert pianorolls.load(str(path)) == _CONTENTS


@pytest.mark.parametrize("data, words", [
    (b"", "not a complete pickle"),
    (b"\n<!DOCTYPE html><html>404</html>", "holds a web page"),
    (b"\x40\6" + bytes(20), "if it is a TFRecord file, add --dataset_type="),
    (b"\x1f\x8b\x08" + bytes(20), "is compressed"),
    (pickle.dumps(_CONTENTS, 2)[:-40], "not a complete pickle"),
    (pickle.dumps(open, 2), "refused: it asks for"),
    (pickle.dumps([1, 2], 2), "holds a list of length 2, not a dictionary"),
])
def test_defect_bad_file_gave_raw_exception(tmp_path, data, words):
  # The original said "Ran out of input", or a KeyError.
  path = tmp_path / "rolls.pkl"
  path.write_bytes(data)
  message = message_of(pianorolls.load, str(path))
  assert message.startswith(str(path) + ": ")
  assert words in message


def test_save_refuses_what_is_not_a_file(tmp_path):
  assert "not a file" in message_of(pianorolls.save, str(tmp_path), {})


@pytest.mark.parametrize("sequence", [
    [(60, 62, 60), (), (61,)],  # The original counted a note twice.
    [{60, 62}, set(), [61]],
    [(60., 62), (), (np.float32(61.),)],
    (np.array([60, 62]), np.array([], np.int64), np.array([61], np.uint8))])
def test_forms_of_chords(sequence):
  assert pianorolls.to_dense(sequence, 60, 3).tolist() == [
      [True, False, True], [False] * 3, [False, True, False]]


@pytest.mark.parametrize("sequence, words", [
    ([(60,), (61, 120)], "step 1: note 120 is outside [21, 108]"),
    ([(), (-1,)], "step 1: note -1 is outside"),
    ([(60, 60.5)], "step 0: note 60.5 is not an integer"),
    ([("60",)], "step 0: note '60' is not an integer"),
    ([((60,),)], "step 0: note a tuple of length 1 is not an integer"),
    ([(60,), 61], "step 1: 61 is not a tuple"),
    (60, " is 60, not a list of timesteps"),
    ([], " has no timesteps"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_defect_bad_note_gave_raw_exception(sequence, words):
  # The original said "column index exceeds matrix dimensions", and counted
  # sequences of length 0 in the average.
  contents = {"valid": [[(60,)], [()], sequence]}
  message = message_of(pianorolls.dense_split, contents, "valid", "rolls.pkl")
  assert message.startswith("rolls.pkl: split 'valid', sequence 2")
  assert words in message


@pytest.mark.parametrize("split, words", [
    ("train_mean", "has no split 'train_mean', only 'train', 'valid', 'extra'"),
    ("valid", "split 'valid' has no sequences"),
    ("extra", "split 'extra' is 3, not a list of sequences"),
])
def test_bad_split(split, words):
  contents = {"train": [[(60,)]], "valid": [], "extra": 3,
              "train_mean": np.zeros([88])}
  message = message_of(pianorolls.dense_split, contents, split, "rolls.pkl")
  assert message.startswith("rolls.pkl: ") and words in message


def test_mean_counts_timesteps_not_sequences():
  contents = {"train": [[(60,), (60, 61), ()], [(61, 61)]]}
  dense = pianorolls.dense_split(contents, "train", "p", 60, 62)
  mean = pianorolls.calculate_mean(dense)
  assert mean.dtype == np.float64
  assert mean.tolist() == [0.5, 0.5, 0.]


@pytest.mark.parametrize("mean, words", [
    (np.zeros([1, 88]), "has shape [1, 88], not [88]"),
    ("C4", "not numbers (ValueError: could not convert string"),
    (np.where(np.arange(88) == 5, np.nan, 0.), "[5] is nan, not in [0, 1]"),
    (np.where(np.arange(88) == 8, 1.5, 0.), "[8] is 1.5, not in [0, 1]"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_defect_bad_mean_was_taken(mean, words):
  # In the original NaN here became "indices[0] = 16 is not in [0, 16)".
  message = message_of(
      pianorolls.get_mean, {"train_mean": mean}, "rolls.pkl", 88)
  assert message.startswith("rolls.pkl: train_mean")
  assert words in message
  assert "calculate_pianoroll_mean.py --in_file=rolls.pkl" in message
