"""Tests of fivo.formats.series."""

import io
import os
import random

import numpy as np
import pytest

from fivo.formats import series
from fivo.system.errors import UserError

_VALUES = np.arange(10.).reshape([5, 2])
_LENGTHS = [2, 3]


def _npz(tmp_path, **arrays):
  path = str(tmp_path / "a.npz")
  np.savez(path, **arrays)
  return path


def _csv(tmp_path, *texts):
  directory = tmp_path / "a" / "train"
  directory.mkdir(parents=True)
  for number, text in enumerate(texts):
    (directory / ("%d.csv" % number)).write_bytes(
        text if isinstance(text, bytes) else text.encode("utf-8"))
  return str(tmp_path / "a")


def _message(path, split="train"):
  with pytest.raises(UserError) as error:
    series.read_split(path, split)
  message = str(error.value)
  assert message.startswith(path) and "\n" not in message
  return message


@pytest.mark.parametrize("save, dtype, names", [
    (np.savez, "<f8", None), (np.savez_compressed, ">f4", ["x", "y"]),
    (np.savez, "u1", ["x", "y"])])
def test_npz(tmp_path, save, dtype, names):
  path = str(tmp_path / "a.npz")
  save(path, test_values=np.asfortranarray(_VALUES.astype(dtype)),
       test_lengths=np.array(_LENGTHS, np.uint8),
       **({"names": names} if names else {}))
  sequences = series.read_split(path, "test")
  assert [sequence.dtype for sequence in sequences] == 2 * [np.float64]
  np.testing.assert_array_equal(sequences[0], _VALUES[:2])
  np.testing.assert_array_equal(sequences[1], _VALUES[2:])
  assert series.read_names(path, 2) == names
  assert series.read_names(path, 3) is None
  assert "has no train_values, only 'test_values', 'test_lengths'" in (
      _message(path))


def test_one_column_needs_no_axis(tmp_path):
  sequence, = series.read_split(
      _npz(tmp_path, train_values=[1, 2], train_lengths=[2]), "train")
  assert sequence.tolist() == [[1.], [2.]]


@pytest.mark.parametrize("changes, words", [
    ({"train_values": np.where(_VALUES == 7., np.nan, _VALUES)},
     "train_values, sequence 1, step 1: number 1 is nan, not a finite"),
    ({"train_values": np.where(_VALUES == 2., 1e39, _VALUES)},
     "sequence 0, step 1: number 0 is 1e+39"),
    ({"train_values": np.zeros([5, 2, 1])}, "has shape [5, 2, 1] and type"),
    ({"train_values": np.zeros([5, 0])}, "has shape [5, 0]"),
    ({"train_values": 1.}, "has shape []"),
    ({"train_values": ["a", "b"]}, "type <U1; must be numbers"),
    ({"train_values": [1j]}, "type complex128"),
    ({"train_values": np.array([None])}, "not a complete .npz file (Val"),
    ({"train_lengths": [2, 2]}, "whose sum is the 5 rows of train_values"),
    ({"train_lengths": [5, 0]}, "must be positive integers"),
    ({"train_lengths": [6, -1]}, "must be positive integers"),
    ({"train_lengths": [2 ** 63 - 1, 2 ** 63 - 1]}, "must be positive"),
    ({"train_lengths": [2., 3.]}, "must be positive integers"),
    ({"train_lengths": [_LENGTHS]}, "must be positive integers"),
])
def test_wrong_arrays(tmp_path, changes, words):
  arrays = dict({"train_values": _VALUES, "train_lengths": _LENGTHS}, **changes)
  assert words in _message(_npz(tmp_path, **arrays))


def test_what_is_no_npz(tmp_path):
  path = tmp_path / "a.npz"
  assert "no such file" in _message(str(path))
  os.mkfifo(str(path))  # It would be waited for.
  assert "no such file" in _message(str(path))
  path.unlink()
  stream = io.BytesIO()
  np.save(stream, _VALUES)
  for data in (b"", b"1,2\n3,4\n", stream.getvalue()):
    path.write_bytes(data)
    message = _message(str(path))
    assert "not a complete .npz" in message
    assert "create_series_dataset.py makes of it" in message


def test_damaged_npz_is_read_or_refused(tmp_path):
  path = _npz(tmp_path, train_values=_VALUES, train_lengths=_LENGTHS)
  with open(path, "rb") as stream:
    good = stream.read()
  rng = random.Random(1)
  for _ in range(100):
    data = bytearray(good)
    for _ in range(rng.randrange(1, 4)):
      data[rng.randrange(len(data))] = rng.randrange(256)
    with open(path, "wb") as stream:
      stream.write(data[:rng.choice([len(good), rng.randrange(len(good))])])
    try:
      assert len(series.read_split(path, "train")) <= 5
    except UserError as error:
      assert "\n" not in str(error)


@pytest.mark.parametrize("text", [
    "0,1.5\n2,3\n", "0;1.5\r\n2;3\r\n", "0\t1.5\n2\t3\n\n\n",
    "0 1.5\n 2  3 ", "\ufeff0, 1.5\n2., 3e0"])
def test_csv(tmp_path, text):
  path = _csv(tmp_path, text, "4,5")
  with open(os.path.join(path, "train", "readme.txt"), "w") as stream:
    stream.write("about")
  os.rename(os.path.join(path, "train", "0.csv"),
            os.path.join(path, "train", "0.CSV"))
  first, second = series.read_split(path, "train")
  assert first.tolist() == [[0., 1.5], [2., 3.]]
  assert second.tolist() == [[4., 5.]]


@pytest.mark.parametrize("texts, words", [
    (["time,x\n1,2\n"], "0.csv, line 1: could not convert string to float"),
    (["1,2\n3,x\n"], "0.csv, line 2: could not convert string to float: 'x'"),
    (["1,2", "3,4\n5\n"], "1.csv, line 2: 1 numbers; must be 2, as in line"),
    (["1,2", "3\n4"], "1.csv, line 1: 1 numbers; must be 2, as in "),
    (["1,2\n3,nan"], "0.csv, line 2: not all are finite numbers"),
    (["1,1e39"], "0.csv, line 1: not all are finite"), (["1_0"], "not all are"),
    (["1,"], "line 1: could not convert"), (["1\n\n2"], "line 2: 0 numbers"),
    (["1", ""], "1.csv, line 1: 0 numbers"), (["1,5;2,5"], "line 1: could not"),
    ([b"\xff\xfe1"], "not text in UTF-8"),
    (["0,1,2\n.5,1.5,2.5\n"], "line 1: 0,1,2 is a header"),
    (["0,806\n1,05"], "line 1: 0,806 is decimal commas"),
    ([], "has no split 'train', which would be the files"),
])
def test_wrong_csv(tmp_path, texts, words):
  message = _message(_csv(tmp_path, *texts))
  assert words in message
  assert "create_series_dataset.py makes of it" in message or "as in" in message


@pytest.mark.parametrize("text, words", [
    ("0,1\n3,4\n", "could be a header"), ("12,345\n1,5\n", "decimal commas"),
    ("0,1.5\n1,0.5\n", "")])
def test_doubtful_csv_is_warned_of(tmp_path, caplog, text, words):
  series.read_split(_csv(tmp_path, text), "train")
  assert words in caplog.text if words else not caplog.text
