"""Tests of files of named arrays."""

import numpy as np
import pytest

from fivo.system import arrays


def test_both_ways_to_read(tmp_path):
  path = str(tmp_path / "samples.npz")
  prefixes = np.arange(6, dtype=np.float32).reshape(2, 3)
  samples = np.ones([4, 2, 3, 1], np.int32)
  arrays.save(path, {"prefixes": prefixes, "samples": samples})
  loaded = np.load(path)
  for read in (loaded, loaded[()]):
    np.testing.assert_array_equal(read["prefixes"], prefixes)
    np.testing.assert_array_equal(read["samples"], samples)
    assert read["samples"].dtype == np.int32
  assert sorted(loaded.dtype.names) == ["prefixes", "samples"]


def test_scalars_and_empty_arrays(tmp_path):
  path = str(tmp_path / "out.npz")
  arrays.save(path, {"mean": 2.5, "none": np.zeros([0, 3])})
  loaded = np.load(path)
  assert loaded["mean"] == 2.5
  assert loaded["none"].shape == (0, 3)


def test_failure_leaves_the_old_file(tmp_path):
  path = tmp_path / "samples.npz"
  path.write_bytes(b"old")
  with pytest.raises(ValueError):
    arrays.save(str(path), {"bad": np.array([object()])})
  assert path.read_bytes() == b"old"
  assert len(list(tmp_path.iterdir())) == 1
