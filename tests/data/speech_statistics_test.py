"""Tests of fivo.data.speech_statistics."""

import numpy as np
import pytest
from scipy.io import wavfile

from fivo.data import speech_statistics
from fivo.system.errors import UserError

_STATISTICS = speech_statistics.SpeechStatistics(
    mean=np.float32(0.00606), std=np.float32(548.136169), sample_rate=16000,
    samples_per_timestep=200)
_JSON = ('{"mean": 1.5, "std": 2, "sample_rate": 16000, '
         '"samples_per_timestep": 200}')


def test_what_is_saved_is_loaded_to_the_last_bit(tmp_path):
  assert speech_statistics.load(str(tmp_path)) is None
  assert speech_statistics.load(str(tmp_path / "absent")) is None
  speech_statistics.save(str(tmp_path), _STATISTICS)
  loaded = speech_statistics.load(str(tmp_path))
  assert loaded == _STATISTICS
  assert np.float32(loaded.std) == _STATISTICS.std
  assert [type(value) for value in loaded] == [float, float, int, int]
  assert [path.name for path in tmp_path.iterdir()] == ["statistics.json"]
  (tmp_path / "statistics.json").write_text(_JSON)
  assert speech_statistics.load(str(tmp_path)) == (1.5, 2., 16000, 200)


@pytest.mark.parametrize("text", [
    "", "{", "[]", "null", "{}", _JSON.replace("1.5", '"1.5"'),
    _JSON.replace("1.5", "NaN"), _JSON.replace("1.5", "true"),
    _JSON.replace("1.5", "1" * 400), _JSON.replace("1.5", "1e39"),
    _JSON.replace(" 2,", " 0,"), _JSON.replace(" 2,", " 1e-50,"),
    _JSON.replace("16000", "2147483648"), _JSON.replace("16000", "0.5"),
    _JSON.replace("200", "null"), "\ufeff\u00e9"])
def test_other_files_are_refused(tmp_path, text):
  path = tmp_path / "statistics.json"
  path.write_bytes(text.encode("utf-8"))
  with pytest.raises(UserError) as caught:
    speech_statistics.load(str(tmp_path))
  message = str(caught.value)
  assert str(path) in message and "create_timit_dataset.py" in message
  assert "\n" not in message


@pytest.mark.parametrize("samples, expected", [
    ([0.6, -0.6, 40000., -40000., np.inf, -np.inf, 2.4],
     [1, -1, 32767, -32768, 32767, -32768, 2]),
    (np.arange(600.).reshape([3, 200]), list(range(600)))])
def test_write_wav(tmp_path, samples, expected):
  path = str(tmp_path / "a.wav")
  speech_statistics.write_wav(path, np.array(samples, np.float32), 8000)
  rate, written = wavfile.read(path)
  assert rate == 8000 and written.dtype == np.int16
  assert written.tolist() == expected
