"""Tests of fivo.formats.pianorolls."""

import os
import pickle
import stat

import numpy as np
import pytest

from fivo.formats import pianorolls
from fivo.formats import pickles
from fivo.system import files
from fivo.system.errors import UserError

# Next to the checkout on some machines; too large to commit.
_REAL_FILES = os.path.join(
    os.path.dirname(os.path.abspath(__file__)),
    "../../../shared/data/pianorolls")


def _contents(**others):
  return dict({
      "train": [[(60, 64, 67), (), (60,)], [(21, 108)]],
      "valid": [[(50,)]],
      "test": [[(51,), (52,)]],
      "train_mean": np.linspace(0., 1., 88),
  }, **others)


def _write(tmp_path, data):
  path = str(tmp_path / "rolls.pkl")
  with open(path, "wb") as stream:
    stream.write(data if isinstance(data, bytes) else pickle.dumps(data, 2))
  return path


def _message(function, *args):
  with pytest.raises(UserError) as error:
    function(*args)
  message = str(error.value)
  assert "\n" not in message
  return message


def test_load_returns_what_the_file_holds(tmp_path):
  contents = _contents(extra={"composer": "Bach", "years": [1685, 1750]})
  loaded = pianorolls.load(_write(tmp_path, contents))
  mean = loaded.pop("train_mean")
  np.testing.assert_array_equal(mean, contents.pop("train_mean"))
  assert loaded == contents


@pytest.mark.parametrize("data, words", [
    (b"", "the file is empty"),
    (b"\n<!DOCTYPE html><html>404</html>", "holds a web page"),
    (b"not a pickle", "not a complete pickle"),
    (pickle.dumps(_contents(), 2)[:-40], "not a complete pickle"),
    (pickle.dumps(_contents(), 2)[:1], "not a complete pickle"),
    (pickle.dumps(open, 2), "refused: it asks for"),
    ([1, 2, 3], "holds a list of length 3, not a dictionary"),
    ({"train_mean": 0}, "none of the splits train, valid, test, only"),
    ({}, "only nothing"),
    ({"train": "abc"}, "split 'train' is 'abc', not a list"),
    ({"train": [], "test": {}}, "split 'test' is a dict of length 0, not"),
])
def test_defect_bad_file_gave_raw_exception(tmp_path, data, words):
  # The original said "Ran out of input", or a KeyError.
  path = _write(tmp_path, data)
  message = _message(pianorolls.load, path)
  assert message.startswith(path + ": ")
  assert words in message


def test_load_of_missing_file_and_directory(tmp_path):
  path = str(tmp_path / "rolls.pkl")
  assert _message(pianorolls.load, path).startswith(path + ": no such file; ")
  assert "not a file" in _message(pianorolls.load, str(tmp_path))
  assert "no such file" in _message(pianorolls.load, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_load_without_permission(tmp_path):
  path = _write(tmp_path, _contents())
  os.chmod(path, 0)
  assert "Permission denied" in _message(pianorolls.load, path)


def test_load_turns_memory_error_into_user_error(tmp_path, monkeypatch):
  def fail(_):
    raise MemoryError()

  monkeypatch.setattr(pickles, "loads", fail)
  path = _write(tmp_path, _contents())
  assert "MemoryError" in _message(pianorolls.load, path)


def test_save_writes_for_python_2(tmp_path):
  path = str(tmp_path / "rolls.pkl")
  contents = _contents(raw=b"\x00\xff", empty=b"")
  pianorolls.save(path, contents)
  with open(path, "rb") as stream:
    data = stream.read()
  assert data[:2] == b"\x80\x02"  # Protocol 2.
  loaded = pianorolls.load(path)
  np.testing.assert_array_equal(
      loaded.pop("train_mean"), contents.pop("train_mean"))
  assert loaded == contents


def test_defect_failed_write_destroyed_the_file(tmp_path, monkeypatch):
  path = _write(tmp_path, _contents())
  with open(path, "rb") as stream:
    before = stream.read()

  def fail(*_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(files.os, "fsync", fail)
  message = _message(pianorolls.save, path, _contents())
  assert message.startswith(path) and "No space left" in message
  with open(path, "rb") as stream:
    assert stream.read() == before
  assert os.listdir(str(tmp_path)) == ["rolls.pkl"]


def test_save_refuses_what_is_not_a_file(tmp_path):
  assert "not a file" in _message(pianorolls.save, str(tmp_path), {})
  fifo = str(tmp_path / "fifo")
  os.mkfifo(fifo)  # Stands for a device such as /dev/null.
  assert "not a file" in _message(pianorolls.save, fifo, {})
  assert stat.S_ISFIFO(os.stat(fifo).st_mode)
  path = str(tmp_path / "nowhere" / "rolls.pkl")
  assert "there is no directory" in _message(pianorolls.save, path, {})


def test_save_refuses_what_cannot_be_pickled(tmp_path):
  nested = []
  for _ in range(100000):
    nested = [nested]
  path = str(tmp_path / "rolls.pkl")
  for value in (nested, lambda: None):
    assert path in _message(pianorolls.save, path, {"train": value})
  assert not os.path.exists(path)
  while nested:  # Python frees deep nesting recursively.
    nested = nested[0]


def test_encode_and_decode():
  contents = _contents()
  encoded = pianorolls.encode_split(contents, "train", "p")
  assert [x.shape for x in encoded] == [(3, 11), (1, 11)]
  dense = [pianorolls.decode(x, 88) for x in encoded]
  assert [x.shape for x in dense] == [(3, 88), (1, 88)]
  assert [np.flatnonzero(step).tolist() for step in dense[0]] == [
      [39, 43, 46], [], [39]]
  assert [np.flatnonzero(step).tolist() for step in dense[1]] == [[0, 87]]


def test_encode_in_another_range():
  contents = {"train": [[(3,), (0, 12)], [()]]}
  encoded = pianorolls.encode_split(contents, "train", "p", 0, 12)
  dense = pianorolls.decode(encoded[0], 13)
  assert dense.shape == (2, 13)
  assert [np.flatnonzero(step).tolist() for step in dense] == [[3], [0, 12]]
  assert not pianorolls.decode(encoded[1], 13).any()


def test_defect_note_listed_twice_counted_twice():
  dense = pianorolls.to_dense([(60, 60, 64)], 60, 5)
  assert dense.astype(float).tolist() == [[1., 0., 0., 0., 1.]]


@pytest.mark.parametrize("sequence, words", [
    ([(60,), (61, 120)], "step 1: note 120 is outside [21, 108]"),
    ([(20,)], "step 0: note 20 is outside [21, 108]"),
    ([(), (-1,)], "step 1: note -1 is outside"),
    ([(60.,)], "step 0: note 60.0 is not an integer"),
    ([(60, 60.5)], "step 0: note 60.5 is not an integer"),
    ([(float("nan"),)], "step 0: note nan is not an integer"),
    ([(True,)], "step 0: note True is not an integer"),
    ([(None,)], "step 0: note None is not an integer"),
    ([("60",)], "step 0: note '60' is not an integer"),
    ([((60,),)], "step 0: note a tuple of length 1 is not an integer"),
    ([(60,), 61], "step 1: 61 is not a tuple"),
    ([None], "step 0: None is not a tuple"),
    ([b"<@"], "step 0: b'<@' is not a tuple"),
    ([{60: 1}], "step 0: a dict of length 1 is not a tuple"),
    ([(2**100000,)], "step 0: note an integer of 100001 bits is outside"),
    ([(60,) * 10**6], "step 0: a chord of 1000000 notes"),
    (60, " is 60, not a list of chords"),
    ("abc", " is 'abc', not a list of chords"),
    ([], " has length 0"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_defect_bad_note_gave_raw_exception(sequence, words):
  # The original said "column index exceeds matrix dimensions", and counted
  # sequences of length 0 in the average.
  contents = {"valid": [[(60,)], [()], sequence]}
  message = _message(pianorolls.encode_split, contents, "valid", "rolls.pkl")
  assert message.startswith("rolls.pkl: split 'valid', sequence 2")
  assert words in message


@pytest.mark.parametrize("split, words", [
    ("trian", "has no split 'trian', only 'train', 'valid', 'test'"),
    ("train_mean", "has no split 'train_mean', only"),
    ("valid", "split 'valid' has no sequences"),
    ("extra", "split 'extra' is 3, not a list of sequences"),
])
def test_bad_split(split, words):
  contents = {"train": [[(60,)]], "valid": [], "test": [[(60,)]],
              "train_mean": np.zeros([88])}
  if split == "extra":
    contents["extra"] = 3
  message = _message(pianorolls.encode_split, contents, split, "rolls.pkl")
  assert message.startswith("rolls.pkl: ")
  assert words in message


def test_references_cannot_stand_for_endless_data():
  # Some kilobytes of pickle: references to one sequence, to one chord.
  contents = {"train": [[(60,)] * 100000] * 100000}
  assert "10000000000 timesteps" in _message(
      pianorolls.encode_split, contents, "train", "rolls.pkl")


def test_references_cannot_stand_for_endless_notes(monkeypatch):
  monkeypatch.setattr(pianorolls, "_MAX_LISTED_NOTES", 1000)
  chord = (60,) * 200
  for train, culprit in (([[chord] * 6], "sequence 0, 1200 notes so far"),
                         ([[chord] * 2] * 6, "sequence 2, 1200 notes so far")):
    assert culprit in _message(
        pianorolls.encode_split, {"train": train}, "train", "rolls.pkl")


def test_huge_file_is_not_read(tmp_path):
  path = tmp_path / "rolls.pkl"
  with path.open("wb") as stream:
    stream.truncate(10 ** 12)  # Sparse.
  assert "is larger than 256 MB" in _message(pianorolls.load, str(path))


def test_many_names_are_not_all_shown():
  contents = {str(i): [] for i in range(999)}
  assert _message(pianorolls.encode_split, contents, "train", "p").endswith(
      "'8', '9', ...")


def test_other_kinds_of_sequences_and_integers():
  expected = pianorolls.to_dense([(60, 62), (), (61,)], 60, 3)
  for sequence in (
      [[60, 62], [], [61]],
      [np.array([60, 62]), np.array([], np.int64), np.array([61], np.uint8)],
      ((np.int64(60), 62), (), (np.uint8(61),))):
    np.testing.assert_array_equal(
        pianorolls.to_dense(sequence, 60, 3), expected)
  assert pianorolls.to_dense([], 60, 3).shape == (0, 3)


def test_mean_counts_timesteps_not_sequences():
  contents = {"train": [[(60,), (60, 61), ()], [(61, 61)]]}
  encoded = pianorolls.encode_split(contents, "train", "p", 60, 62)
  mean = pianorolls.calculate_mean(encoded, 3)
  assert mean.dtype == np.float64
  assert mean.tolist() == [0.5, 0.5, 0.]


@pytest.mark.parametrize("mean", [
    np.linspace(0., 1., 88), np.linspace(0., 1., 88).astype(np.float32),
    np.zeros([88], np.int64), [0.5] * 88, (1,) * 88])
def test_get_mean(mean):
  actual = pianorolls.get_mean({"train_mean": mean}, "p", 88)
  assert actual.dtype == np.float64
  np.testing.assert_array_equal(actual, np.array(mean, np.float64))


@pytest.mark.parametrize("mean, words", [
    (np.zeros([87]), "has shape [87], not [88]"),
    (np.zeros([1, 88]), "has shape [1, 88], not [88]"),
    (np.float64(0.), "not an array"),
    (None, "is None, not an array"),
    ("0" * 88, "not an array"),
    ([[0.]] * 88, "is a list of length 88, not an array"),
    ([10 ** 400] * 88, "is a list of length 88, not an array"),
    (np.where(np.arange(88) == 5, np.nan, 0.), "[5] is nan, not in [0, 1]"),
    (np.where(np.arange(88) == 6, -1e-3, 0.), "[6] is -0.001, not in [0, 1]"),
    (np.where(np.arange(88) == 7, np.inf, 0.), "[7] is inf, not in [0, 1]"),
    (np.where(np.arange(88) == 8, 1.5, 0.), "[8] is 1.5, not in [0, 1]"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_defect_bad_mean_was_taken(mean, words):
  # In the original NaN here became "indices[0] = 16 is not in [0, 16)".
  message = _message(
      pianorolls.get_mean, {"train_mean": mean}, "rolls.pkl", 88)
  assert message.startswith("rolls.pkl: train_mean")
  assert words in message
  assert "calculate_pianoroll_mean.py --in_file=rolls.pkl" in message


def test_defect_missing_mean_was_key_error():
  assert _message(pianorolls.get_mean, {}, "a/rolls.pkl", 88) == (
      "a/rolls.pkl: has no train_mean; add it with: "
      "python fivo/data/calculate_pianoroll_mean.py --in_file=a/rolls.pkl")


@pytest.mark.parametrize("name", ["jsb.pkl", "piano-midi.de.pkl"])
def test_real_files(name):
  # NumPy scalars in the first, plain integers in the second.
  path = os.path.join(_REAL_FILES, name)
  if not os.path.exists(path):
    pytest.skip("no pianoroll files here")
  loaded = pianorolls.load(path)
  with open(path, "rb") as stream:
    assert loaded == pickle.load(stream, encoding="latin1")
  counts = np.zeros([88])
  num_steps = 0
  for sequence in loaded["train"]:
    num_steps += len(sequence)
    for chord in sequence:
      counts[np.array(chord, int) - 21] += 1
  encoded = {split: pianorolls.encode_split(loaded, split, path)
             for split in pianorolls.SPLITS}
  np.testing.assert_allclose(
      pianorolls.calculate_mean(encoded["train"], 88), counts / num_steps,
      rtol=1e-12)
