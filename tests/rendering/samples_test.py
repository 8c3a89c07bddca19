"""Tests of what is rendered for which data."""

import os
import pickle
import sys
import types

import numpy as np
import pytest
from scipy.io import wavfile

from fivo import ghmm_runners
from fivo.config import config as config_lib
from fivo.data import speech_statistics
from fivo.rendering import lines
from fivo.rendering import midi
from fivo.rendering import pianorolls
from fivo.rendering import samples as samples_lib
from fivo.sampling import sample_files
from fivo.system import errors

_P, _S, _B, _N = 5, 7, 2, 3


@pytest.fixture(autouse=True)
def _needs_the_extra():
  pytest.importorskip("matplotlib")
  pytest.importorskip("mido")


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(render=True, **kwargs))


def _arrays(size, binary=False):
  rng = np.random.RandomState(0)
  values = [rng.uniform(size=shape).astype(np.float32)
            for shape in ([_P, _B, size], [_S, _B, _N, size])]
  return [(x < 0.1).astype(np.float32) for x in values] if binary else values


def _names(directory):
  return sorted(name for name in os.listdir(str(directory))
                if name.startswith("sample_"))


def _pictures(directory):
  """The sizes of all pictures, each of which has more than one colour."""
  from matplotlib import image
  shapes = []
  for name in _names(directory):
    if name.endswith(".png"):
      pixels = image.imread(os.path.join(str(directory), name))
      assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 10
      shapes.append(pixels.shape)
  return shapes


@pytest.fixture
def drawn(monkeypatch):
  """Which pictures were drawn, with the arguments; none is."""
  calls = []
  for module, name in ((lines, "draw_series"), (lines, "draw_speech"),
                       (lines, "draw_trajectories"), (pianorolls, "draw")):
    monkeypatch.setattr(
        module, name,
        lambda *args, name=name, **kwargs: calls.append((name, args, kwargs)))
  return calls


def test_pianorolls(tmp_path):
  """Each continuation is in a file with its prefix."""
  import mido
  prefixes, samples = _arrays(88, binary=True)
  sample_files.write(str(tmp_path), prefixes, samples, _config(tempo=60.))
  midi_names = ["sample_%d_%d.mid" % (b, n)
                for b in range(_B) for n in range(_N)]
  assert _names(tmp_path) == sorted(
      ["sample_0.png", "sample_1.png"] + midi_names)
  assert len(_pictures(tmp_path)) == 2
  for name in midi_names:
    b, n = int(name[7]), int(name[9])
    file = mido.MidiFile(str(tmp_path / name))
    assert file.length == pytest.approx(_P + _S)  # Quarters, seconds.
    assert sum(message.type == "note_on" for message in file) == len(
        midi.notes(np.concatenate([prefixes[:, b], samples[:, b, n]])))


@pytest.mark.parametrize("flag, in_file, expected", [
    (None, None, 1), (None, 4, 4), (8, 4, 8), (None, "x", 1), (None, 10**9, 1)])
def test_the_grid_of_the_dataset(tmp_path, drawn, flag, in_file, expected):
  contents = {"train": [[(60,)]], "train_mean": np.zeros(88)}
  if in_file:
    contents["steps_per_quarter"] = in_file
  path = tmp_path / "x.pkl"
  path.write_bytes(pickle.dumps(contents))
  samples_lib.render(str(tmp_path), *_arrays(88, binary=True), _config(
      dataset_path=str(path), steps_per_quarter=flag))
  assert [(name, kwargs["steps_per_quarter"]) for name, _, kwargs in drawn] == [
      ("draw", expected)] * _B


@pytest.mark.parametrize("dataset_type, size", [
    ("series", 3), pytest.param("pose", 20, marks=pytest.mark.slow),
    ("pianoroll", 3)])
def test_lines(tmp_path, dataset_type, size):
  """Of a caller's own data too, whose type is left at the default."""
  sample_files.write(
      str(tmp_path), *_arrays(size), _config(dataset_type=dataset_type))
  assert _names(tmp_path) == ["sample_0.png", "sample_1.png"]
  assert len(_pictures(tmp_path)) == 2


def test_speech(tmp_path):
  """Sound and pictures of it, even of silence."""
  records = tmp_path / "records"
  records.mkdir()
  speech_statistics.save(str(records), speech_statistics.SpeechStatistics(
      mean=0., std=100., sample_rate=8000, samples_per_timestep=40))
  prefixes, samples = _arrays(40)
  samples[:, 0] = prefixes[:, 0] = 0.
  sample_files.write(str(tmp_path), prefixes, samples, _config(
      dataset_type="speech", dataset_path=str(records)))
  assert len(_names(tmp_path)) == _B + _B * _N
  assert len(_pictures(tmp_path)) == 2
  rate, sound = wavfile.read(str(tmp_path / "sample_1_2.wav"))
  assert rate == 8000 and len(sound) == 40 * (_P + _S)


def test_speech_of_unknown_rate(tmp_path):
  sample_files.write(str(tmp_path), *_arrays(40), _config(
      dataset_type="speech", dataset_path=str(tmp_path)))
  assert _names(tmp_path) == ["sample_0.png", "sample_1.png"]


def test_trajectories_with_the_exact_posterior(tmp_path, drawn):
  """Rendering changes nothing of what is sampled."""
  files = []
  for name in ("a", "b"):
    files.append(np.load(ghmm_runners.run_sample(types.SimpleNamespace(
        logdir=str(tmp_path / name), model="ghmm", batch_size=_B,
        proposal_type="true-smoothing", num_samples=_N, num_timesteps=6,
        random_seed=2, render=name == "b"))))
  for key in ("latents", "observations", "samples"):
    np.testing.assert_array_equal(files[0][key], files[1][key])
  assert [call[0] for call in drawn] == ["draw_trajectories"] * _B
  for b, (_, args, _) in enumerate(drawn):
    _, latents, observations, samples, mean, variance = args[:6]
    np.testing.assert_array_equal(latents, files[1]["latents"][:, b])
    np.testing.assert_array_equal(samples, files[1]["samples"][:, b])
    # By the joint distribution: z = chain, x = z + noise, all variances 0.1.
    chain = np.tril(np.ones([6, 6]))
    cov = 0.1 * chain @ chain.T
    gain = cov @ np.linalg.inv(cov + 0.1 * np.eye(6))
    np.testing.assert_allclose(mean, gain @ observations, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        variance, np.diag(cov - gain @ cov), rtol=1e-4)


def test_picture_of_trajectories(tmp_path):
  rng = np.random.RandomState(0)
  samples_lib.render_trajectories(
      str(tmp_path), {"latents": rng.normal(size=[6, 2]),
                      "observations": rng.normal(size=[6, 2]),
                      "samples": rng.normal(size=[6, 2, 3])},
      rng.normal(size=[6, 2]), np.full([6], 0.1))
  assert len(_pictures(tmp_path)) == 2


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
