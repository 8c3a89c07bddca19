"""Tests of series: fivo.data.datasets and series_info."""

import json

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import batching
from fivo.data import datasets
from fivo.data import series_info
from fivo.system.errors import UserError


def write(path, **splits):
  """Writes lists of sequences as an .npz file; returns its path."""
  arrays = {}
  for split, sequences in splits.items():
    arrays[split + "_values"] = np.concatenate(sequences)
    arrays[split + "_lengths"] = [len(sequence) for sequence in sequences]
  np.savez(str(path), **arrays)
  return str(path)


def _real(*lengths):
  rng = np.random.RandomState(1)
  return [rng.normal([5., -1000., 0.], [1., 100., 1e-3], size=[length, 3])
          for length in lengths]


def _binary(*lengths):
  rng = np.random.RandomState(1)
  return [(rng.uniform(size=[length, 3]) < 0.3).astype(np.uint8)
          for length in lengths]


def _run(path, split, batch_size, info=None, shuffle=False, **options):
  """Runs a dataset of its own graph once."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    return session.run(datasets.create_series_dataset(
        path, split, batch_size, shuffle=shuffle,
        options=batching.Options(series=info, **options)))


def test_real_data_is_standardised(tmp_path):
  train, test = _real(40, 1, 7), _real(9, 4)
  path = write(tmp_path / "a.npz", train=train, test=test)
  values = np.concatenate(train)
  info = series_info.read(path)
  assert not info.is_binary
  np.testing.assert_allclose(info.mean, values.mean(axis=0))
  np.testing.assert_allclose(info.std, values.std(axis=0))
  for given in (None, info):
    inputs, targets, lengths, mean = _run(path, "test", 2, given)
    assert {x.dtype.type for x in (inputs, targets, mean)} == {np.float32}
    assert lengths.tolist() == [9, 4] and mean.tolist() == [0., 0., 0.]
    np.testing.assert_allclose(
        targets[:, 0], (test[0] - info.mean) / info.std, rtol=1e-5)
    np.testing.assert_array_equal(inputs[1:, 0], targets[:-1, 0])
    assert not targets[4:, 1].any() and not inputs[0].any()
    np.testing.assert_allclose(info.restore(targets[:, 0]), test[0], rtol=1e-5)
  targets = _run(path, "train", 3)[1]
  whole = np.concatenate([targets[:40, 0], targets[:1, 1], targets[:7, 2]])
  np.testing.assert_allclose(whole.mean(axis=0), np.zeros([3]), atol=1e-5)
  np.testing.assert_allclose(whole.std(axis=0), np.ones([3]), rtol=1e-5)


def test_binary_data_is_as_it_is(tmp_path):
  train, valid = _binary(30, 5), _binary(4)
  path = write(tmp_path / "a.npz", train=train, valid=valid)
  info = series_info.read(path)
  assert info.is_binary and info.std is None
  inputs, targets, lengths, mean = _run(path, "valid", 2)
  np.testing.assert_allclose(mean, np.concatenate(train).mean(axis=0))
  np.testing.assert_array_equal(targets[:, 0], valid[0])
  np.testing.assert_allclose(inputs[1:, 0], valid[0][:-1] - mean, rtol=1e-6)
  assert lengths.tolist() == [4]
  np.testing.assert_array_equal(info.restore(targets[:, 0]), valid[0])


def test_data_without_a_train_split_needs_the_info_of_the_run(tmp_path):
  path = write(tmp_path / "a.npz", test=_real(5))
  with pytest.raises(UserError, match="has no train_values and"):
    _run(path, "test", 1)
  info = series_info.SeriesInfo(np.zeros([3]), np.array([2., 1., 1.]))
  targets = _run(path, "test", 1, info)[1]
  np.testing.assert_allclose(targets[:, 0, 0], _real(5)[0][:, 0] / 2.)
  np.savez(path, names=["x", "z", "y"], test_values=_real(5)[0],
           test_lengths=[5])
  with pytest.raises(UserError, match="'x', 'z', 'y'.; those of the training"):
    _run(path, "test", 1, info._replace(names=["x", "y", "z"]))


@pytest.mark.parametrize("std, names", [
    (None, None), (np.array([1., 2e-3, 1. / 3.]), ["x", "y", ""])])
def test_info_is_kept_as_json(std, names):
  info = series_info.SeriesInfo(np.array([0.1, -1e9, 1. / 3.]), std, names)
  again = series_info.from_json(json.loads(json.dumps(info.to_json())))
  np.testing.assert_array_equal(again.mean, info.mean)
  np.testing.assert_array_equal(again.std, std)
  assert again.names == names and again.is_binary == info.is_binary


@pytest.mark.parametrize("values", [
    None, {}, [], {"mean": [0.]},
    {"mean": [0.], "std": [1., 1.]}, {"mean": 0., "std": None}])
def test_other_json_is_refused(values):
  with pytest.raises((ValueError, TypeError, KeyError)):
    series_info.from_json(values)


@pytest.mark.parametrize("splits, split, words", [
    ({"train": [np.array([[1., 5.], [2., 5.]])]}, "train",
     "the same throughout in column [1]"),
    ({"train": _real(4), "test": [np.zeros([2, 3]), np.zeros([2, 3])]}, "valid",
     "has no valid_values"),
    ({"train": _real(4), "test": [np.zeros([2, 2])]}, "test",
     "columns of split 'test' are 2; those of the training data are 3"),
    ({"train": _binary(4), "test": [np.zeros([2, 3]), np.full([1, 3], 0.5)]},
     "test", "test_values[2, 0] is not 0 or 1, as the training data"),
])
def test_wrong_data_before_any_op(tmp_path, splits, split, words):
  path = write(tmp_path / "a.npz", **splits)
  with tf.Graph().as_default() as graph:
    with pytest.raises(UserError) as error:
      datasets.create_series_dataset(path, split, 2)
    assert not graph.get_operations()
  assert str(error.value).startswith("--dataset_path=%s: " % path)
  assert words in str(error.value)
