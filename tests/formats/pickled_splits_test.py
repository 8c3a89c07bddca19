"""Tests of fivo.formats.pickled_splits: pose files."""

import pickle

import numpy as np
import pytest

from fivo.formats import pickled_splits
from fivo.system.errors import UserError

_TRAIN = [np.arange(6.).reshape([2, 3])]


def _write(tmp_path, **contents):
  path = str(tmp_path / "pose.pkl")
  with open(path, "wb") as stream:
    pickle.dump(dict(dict(train=_TRAIN, train_mean=np.zeros([3])), **contents),
                stream, 2)
  return path


@pytest.mark.parametrize("train", [
    _TRAIN, np.stack(_TRAIN), tuple(sequence.tolist() for sequence in _TRAIN)])
def test_read(tmp_path, train):
  arrays, mean = pickled_splits.read_poses(
      _write(tmp_path, train=train), "train")
  assert [array.dtype for array in arrays] == [np.float32]
  np.testing.assert_array_equal(arrays, _TRAIN)
  assert mean.tolist() == [0., 0., 0.]


@pytest.mark.parametrize("contents, words", [
    ({"train": [[[0.] * 3, [0.] * 2]]},
     "split 'train', sequence 0: not an array [T, D] of numbers"),
    ({"train": _TRAIN + [np.zeros([2, 4])]}, "sequence 1: has shape [2, 4]"),
    ({"train": [np.array([[0., 0., 0.], [0., np.nan, 0.]])]},
     "sequence 0, step 1: number 1 is not a finite"),
    ({"train": [[[0., 0., 1e300]]]}, "step 0: number 2 is not a finite"),
    ({"train": [[0., 1., 2.]]}, "sequence 0: has shape [3]"),
    ({"train": [np.zeros([3, 0])]}, "sequence 0: has shape [3, 0]"),
    ({"train": [np.float32(1.)]}, "sequence 0 is 1.0, not a list of timesteps"),
    ({"train": [[(60, 64)]]}, "train_mean has shape [3], not [2]"),
    ({"train_mean": [0., np.nan, 0.]},
     "train_mean[1] is nan, not in [-inf, inf]; calculate it again with: "),
])
def test_bad_file(tmp_path, contents, words):
  path = _write(tmp_path, **contents)
  with pytest.raises(UserError) as error:
    pickled_splits.read_poses(path, "train")
  message = str(error.value)
  assert message.startswith(path + ": ")
  assert words in message and "\n" not in message
