"""Tests of fivo.data.datasets: speech."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import batching
from fivo.data import datasets
from fivo.data import feeding
from fivo.system.errors import UserError


def _write(tmp_path, utterances, name="train"):
  path = str(tmp_path / name)
  with tf.io.TFRecordWriter(path) as writer:
    for utterance in utterances:
      writer.write(utterance if isinstance(utterance, bytes) else
                   np.asarray(utterance).astype("<f4").tobytes())
  return path


def _numbered(count, size=2):
  """Utterances of 1 to 3 timesteps whose samples say which it is."""
  return [np.full([1 + i % 3, size], float(i)) for i in range(count)]


def _batches(path, num_batches=None, batch_size=4, size=2, seed=None, skip=0,
             **kwargs):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tensors = datasets.create_speech_dataset(
        path, batch_size, samples_per_timestep=size,
        options=batching.Options(seed=seed, skip=skip), **kwargs)
    return list(itertools.islice(
        feeding.batches(session, tensors), num_batches))


def _stream(*args, **kwargs):
  return [int(number) for _, targets, _ in _batches(*args, **kwargs)
          for number in targets[0, :, 0]]


def test_values(tmp_path):
  utterances = [np.arange(1., 7.).reshape([3, 2]), [[-1., -2.]]]
  (inputs, targets, lengths), = _batches(_write(tmp_path, utterances))
  assert (inputs.dtype, targets.dtype, lengths.dtype) == (
      np.float32, np.float32, np.int32)
  np.testing.assert_array_equal(lengths, [3, 1])
  np.testing.assert_array_equal(targets[:, 0], [[1, 2], [3, 4], [5, 6]])
  np.testing.assert_array_equal(inputs[:, 0], [[0, 0], [1, 2], [3, 4]])
  np.testing.assert_array_equal(targets[:, 1], [[-1, -2], [0, 0], [0, 0]])
  np.testing.assert_array_equal(inputs[:, 1], np.zeros([3, 2]))


def test_defect_speech_training_neither_repeated_nor_shuffled(tmp_path):
  path = _write(tmp_path, _numbered(40))
  stream = _stream(path, 20, shuffle=True, repeat=True, seed=1)
  assert sorted(stream[:40]) == sorted(stream[40:]) == list(range(40))
  # The probability of a false alarm is 1 / 40!.
  assert stream[:40] != stream[40:]
  assert stream == _stream(path, 20, shuffle=True, repeat=True, seed=1)


@pytest.mark.parametrize("utterances, words", [
    ([], "it has no records"),
    ([[1., 2.], b""], "record 1 has 0 bytes"),
    ([[1., 2.], [1., 2.], [1., 2., 3.]],
     "record 2 has 12 bytes; must be a multiple of 8"),
    ([b"123456789"], "record 0 has 9 bytes"),
])
def test_bad_files_before_any_op(tmp_path, utterances, words):
  path = _write(tmp_path, utterances)
  with tf.Graph().as_default() as graph:
    with pytest.raises(UserError) as error:
      datasets.create_speech_dataset(path, 1, 2)
    assert not graph.get_operations()
  assert str(error.value).startswith("--dataset_path=%s: " % path)
  assert words in str(error.value)


@pytest.mark.parametrize("value, name", [
    (np.nan, "train"), (-np.inf, "t\xe9st]\n")])
def test_defect_nan_in_data_was_taken(tmp_path, value, name):
  utterances = _numbered(6)
  utterances[5][2, 1] = value
  path = _write(tmp_path, utterances, name)
  with pytest.raises(UserError) as error:
    _batches(path)
  assert str(error.value) == (
      "--dataset_path=%s: record 5: sample 5 is %s, not a finite number"
      % (path, value))
