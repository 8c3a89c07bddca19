"""Tests of what is rendered for which data."""

import io
import os
import pickle
import sys
import types

import numpy as np
import pytest
from scipy.io import wavfile
import tensorflow as tf

from fivo import ghmm_runners
from fivo import runners
from fivo.config import config as config_lib
from fivo.data import series_info
from fivo.data import speech_statistics
from fivo.rendering import lines
from fivo.rendering import midi
from fivo.rendering import pianorolls
from fivo.rendering import samples as samples_lib
from fivo.system import errors
from tests import toy

_P, _S, _B, _N = 5, 7, 2, 3


@pytest.fixture(autouse=True)
def _needs_the_extra():
  pytest.importorskip("matplotlib")
  pytest.importorskip("mido")


def _arrays(size, binary=False):
  rng = np.random.RandomState(0)
  values = [rng.uniform(size=shape).astype(np.float32)
            for shape in ([_P, _B, size], [_S, _B, _N, size])]
  return [(x < 0.1).astype(np.float32) for x in values] if binary else values


def _check_picture(file):
  from matplotlib import image
  pixels = image.imread(file)
  assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 10


def _check_names(directory, *others):
  names = os.listdir(str(directory))
  assert sorted(names) == sorted(
      ["sample_%d.png" % b for b in range(_B)] + list(others))
  for name in names:
    if name.endswith(".png"):
      _check_picture(os.path.join(str(directory), name))


def _each(extension):
  return ["sample_%d_%d.%s" % (b, n, extension)
          for b in range(_B) for n in range(_N)]


def test_pianorolls(tmp_path):
  """Each continuation is in a file with its prefix."""
  import mido
  prefixes, samples = _arrays(88, binary=True)
  samples_lib.Renderer("pianoroll", tempo=60.).write_pictures(
      str(tmp_path), prefixes, samples)
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
  renderer = runners._create_renderer(  # pylint: disable=protected-access
      config_lib.from_object(types.SimpleNamespace(
          dataset_path=str(path), steps_per_quarter=flag, render=True)))
  assert renderer.steps_per_quarter == expected


@pytest.mark.parametrize("dataset_type", ["series", "pianoroll"])
def test_lines(tmp_path, dataset_type):
  """Of a caller's own data too, whose type is left at the default."""
  samples_lib.Renderer(dataset_type).write_pictures(str(tmp_path), *_arrays(3))
  _check_names(tmp_path)


def test_names_of_columns():
  info = series_info.SeriesInfo(np.zeros(2), np.ones(2), ["a", "b"])
  figure = samples_lib.Renderer("series", series=info).draw(
      np.zeros([3, 2]), np.zeros([4, 1, 2]))
  assert [axis.get_ylabel() for axis in figure.axes] == ["a", "b"]


@pytest.mark.parametrize("sample_rate", [8000, None])
def test_speech(tmp_path, sample_rate):
  """Sound and pictures of it, even of silence."""
  statistics = sample_rate and speech_statistics.SpeechStatistics(
      mean=0., std=100., sample_rate=sample_rate, samples_per_timestep=40)
  renderer = samples_lib.Renderer("speech", statistics)
  prefixes, samples = _arrays(40)
  samples[:, 0] = prefixes[:, 0] = 0.
  renderer.write_pictures(str(tmp_path), prefixes, samples[:, :, :1])
  _check_names(tmp_path)
  if sample_rate:
    renderer.write_sound(
        str(tmp_path), *map(renderer.in_units_of_data, (prefixes, samples)))
    _check_names(tmp_path, *_each("wav"))
    rate, sound = wavfile.read(str(tmp_path / "sample_1_2.wav"))
    assert rate == 8000
    np.testing.assert_array_equal(sound, np.rint(np.concatenate(
        [prefixes[:, 1], samples[:, 1, 2]]).reshape(-1) * 100))


def test_trajectories_with_the_exact_posterior(tmp_path, monkeypatch):
  """Rendering changes nothing of what is sampled."""
  drawn = []
  draw = lines.draw_trajectories

  def record(*args):
    drawn.append(args)
    return draw(*args)

  monkeypatch.setattr(lines, "draw_trajectories", record)
  files = []
  for name in ("a", "b"):
    files.append(np.load(ghmm_runners.run_sample(types.SimpleNamespace(
        logdir=str(tmp_path / name), model="ghmm", batch_size=_B,
        proposal_type="true-smoothing", num_samples=_N, num_timesteps=6,
        random_seed=2, render=name == "b"))))
  for key in ("latents", "observations", "samples"):
    np.testing.assert_array_equal(files[0][key], files[1][key])
  _check_names(tmp_path / "b", "samples.npz")
  assert len(drawn) == _B
  for b, (latents, observations, samples, mean, variance, _) in enumerate(
      drawn):
    np.testing.assert_array_equal(latents, files[1]["latents"][:, b])
    np.testing.assert_array_equal(samples, files[1]["samples"][:, b])
    # By the joint distribution: z = chain, x = z + noise, all variances 0.1.
    chain = np.tril(np.ones([6, 6]))
    cov = 0.1 * chain @ chain.T
    gain = cov @ np.linalg.inv(cov + 0.1 * np.eye(6))
    np.testing.assert_allclose(mean, gain @ observations, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        variance, np.diag(cov - gain @ cov), rtol=1e-4)


def _train(logdir, **kwargs):
  config = dict(
      logdir=str(logdir), batch_size=2, num_samples=2, max_steps=2,
      bound="elbo", proposal_type="prior",
      eval_every=1, prefix_length=3, sample_length=4, random_seed=1)
  config.update(kwargs)
  runners.run_train(
      types.SimpleNamespace(**config), toy.create_dataset_and_model)


def test_one_at_each_evaluation_in_training(tmp_path):
  _train(tmp_path, render=True)
  pictures = {
      (event.step, value.tag): value.image.encoded_image_string
      for path in (tmp_path / "valid").glob("events.*")
      for event in tf.compat.v1.train.summary_iterator(str(path))
      for value in event.summary.value if value.HasField("image")}
  assert set(pictures) == {(1, "samples"), (2, "samples")}
  for png in pictures.values():
    _check_picture(io.BytesIO(png))


def test_too_long_a_prefix_is_refused_before_training(tmp_path):
  with pytest.raises(errors.UserError, match="--prefix_length=7: no sequence"):
    _train(tmp_path, render=True, prefix_length=7)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["matplotlib", "mido"])
def test_refused_without_the_extra(monkeypatch, missing):
  monkeypatch.setitem(sys.modules, missing, None)
  with pytest.raises(errors.UserError,
                     match=r"^--render: needs %s; .*fivo\[render\]" % missing):
    config_lib.resolve(types.SimpleNamespace(logdir="/tmp/none", render=True))
  config_lib.resolve(types.SimpleNamespace(logdir="/tmp/none"))


def test_names_of_pitches():
  assert [pianorolls.pitch_name(note) for note in (21, 60, 61, 108)] == [
      "A0", "C4", "C#4", "C8"]
