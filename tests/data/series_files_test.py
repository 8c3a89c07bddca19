"""Tests of fivo.data.series_files."""

import io
import os
import random
import zipfile

import numpy as np
import pytest

from fivo.data import series_files
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
    series_files.read_split(path, split)
  message = str(error.value)
  assert message.startswith(path) and "\n" not in message
  return message


class TestNpz:

  @pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
  @pytest.mark.parametrize("dtype", ["<f8", ">f4", "i2", "u1", "f2"])
  def test_read(self, tmp_path, save, dtype):
    path = str(tmp_path / "a.npz")
    save(path, test_values=np.asfortranarray(_VALUES.astype(dtype)),
         test_lengths=np.array(_LENGTHS, np.uint8))
    sequences = series_files.read_split(path, "test")
    assert [sequence.dtype for sequence in sequences] == 2 * [np.float64]
    np.testing.assert_array_equal(sequences[0], _VALUES[:2])
    np.testing.assert_array_equal(sequences[1], _VALUES[2:])
    assert "has no train_values, only 'test_values', 'test_lengths'" in (
        _message(path))

  def test_one_column_needs_no_axis(self, tmp_path):
    sequence, = series_files.read_split(
        _npz(tmp_path, train_values=[1, 2], train_lengths=[2]), "train")
    assert sequence.tolist() == [[1.], [2.]]

  @pytest.mark.parametrize("changes, words", [
      ({"train_values": np.where(_VALUES == 7., np.nan, _VALUES)},
       "train_values, sequence 1, step 1: number 1 is nan, not a finite"),
      ({"train_values": np.where(_VALUES == 2., 1e39, _VALUES)},
       "sequence 0, step 1: number 0 is 1e+39"),
      ({"train_values": np.zeros([5, 2, 1])}, "has shape [5, 2, 1]; must be"),
      ({"train_values": np.zeros([5, 0])}, "has shape [5, 0]"),
      ({"train_values": 1.}, "has shape []"),
      ({"train_values": ["a", "b"]}, "is of type <U1; must be numbers"),
      ({"train_values": [1j]}, "is of type complex128"),
      ({"train_values": np.array([None])}, "is of type object"),
      ({"train_lengths": [2, 2]}, "whose sum is the 5 rows of train_values"),
      ({"train_lengths": [5, 0]}, "must be positive integers"),
      ({"train_lengths": [6, -1]}, "must be positive integers"),
      ({"train_lengths": [2 ** 63 - 1, 2 ** 63 - 1]}, "must be positive"),
      ({"train_lengths": [2., 3.]}, "must be positive integers"),
      ({"train_lengths": []}, "must be positive integers"),
      ({"train_lengths": [_LENGTHS]}, "must be positive integers"),
  ])
  def test_wrong_arrays(self, tmp_path, changes, words):
    arrays = dict({"train_values": _VALUES, "train_lengths": _LENGTHS},
                  **changes)
    assert words in _message(_npz(tmp_path, **arrays))

  def test_what_is_no_npz(self, tmp_path):
    path = tmp_path / "a.npz"
    assert "no such file" in _message(str(path))
    os.mkfifo(str(path))
    assert "neither a file" in _message(str(path))
    path.unlink()
    stream = io.BytesIO()
    np.save(stream, _VALUES)
    for data in (b"", b"1,2\n3,4\n", stream.getvalue()):
      path.write_bytes(data)
      assert "not a complete .npz file" in _message(str(path))

  def test_false_sizes_take_no_memory(self, tmp_path):
    path = str(tmp_path / "a.npz")
    for shape in ((10 ** 12, 2), (10 ** 400,), (1 << 27, 1)):
      stream = io.BytesIO()
      np.lib.format.write_array_header_1_0(stream, {
          "descr": "<f8", "fortran_order": False, "shape": shape})
      with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train_values.npy", stream.getvalue())
      assert "must be at most" in _message(path)

  def test_damaged_files_are_read_or_refused(self, tmp_path):
    path = _npz(tmp_path, train_values=_VALUES, train_lengths=_LENGTHS)
    with open(path, "rb") as stream:
      good = stream.read()
    rng = random.Random(1)
    for _ in range(300):
      data = bytearray(good)
      for _ in range(rng.randrange(1, 4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
      with open(path, "wb") as stream:
        stream.write(data[:rng.choice([len(good), rng.randrange(len(good))])])
      try:
        assert len(series_files.read_split(path, "train")) <= 5
      except UserError as error:
        assert "\n" not in str(error)


class TestCsv:

  @pytest.mark.parametrize("text", [
      "0,1\n2,3\n", "0;1\r\n2;3\r\n", "0\t1\n2\t3\n\n\n", "0 1\n 2  3 ",
      "\ufeff0, 1\n2., 3e0"])
  def test_read(self, tmp_path, text):
    first, second = series_files.read_split(
        _csv(tmp_path, text, "4,5"), "train")
    assert first.tolist() == [[0., 1.], [2., 3.]]
    assert second.tolist() == [[4., 5.]]

  def test_other_files_are_left_alone(self, tmp_path):
    path = _csv(tmp_path, "1\n2")
    with open(os.path.join(path, "train", "readme.txt"), "w") as stream:
      stream.write("about")
    os.rename(os.path.join(path, "train", "0.csv"),
              os.path.join(path, "train", "X.CSV"))
    assert len(series_files.read_split(path, "train")) == 1

  @pytest.mark.parametrize("texts, words", [
      (["time,x\n1,2\n"], "0.csv, line 1: 'time' is not a number; remove the"),
      (["1,2\n3,x\n"], "0.csv, line 2: 'x' is not a number"),
      (["1,2", "3,4\n5\n"], "1.csv, line 2: 1 numbers; must be 2, as in line"),
      (["1,2", "3\n4"], "1.csv, line 1: 1 numbers; must be 2, as in "),
      (["1,2\n3,nan"], "0.csv, line 2: number 1 is nan"),
      (["1,-inf"], "0.csv, line 1: number 1 is -inf"), (["1,1e39"], "1e+39"),
      (["1,"], "'' is not a number"), (["1\n\n2"], "line 2: is an empty line"),
      (["1,2\n\n3,4"], "line 2: '' is not a number"),
      (["1", ""], "1.csv: is empty; remove it"), ([" \n"], "is empty"),
      (["1_0"], "'1_0' is not"), ([b"\xff\xfe1"], "is not text in UTF-8"),
      (["1,5;2,5"], "'5;2' is not a number"),
      ([], "has no split 'train', which would be the files"),
  ])
  def test_wrong_files(self, tmp_path, texts, words):
    message = _message(_csv(tmp_path, *texts))
    assert words in message
