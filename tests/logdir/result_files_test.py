"""Tests of files of results."""

import numpy as np
import pytest

from fivo.logdir import result_files
from fivo.system import errors


def test_two_gibibytes_are_refused():
  """NumPy failed after all the work."""
  result_files.check_size("sample_length", 2047, 2 ** 20, "--batch_size")
  with pytest.raises(errors.UserError) as caught:
    result_files.check_size("sample_length", 2048, 2 ** 20, "--batch_size")
  assert str(caught.value) == (
      "--sample_length=2048: the results take 2048 MB, too much for an array "
      "file, which has less than 2 GiB; must be at most 2047, or lower "
      "--batch_size")


def test_both_ways_to_read(tmp_path):
  arrays = {
      "prefixes": np.arange(6, dtype=np.float32).reshape(2, 3),
      "samples": np.ones([4, 2, 3, 1], np.int32), "mean": 2.5,
      "none": np.zeros([0, 3])}
  path = result_files.write(
      "logdir", str(tmp_path / "new"), "samples.npz", arrays)
  loaded = np.load(path)
  assert sorted(loaded.dtype.names) == sorted(arrays)
  for name, value in arrays.items():
    for read in (loaded, loaded[()]):
      np.testing.assert_array_equal(read[name], value)
  assert loaded["samples"].dtype == np.int32
