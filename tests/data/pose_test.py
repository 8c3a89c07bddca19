"""Tests of fivo.data.pose."""

import pickle

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import datasets
from fivo.system.errors import UserError

_MEAN = np.array([0.5, -1., 2.])


def _write(tmp_path, protocol=2, **contents):
  path = str(tmp_path / "pose.pkl")
  with open(path, "wb") as stream:
    pickle.dump(contents, stream, protocol)
  return path


def _sequences(*lengths, dtype=np.float32):
  rng = np.random.RandomState(1)
  return [rng.normal(size=[length, 3]).astype(dtype) for length in lengths]


def _batches(path, split="train", batch_size=2, **kwargs):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tensors = datasets.create_human_pose_dataset(
        path, split, batch_size, **kwargs)
    batches = []
    while len(batches) < 5:
      try:
        batches.append(session.run(tensors))
      except tf.errors.OutOfRangeError:
        break
    return batches


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("form", [
    lambda sequence: sequence, lambda sequence: sequence.astype(">f8"),
    lambda sequence: sequence.tolist(), list, tuple])
def test_batches(tmp_path, protocol, form):
  sequences = _sequences(4, 1, 2)
  path = _write(tmp_path, protocol, train_mean=_MEAN,
                valid=[form(sequence) for sequence in sequences])
  first, second = _batches(path, "valid")
  inputs, targets, lengths, mean = first
  assert [x.dtype for x in first] == [
      np.float32, np.float32, np.int32, np.float32]
  np.testing.assert_array_equal(mean, _MEAN)
  assert lengths.tolist() == [4, 1] and second[2].tolist() == [2]
  np.testing.assert_array_equal(targets[:, 0], sequences[0])
  np.testing.assert_array_equal(targets[:1, 1], sequences[1])
  assert not targets[1:, 1].any() and not inputs[1:, 1].any()
  assert not inputs[0].any()
  np.testing.assert_allclose(
      inputs[1:, 0], sequences[0][:-1] - _MEAN, rtol=1e-6)


def test_split_may_be_one_array(tmp_path):
  sequences = np.stack(_sequences(3, 3))
  batch, = _batches(_write(
      tmp_path, train=sequences, train_mean=_MEAN.tolist()))
  np.testing.assert_array_equal(batch[1], sequences.transpose([1, 0, 2]))


def test_shuffle_skip_and_seed(tmp_path):
  path = _write(tmp_path, train=_sequences(*range(1, 9)), train_mean=_MEAN)

  def lengths(**kwargs):
    return [batch[2][0] for batch in _batches(
        path, batch_size=1, shuffle=True, repeat=True, seed=4, **kwargs)]

  assert lengths(skip=2)[:3] == lengths()[2:]
  assert lengths() != [1, 2, 3, 4, 5]


@pytest.mark.parametrize("contents, words", [
    ({"train": [[[0.] * 3, [0.] * 2]]},
     "split 'train', sequence 0, step 1: 2 numbers; must be 3"),
    ({"train": _sequences(2) + [np.zeros([2, 4])]},
     "sequence 1, step 0: 4 numbers; must be 3"),
    ({"train": [np.array([[0., 0., 0.], [0., np.nan, 0.]])]},
     "sequence 0, step 1: number 1 is nan"),
    ({"train": [[[0., 0., np.inf]]]}, "step 0: number 2 is inf"),
    ({"train": [[[0., 0., 1e300]]]}, "step 0: number 2 is 1e+300"),
    ({"train": [[[0., 0., 10 ** 400]]]}, "sequence 0, an integer is too large"),
    ({"train": [[[0., 0., None]]]}, "step 0: a list of length 3 is not a row"),
    ({"train": [[0., 1., 2.]]}, "step 0: 0.0 is not a row of numbers"),
    ({"train": [np.zeros([3])]}, "is not a row of numbers"),
    ({"train": [np.zeros([3, 0])]}, "is not a row of numbers"),
    ({"train": [np.zeros([0, 3])]}, "sequence 0 has length 0"),
    ({"train": [np.float32(1.)]}, "sequence 0 is 1.0, not a list of rows"),
    ({"train": np.array(1.)}, "split 'train' is an array of shape []"),
    ({"train": [[(60, 64)]]}, "train_mean has shape [3], not [2]"),
    ({"train_mean": [0., np.nan, 0.]},
     "train_mean[1] is nan, not a finite number; calculate it again with: "),
    ({"train_mean": None}, "train_mean is None, not an array"),
    ({"train": [{"x": open}]}, "refused: it asks for"),
])
def test_bad_file_before_any_op(tmp_path, contents, words):
  path = _write(tmp_path, **dict(
      {"train": _sequences(2), "train_mean": _MEAN}, **contents))
  with tf.Graph().as_default() as graph:
    with pytest.raises(UserError) as error:
      datasets.create_human_pose_dataset(path, "train", 2)
    assert not graph.get_operations()
  message = str(error.value)
  assert message.startswith("--dataset_path=%s: " % path)
  assert words in message and "\n" not in message


def test_references_are_counted(tmp_path):
  row = np.zeros([1 << 14])
  path = _write(tmp_path, train=[[row] * 512] * 32, train_mean=_MEAN)
  with pytest.raises(UserError, match="at most [0-9]+ are allowed"):
    datasets.create_human_pose_dataset(path, "train", 2)
