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


class TestFile:

  def test_what_is_saved_is_loaded_to_the_last_bit(self, tmp_path):
    speech_statistics.save(str(tmp_path), _STATISTICS)
    loaded = speech_statistics.load(str(tmp_path))
    assert loaded == _STATISTICS
    assert np.float32(loaded.std) == _STATISTICS.std
    assert [type(value) for value in loaded] == [float, float, int, int]
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.json"]

  def test_loads_a_hand_written_file(self, tmp_path):
    (tmp_path / "statistics.json").write_text(_JSON)
    assert speech_statistics.load(str(tmp_path)) == (1.5, 2., 16000, 200)

  def test_none_where_there_is_none(self, tmp_path):
    """Records made by the original code have no statistics beside them."""
    assert speech_statistics.load(str(tmp_path)) is None
    assert speech_statistics.load(str(tmp_path / "absent")) is None

  @pytest.mark.parametrize("text", [
      "", "{", "[]", "null", "{}", _JSON.replace("1.5", '"1.5"'),
      _JSON.replace("1.5", "NaN"), _JSON.replace("1.5", "-Infinity"),
      _JSON.replace("1.5", "true"), _JSON.replace("1.5", "1" * 400),
      _JSON.replace(" 2,", " 0,"), _JSON.replace(" 2,", " -2,"),
      _JSON.replace("1.5", "1e39"), _JSON.replace(" 2,", " 1e39,"),
      _JSON.replace(" 2,", " 1e-50,"), _JSON.replace("16000", "2147483648"),
      _JSON.replace("16000", "0"), _JSON.replace("16000", "0.5"),
      _JSON.replace("200", "null"), u"\ufeff\u00e9"])
  def test_refuses_a_file_that_holds_something_else(self, tmp_path, text):
    path = tmp_path / "statistics.json"
    path.write_bytes(text.encode("utf-8"))
    with pytest.raises(UserError) as caught:
      speech_statistics.load(str(tmp_path))
    message = str(caught.value)
    assert str(path) in message and "create_timit_dataset.py" in message
    assert "\n" not in message

  def test_refuses_what_cannot_be_read(self, tmp_path):
    (tmp_path / "statistics.json").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
      speech_statistics.load(str(tmp_path))


class TestDenormalize:

  def test_is_the_inverse_of_normalising(self):
    samples = np.array([[[-300.], [0.]], [[1000.], [7.]]], np.float32)
    normalized = (samples - _STATISTICS.mean) / _STATISTICS.std
    result = speech_statistics.denormalize(normalized, _STATISTICS)
    assert result.dtype == np.float32 and result.shape == samples.shape
    np.testing.assert_allclose(result, samples, rtol=1e-6, atol=1e-4)

  @pytest.mark.parametrize("dtype,result_dtype", [
      (np.float64, np.float64), (np.float16, np.float32),
      (np.int16, np.float32)])
  def test_types(self, dtype, result_dtype):
    statistics = _STATISTICS._replace(mean=1., std=2.)
    result = speech_statistics.denormalize(np.array([3], dtype), statistics)
    assert result.dtype == result_dtype and result.tolist() == [7.]


class TestWriteWav:

  def test_rounds_and_clips(self, tmp_path):
    path = str(tmp_path / "a.wav")
    samples = np.array([0.6, -0.6, 40000., -40000., np.inf, -np.inf, 2.4])
    speech_statistics.write_wav(path, samples.astype(np.float32), 16000)
    rate, written = wavfile.read(path)
    assert rate == 16000 and written.dtype == np.int16
    assert written.tolist() == [1, -1, 32767, -32768, 32767, -32768, 2]

  def test_joins_frames(self, tmp_path):
    path = str(tmp_path / "a.wav")
    frames = np.arange(600.).reshape([3, 200])
    speech_statistics.write_wav(path, frames, 8000)
    rate, written = wavfile.read(path)
    assert rate == 8000 and written.tolist() == list(range(600))
