"""Tests of what sampling leaves behind, and of what is drawn for which data."""

import io
import os
import pickle
import sys
import types
from unittest import mock

import numpy as np
import pytest
from scipy.io import wavfile
import tensorflow as tf

from fivo import ghmm_runners
from fivo import runners
from fivo.config import checks
from fivo.config import config as config_lib
from fivo.data import series_info
from fivo.data import speech_statistics
from fivo.rendering import midi
from fivo.rendering import pictures
from fivo.rendering import samples as samples_lib
from fivo.system import errors
from tests import toy

_P, _S, _B, _N = 5, 7, 2, 3
_STATISTICS = speech_statistics.SpeechStatistics(
    mean=3., std=100., sample_rate=8000, samples_per_timestep=40)


@pytest.fixture(autouse=True)
def _needs_the_extra():
  pytest.importorskip("matplotlib")
  pytest.importorskip("mido")


def _arrays(size):
  rng = np.random.RandomState(0)
  return [rng.uniform(size=shape).astype(np.float32)
          for shape in ([_P, _B, size], [_S, _B, _N, size])]


def _renderer(**kwargs):
  return runners._create_renderer(  # pylint: disable=protected-access
      config_lib.from_object(types.SimpleNamespace(**kwargs)))


def _check_picture(file):
  from matplotlib import image
  pixels = image.imread(file)
  assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 10


def _check_names(directory, *others):
  names = os.listdir(str(directory))
  assert sorted(names) == sorted(
      ["sample_%d.png" % b for b in range(_B)] + ["samples.npz"] + list(others))
  for name in names:
    if name.endswith(".png"):
      _check_picture(os.path.join(str(directory), name))


def _each(extension):
  return ["sample_%d_%d.%s" % (b, n, extension)
          for b in range(_B) for n in range(_N)]


def test_pianorolls(tmp_path):
  """Each continuation is in a file with its prefix."""
  import mido
  prefixes, samples = ((x < 0.1).astype(np.float32) for x in _arrays(88))
  samples_lib.Renderer("pianoroll", tempo=60.).write(
      str(tmp_path), prefixes, samples, pictures=True)
  _check_names(tmp_path, *_each("mid"))
  for name in _each("mid"):
    b, n = int(name[7]), int(name[9])
    file = mido.MidiFile(str(tmp_path / name))
    assert file.length == pytest.approx(_P + _S)  # Quarters, seconds.
    assert sum(message.type == "note_on" for message in file) == len(
        midi.notes(np.concatenate([prefixes[:, b], samples[:, b, n]])))


@pytest.mark.parametrize("flag, in_file, expected", [
    (None, None, 1), (None, 4, 4), (8, 4, 8), (None, "x", 1), (None, 10**9, 1)])
def test_the_grid_of_the_dataset(tmp_path, flag, in_file, expected):
  contents = {"train": [[(60,)]], "train_mean": np.zeros(88)}
  if in_file:
    contents["steps_per_quarter"] = in_file
  path = tmp_path / "x.pkl"
  path.write_bytes(pickle.dumps(contents))
  assert _renderer(
      dataset_path=str(path), steps_per_quarter=flag,
      render=True).steps_per_quarter == expected


def test_lines():
  info = series_info.SeriesInfo(np.zeros(2), np.ones(2), ["a", "b"])
  figure = samples_lib.Renderer("series", series=info).draw(
      np.zeros([3, 2]), np.zeros([4, 1, 2]))
  assert [axis.get_ylabel() for axis in figure.axes] == ["a", "b"]


def test_data_of_ones_own_whose_type_is_left_at_the_default(tmp_path):
  samples_lib.Renderer("pianoroll").write(
      str(tmp_path), *_arrays(3), pictures=True)
  _check_names(tmp_path)


@pytest.mark.parametrize("statistics, scale, shift, files", [
    (_STATISTICS, 100, 3, _each("wav")), (None, 1, 0, [])])
def test_speech(tmp_path, statistics, scale, shift, files):
  """Sound and pictures of it, even of silence, in the units of the data."""
  prefixes, samples = _arrays(40)
  samples[:, 0] = prefixes[:, 0] = 0.
  if statistics is not None:
    (tmp_path / "data").mkdir()
    speech_statistics.save(str(tmp_path / "data"), statistics)
  renderer = samples_lib.Renderer("speech", str(tmp_path / "data" / "test"))
  loaded = np.load(renderer.write(
      str(tmp_path / "out"), prefixes, samples, sound=True, pictures=True))
  for name, values in (("prefixes", prefixes), ("samples", samples)):
    np.testing.assert_allclose(loaded[name], scale * values + shift)
    np.testing.assert_allclose(loaded[()][name], scale * values + shift)
  _check_names(tmp_path / "out", *files)
  if files:
    rate, sound = wavfile.read(str(tmp_path / "out" / "sample_1_2.wav"))
    assert rate == 8000
    np.testing.assert_array_equal(sound, np.rint(np.concatenate(
        [loaded["prefixes"][:, 1], loaded["samples"][:, 1, 2]]).reshape(-1)))


@pytest.mark.parametrize("name", ["", "train"])
def test_statistics_beside_the_records(tmp_path, name):
  (tmp_path / "train").touch()
  speech_statistics.save(str(tmp_path), _STATISTICS)
  assert _renderer(dataset_type="speech", dataset_path=str(
      tmp_path / name)).statistics == _STATISTICS


def test_sound_needs_statistics():
  with pytest.raises(errors.UserError, match="--sample_wav: needs speech"):
    checks.check_sound(config_lib.from_object(
        types.SimpleNamespace(dataset_type="speech")), None)


def test_trajectories_with_the_exact_posterior(tmp_path, monkeypatch):
  """Rendering changes nothing of what is sampled."""
  draw = mock.Mock(wraps=pictures.draw_trajectories)
  monkeypatch.setattr(pictures, "draw_trajectories", draw)
  files = []
  for name in ("a", "b"):
    files.append(np.load(ghmm_runners.run_sample(types.SimpleNamespace(
        logdir=str(tmp_path / name), model="ghmm", batch_size=_B,
        proposal_type="true-smoothing", num_samples=_N, num_timesteps=6,
        random_seed=2, render=name == "b"))))
  for key in ("latents", "observations", "samples"):
    np.testing.assert_array_equal(files[0][key], files[1][key])
  _check_names(tmp_path / "b")
  assert draw.call_count == _B
  for b, call in enumerate(draw.call_args_list):
    latents, observations, samples, mean, variance, _ = call[0]
    np.testing.assert_array_equal(latents, files[1]["latents"][:, b])
    np.testing.assert_array_equal(samples, files[1]["samples"][:, b])
    # By the joint distribution: z = chain, x = z + noise, all variances 0.1.
    chain = np.tril(np.ones([6, 6]))
    cov = 0.1 * chain @ chain.T
    gain = cov @ np.linalg.inv(cov + 0.1 * np.eye(6))
    np.testing.assert_allclose(mean, gain @ observations, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(variance, np.diag(cov - gain @ cov), rtol=1e-4)


def test_one_at_each_evaluation_in_training(tmp_path):
  def train(prefix_length):
    runners.run_train(types.SimpleNamespace(
        logdir=str(tmp_path), batch_size=2, num_samples=2, max_steps=2,
        bound="elbo", proposal_type="prior", eval_every=1, render=True,
        prefix_length=prefix_length, sample_length=4, random_seed=1),
                      toy.create_dataset_and_model)

  with pytest.raises(errors.UserError, match="--prefix_length=7: no sequence"):
    train(prefix_length=7)
  assert not list(tmp_path.iterdir())
  train(prefix_length=3)
  pictures = {
      (event.step, value.tag): value.image.encoded_image_string
      for path in (tmp_path / "valid").glob("events.*")
      for event in tf.compat.v1.train.summary_iterator(str(path))
      for value in event.summary.value if value.HasField("image")}
  assert set(pictures) == {(1, "samples"), (2, "samples")}
  for png in pictures.values():
    _check_picture(io.BytesIO(png))


def test_refused_without_the_extra(monkeypatch):
  monkeypatch.setitem(sys.modules, "mido", None)
  with pytest.raises(errors.UserError,
                     match=r"^--render: needs mido; .*fivo\[render\]"):
    config_lib.resolve(types.SimpleNamespace(logdir="/tmp/none", render=True))
  config_lib.resolve(types.SimpleNamespace(logdir="/tmp/none"))


def test_names_of_pitches():
  assert [pictures.pitch_name(note) for note in (21, 60, 61, 108)] == [
      "A0", "C4", "C#4", "C8"]
