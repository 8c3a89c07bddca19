"""Tests of what sampling leaves behind."""

import types

import numpy as np
import pytest
from scipy.io import wavfile

from fivo.config import config as config_lib
from fivo.data import speech_statistics
from fivo.sampling import sample_files
from fivo.system import errors

_PREFIXES = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
_SAMPLES = np.arange(36, dtype=np.float32).reshape(3, 2, 3, 2)


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(**kwargs))


@pytest.fixture
def records(tmp_path):
  """A directory of speech with statistics beside its records."""
  directory = tmp_path / "records"
  directory.mkdir()
  speech_statistics.save(str(directory), speech_statistics.SpeechStatistics(
      mean=3., std=10., sample_rate=16000, samples_per_timestep=2))
  return directory


def test_pianorolls_as_they_are(tmp_path):
  path = sample_files.write(
      str(tmp_path), _PREFIXES, _SAMPLES, _config(dataset_path="x.pkl"))
  loaded = np.load(path)
  np.testing.assert_array_equal(loaded["prefixes"], _PREFIXES)
  np.testing.assert_array_equal(loaded["samples"], _SAMPLES)


@pytest.mark.parametrize("name", ["", "train"])
def test_speech_in_its_own_units(tmp_path, records, name):
  if name:
    (records / name).write_bytes(b"")
  path = sample_files.write(str(tmp_path), _PREFIXES, _SAMPLES, _config(
      dataset_type="speech", dataset_path=str(records / name)))
  loaded = np.load(path)
  np.testing.assert_allclose(loaded["prefixes"], 10 * _PREFIXES + 3)
  np.testing.assert_allclose(loaded["samples"], 10 * _SAMPLES + 3)


def test_speech_without_statistics(tmp_path):
  path = sample_files.write(str(tmp_path), _PREFIXES, _SAMPLES, _config(
      dataset_type="speech", dataset_path=str(tmp_path)))
  np.testing.assert_array_equal(np.load(path)["samples"], _SAMPLES)


def test_wav(tmp_path, records):
  sample_files.write(str(tmp_path), _PREFIXES, _SAMPLES, _config(
      dataset_type="speech", dataset_path=str(records), sample_wav=True))
  assert len(list(tmp_path.glob("sample_*.wav"))) == 6
  rate, samples = wavfile.read(str(tmp_path / "sample_1_2.wav"))
  assert rate == 16000
  expected = np.concatenate([_PREFIXES[:, 1], _SAMPLES[:, 1, 2]]) * 10 + 3
  np.testing.assert_array_equal(samples, expected.reshape(-1))


@pytest.mark.parametrize("kwargs, message", [
    (dict(), "--sample_wav: only speech is sound"),
    (dict(dataset_type="pianoroll"), "--sample_wav: only speech is sound"),
    (dict(dataset_type="speech"), "--sample_wav: needs speech"),
])
def test_wav_needs_statistics(tmp_path, kwargs, message):
  with pytest.raises(errors.UserError, match=message):
    sample_files.load_statistics(_config(
        dataset_path=str(tmp_path), sample_wav=True, **kwargs))
