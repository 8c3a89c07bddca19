"""Tests of files of results."""

import os

import numpy as np
import pytest

from fivo.logdir import result_files
from fivo.system import errors


def _check(value, memory, monkeypatch):
  monkeypatch.setattr(result_files, "_available_bytes", lambda: memory)
  result_files.check_size("sample_length", value, 2 ** 20, "--batch_size")


def test_what_fits(monkeypatch):
  _check(2047, 2 ** 40, monkeypatch)
  _check(100, 400 * 2 ** 20, monkeypatch)


@pytest.mark.parametrize("value, memory, largest, limit", [
    (2048, 2 ** 40, 2047, "an array file, which has less than 2 GiB"),
    (101, 400 * 2 ** 20, 100, "the memory, of which 400 MB are free"),
])
def test_too_large(monkeypatch, value, memory, largest, limit):
  """NumPy failed after all the work, or TensorFlow ended the process."""
  with pytest.raises(errors.UserError) as caught:
    _check(value, memory, monkeypatch)
  assert str(caught.value) == (
      "--sample_length=%d: the results take %d MB, too much for %s; must be at "
      "most %d, or lower --batch_size" % (value, value, limit, largest))


def test_memory_is_read():
  assert 2 ** 20 < result_files._available_bytes() < 2 ** 50


def test_links_are_not_followed(tmp_path):
  (tmp_path / "other.npz").write_text("other")
  os.symlink(str(tmp_path / "other.npz"), str(tmp_path / "samples.npz"))
  path = result_files.write(
      "logdir", str(tmp_path), "samples.npz", {"x": np.ones(2)})
  assert not os.path.islink(path)
  assert (tmp_path / "other.npz").read_text() == "other"
  np.testing.assert_array_equal(np.load(path)["x"], [1., 1.])


def test_a_pipe_is_refused(tmp_path):
  """To write would wait until somebody reads."""
  os.mkfifo(str(tmp_path / "out.npz"))
  with pytest.raises(errors.UserError, match="is a pipe or device, where a"):
    result_files.write("logdir", str(tmp_path), "out.npz", {"x": np.ones(2)})
