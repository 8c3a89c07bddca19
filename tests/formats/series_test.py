"""Tests of the forms of fivo.formats.series that training takes."""

import os

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
  (tmp_path / "a" / "train").mkdir(parents=True)
  for number, text in enumerate(texts):
    (tmp_path / "a" / "train" / ("%d.CSV" % number)).write_text(text)
  return str(tmp_path / "a")


@pytest.mark.parametrize("save, dtype, names", [
    (np.savez, "<f8", None), (np.savez_compressed, ">f4", ["x", "y"]),
    (np.savez, "u1", ["x", "y"])])
def test_npz(tmp_path, save, dtype, names):
  path = str(tmp_path / "a.npz")
  save(path, test_values=np.asfortranarray(_VALUES.astype(dtype)),
       test_lengths=np.array(_LENGTHS, np.uint8),
       **({"names": names} if names else {}))
  sequences, found = series.read_split(path, "test")
  assert [sequence.dtype for sequence in sequences] == 2 * [np.float64]
  np.testing.assert_array_equal(sequences[0], _VALUES[:2])
  np.testing.assert_array_equal(sequences[1], _VALUES[2:])
  assert found == names


@pytest.mark.parametrize("texts", [
    ["0,1.5\n2,3\n", "4,5."], ["0;1.5\r\n2;3\r\n", "4 5"],
    ["\ufeff0, 1.5\n2., 3e0", "4\t5"], ["# t x\n0  1.5 \n 2 3", "4,5.0\n"]])
def test_directory(tmp_path, texts):
  path = _csv(tmp_path, *texts)
  (tmp_path / "a" / "train" / "readme.txt").write_text("about")
  (first, second), names = series.read_split(path, "train")
  assert first.tolist() == [[0., 1.5], [2., 3.]]
  assert second.tolist() == [[4., 5.]] and names is None


_REFUSED = [
    ({"train_values": np.where(_VALUES == 7., 1e39, _VALUES)},
     "train_values[3, 1] is 1e+39, not a finite number of 32 bits"),
    ({"train_values": ["a", "b"]}, "train_values, <U1 [2, 1], must be numbers"),
    ({"train_values": np.array([None])}, "not a complete .npz file of series"),
    ({"train_lengths": [2, 2]},
     "train_values, float64 [5, 2], must be numbers [sum T, D], and "
     "train_lengths, int64 of sum 4, positive integers of sum T"),
    ({"train_lengths": [6, -1]}, "train_lengths, int64 of sum 5, positive"),
    ({"train_lengths": ["a"]}, "train_lengths, <U1 of sum None, positive"),
    (["time,x\n1,2\n"], "0.CSV: has a header, dates or names"),
    (["1,2,3\n3,x,5\n"], "0.CSV, line 2, column '1': 'x' is not a finite"),
    (["1,2.5\n3,nan"], "0.CSV, line 2, column '1': the number is missing"),
    (["1.5,2", "3\n4"], "1.CSV: the columns are ['0']; those of "),
    (["0;1\n3;4\n"], "0.CSV, line 1: may be a header or numbers"),
    ([], "has no split 'train' of CSV files"),
]


@pytest.mark.parametrize("content, words", _REFUSED)
def test_refused_in_one_line(tmp_path, content, words):
  path = _csv(tmp_path, *content) if isinstance(content, list) else _npz(
      tmp_path, **dict({"train_values": _VALUES, "train_lengths": _LENGTHS},
                       **content))
  with pytest.raises(UserError) as error:
    series.read_split(path, "train")
  message = str(error.value)
  assert message.startswith(path) and "\n" not in message and words in message
  assert "create_series_dataset.py makes what training takes" in message


def test_what_is_no_npz(tmp_path):
  path = _npz(tmp_path, train_values=_VALUES, train_lengths=_LENGTHS)
  with open(path, "rb") as stream:
    good = stream.read()
  for data in (b"", b"1,2\n3,4\n", good[:-9], good[:200]):
    with open(path, "wb") as stream:
      stream.write(data)
    with pytest.raises(UserError, match="not a complete .npz file"):
      series.read_split(path, "train")
  np.savez(path, values=_VALUES)
  with pytest.raises(UserError, match="and train_lengths, only values;"):
    series.read_split(path, "train")
  np.save(path[:-len(".npz")], _VALUES)
  with pytest.raises(UserError, match="is one array, not an .npz file"):
    series.read_split(path[:-len(".npz")] + ".npy", "train")
  os.remove(path)
  os.mkfifo(path)  # It would be waited for.
  with pytest.raises(UserError, match="no such file"):
    series.read_split(path, "train")
