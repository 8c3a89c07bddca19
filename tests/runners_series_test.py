"""Tests of the runners on time series."""

import os
import types

import numpy as np
import pytest

from fivo import runners
from fivo.system.errors import UserError
from tests.data import series_test

_MEAN, _STD = np.array([100., -5000.]), np.array([0.5, 40.])


def _config(logdir, **kwargs):
  return types.SimpleNamespace(**dict(dict(
      logdir=str(logdir), dataset_type="series", batch_size=2, num_samples=2,
      max_steps=2, latent_size=2, prefix_length=3, sample_length=4,
      random_seed=1, split="test"), **kwargs))


def _real(seed, *lengths):
  rng = np.random.RandomState(seed)
  return [rng.normal(_MEAN, _STD, size=[length, 2]) for length in lengths]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """The logdir of a run on real data."""
  directory = tmp_path_factory.mktemp("series")
  path = series_test.write(directory / "a.npz", train=_real(1, 30, 20, 10),
                           valid=_real(2, 7), test=_real(3, 6, 5))
  logdir = str(directory / "run")
  runners.run_train(_config(logdir, dataset_path=path, eval_every=2))
  return logdir


def test_samples_are_in_the_units_of_the_data(trained, tmp_path):
  path = runners.run_sample(_config(trained, sample_out_dir=str(tmp_path)))
  arrays = np.load(path)
  assert arrays["samples"].shape == (4, 2, 2, 2)
  prefixes = sorted(arrays["prefixes"].transpose([1, 0, 2]).tolist())
  expected = sorted(sequence[:3].tolist() for sequence in _real(3, 6, 5))
  np.testing.assert_allclose(prefixes, expected, rtol=1e-5)
  # An untrained model's samples are within several deviations of its mean.
  assert (np.abs((arrays["samples"] - _MEAN) / _STD) < 20.).all()
  assert np.abs(arrays["samples"] - _MEAN).max() > 1.


def test_other_data_is_standardised_as_the_run_was(trained, tmp_path):
  """Even if it has a train split of other statistics, or none."""
  test = _real(3, 6, 5)
  paths = [series_test.write(tmp_path / "none.npz", test=test),
           series_test.write(tmp_path / "other.npz", test=test, train=[
               sequence * 3. - 1. for sequence in _real(4, 9)])]
  expected = runners.run_eval(_config(trained)).ll_per_t
  for path in paths:
    result = runners.run_eval(_config(trained, dataset_path=path))
    np.testing.assert_array_equal(result.ll_per_t, expected)


@pytest.mark.parametrize("emission", ["independent", "autoregressive"])
def test_binary_data_gets_a_binary_emission(tmp_path, emission):
  rng = np.random.RandomState(1)
  sequences = [(rng.uniform(size=[9, 3]) < 0.2).astype(int) for _ in range(3)]
  path = series_test.write(tmp_path / "a.npz", train=sequences, test=sequences)
  logdir = str(tmp_path / "run")
  config = _config(logdir, dataset_path=path, model="srnn", emission=emission)
  runners.run_train(config)
  samples = np.load(runners.run_sample(config))["samples"]
  assert set(np.unique(samples)) <= {0., 1.}


@pytest.mark.parametrize("kwargs, words", [
    (dict(dataset_path=""), "--dataset_path is required: a NumPy .npz"),
    (dict(data_dimension=3), "--data_dimension=3: must be 2 for --dataset_path"
     ),
])
def test_wrong_options_leave_no_logdir(tmp_path, kwargs, words):
  path = series_test.write(tmp_path / "a.npz", train=_real(1, 9))
  logdir = str(tmp_path / "run")
  with pytest.raises(UserError) as error:
    runners.run_train(_config(logdir, **dict({"dataset_path": path}, **kwargs)))
  assert words in str(error.value)
  assert not os.path.exists(logdir)
