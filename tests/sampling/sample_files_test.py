"""Tests of what sampling leaves behind."""

import types

import numpy as np
import pytest

from fivo import runners
from fivo.config import checks
from fivo.config import config as config_lib
from fivo.data import speech_statistics
from fivo.rendering import samples as samples_rendering
from fivo.sampling import sample_files
from fivo.system import errors

_PREFIXES = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
_SAMPLES = np.arange(36, dtype=np.float32).reshape(3, 2, 3, 2)
_STATISTICS = speech_statistics.SpeechStatistics(
    mean=3., std=10., sample_rate=16000, samples_per_timestep=2)


@pytest.mark.parametrize("dataset_type, statistics, scale, shift", [
    ("pianoroll", None, 1, 0), ("speech", _STATISTICS, 10, 3),
    ("speech", None, 1, 0)])
def test_in_units_of_the_data(tmp_path, dataset_type, statistics, scale, shift):
  path = sample_files.write(
      str(tmp_path), _PREFIXES, _SAMPLES,
      samples_rendering.Renderer(dataset_type, statistics))
  loaded = np.load(path)
  for name, values in (("prefixes", _PREFIXES), ("samples", _SAMPLES)):
    np.testing.assert_allclose(loaded[name], scale * values + shift)
    np.testing.assert_allclose(loaded[()][name], scale * values + shift)
  assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["", "train"])
def test_statistics_beside_the_records(tmp_path, name):
  (tmp_path / "train").write_bytes(b"")
  speech_statistics.save(str(tmp_path), _STATISTICS)
  renderer = runners._create_renderer(  # pylint: disable=protected-access
      config_lib.from_object(types.SimpleNamespace(
          dataset_type="speech", dataset_path=str(tmp_path / name))))
  assert renderer.statistics == _STATISTICS
  assert renderer.sample_rate == 16000


@pytest.mark.parametrize("dataset_type, message", [
    ("pianoroll", "--sample_wav: only speech is sound"),
    ("speech", "--sample_wav: needs speech")])
def test_wav_needs_statistics(dataset_type, message):
  with pytest.raises(errors.UserError, match=message):
    checks.check_sound(config_lib.from_object(
        types.SimpleNamespace(dataset_type=dataset_type)), None)
