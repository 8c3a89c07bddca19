"""Tests of configurations: reading, checking, keeping, comparing."""

import json
import os
import types

from absl import flags
import numpy as np
import pytest

from fivo.config import config as config_lib
from fivo.config import options
from fivo.system import errors


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(**kwargs))


def _store(logdir, train_mean=None, **kwargs):
  config_lib.save(_config(logdir=str(logdir), **kwargs), train_mean)


def _messages(caplog):
  return [record.getMessage() for record in caplog.records]


class TestFromObject(object):

  def test_missing_attributes_have_defaults(self):
    config = _config(latent_size=8)
    assert config.latent_size == 8
    assert config.bound == options.OPTIONS["bound"].default
    assert config.given == {"latent_size"}

  def test_class_as_configuration(self):
    class Config(object):
      bound = "iwae"
      unknown_option = 3
    config = config_lib.from_object(Config)
    assert config.bound == "iwae"
    assert config.given == {"bound"}

  def test_flags_left_at_default_are_not_given(self):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("bound", "fivo", "", flag_values=flag_values)
    flags.DEFINE_integer("num_samples", 4, "", flag_values=flag_values)
    flag_values(["program", "--num_samples=4"])
    config = config_lib.from_object(flag_values)
    assert config.given == {"num_samples"}
    assert config.bound == "fivo"

  def test_tilde(self):
    config = _config(logdir="~/run", dataset_path="~/x.pkl")
    assert config.logdir == os.path.expanduser("~/run")
    assert config.dataset_path == os.path.expanduser("~/x.pkl")


class TestValidate(object):

  @pytest.mark.parametrize("kwargs, message", [
      (dict(num_samples=0), "--num_samples=0: must be at least 1"),
      (dict(bound="best"), "--bound=best: must be one of elbo, iwae"),
      (dict(model="ghmm", bound="fivo-aux"), "--bound=fivo-aux: the ghmm has"),
      (dict(model="vrnn", proposal_type="true-filtering"),
       "--proposal_type=true-filtering: only the ghmm"),
      (dict(model="srnn", proposal_type="true-smoothing"),
       "--proposal_type=true-smoothing: only the ghmm"),
      (dict(task=1), "--task=1: needs --master"),
      (dict(ps_tasks=1), "--ps_tasks=1: needs --master"),
  ])
  def test_refused(self, kwargs, message):
    with pytest.raises(errors.UserError) as caught:
      config_lib.validate(_config(**kwargs))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)

  @pytest.mark.parametrize("kwargs, message", [
      (dict(dataset_path=""), "--dataset_path is empty"),
      (dict(dataset_path="x", data_dimension=87), "--data_dimension=87: must"),
  ])
  def test_data_refused(self, kwargs, message):
    with pytest.raises(errors.UserError, match=message):
      config_lib.validate_data(_config(**kwargs), "train")

  def test_fivo_with_two_particles_warns(self, caplog):
    """With two particles FIVO never resamples: the original said nothing."""
    config_lib.validate(_config(bound="fivo", num_samples=2), "train")
    assert any("the same as IWAE" in m for m in _messages(caplog))

  def test_ignored_options_warn(self, caplog):
    """Flags that a model ignores were ignored in silence."""
    config_lib.validate(_config(
        model="ghmm", normalize_by_seq_len=False), "train")
    assert "--normalize_by_seq_len is ignored by --model=ghmm." in _messages(
        caplog)

  def test_relaxed_without_resampling_warns(self, caplog):
    config_lib.validate(
        _config(bound="iwae", resampling_type="relaxed"), "train")
    assert any("does not resample" in m for m in _messages(caplog))

  def test_split_of_speech(self, tmp_path, caplog):
    """--split was ignored for speech."""
    config = _config(dataset_type="speech", dataset_path=str(tmp_path))
    assert config_lib.speech_path(config, "valid") == str(tmp_path / "valid")
    config_lib.validate(config._replace(split="test"), "eval")
    assert not caplog.records
    (tmp_path / "train").write_bytes(b"")
    config = config._replace(dataset_path=str(tmp_path / "train"))
    assert config_lib.speech_path(config, "valid") == config.dataset_path
    config_lib.validate(config._replace(split="test"), "eval")
    assert any(m.startswith("--split=test is ignored")
               for m in _messages(caplog))

  def test_defaults_are_silent(self, caplog):
    config_lib.validate(_config(), "train")
    assert not caplog.records


class TestLogdir(object):

  def test_round_trip(self, tmp_path):
    mean = np.linspace(0, 1, 88).astype(np.float32)
    _store(tmp_path, mean, model="srnn", latent_size=7, learning_rate=3e-5)
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.model == "srnn"
    assert config.latent_size == 7
    assert config.learning_rate == 3e-5
    np.testing.assert_array_equal(config.train_mean, mean)

  def test_empty_logdir(self, tmp_path):
    config = config_lib.resolve(types.SimpleNamespace(
        logdir=str(tmp_path / "none"), latent_size=9))
    assert config.latent_size == 9
    assert config.train_mean is None

  @pytest.mark.parametrize("stored, given", [
      (dict(model="vrnn"), dict(model="srnn")),
      (dict(latent_size=64), dict(latent_size=32)),
      (dict(proposal_type="filtering"), dict(proposal_type="smoothing")),
      (dict(dataset_type="pianoroll"), dict(dataset_type="speech")),
      (dict(data_dimension=200, dataset_type="speech"),
       dict(data_dimension=100)),
      (dict(bound="fivo-aux"), dict(bound="fivo")),
      (dict(bound="fivo"), dict(bound="fivo-aux")),
      (dict(model="ghmm", num_timesteps=5), dict(num_timesteps=6)),
  ])
  def test_what_defines_the_model_is_refused(self, tmp_path, stored, given):
    """The original resumed another model in silence or with a raw key error."""
    _store(tmp_path, **stored)
    name, value = next(iter(given.items()))
    with pytest.raises(errors.UserError) as caught:
      config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path), **given))
    assert str(caught.value).startswith("--%s=%s: " % (name, value))

  @pytest.mark.parametrize("stored, given", [
      (dict(bound="fivo"), dict(bound="iwae")),
      (dict(learning_rate=1e-3), dict(learning_rate=1e-4)),
      (dict(resampling_type="multinomial"), dict(resampling_type="relaxed")),
      (dict(num_samples=4), dict(num_samples=16)),
  ])
  def test_other_changes_are_logged(self, tmp_path, stored, given, caplog):
    _store(tmp_path, **stored)
    caplog.set_level("INFO", logger="absl")
    name, value = next(iter(given.items()))
    config = config_lib.resolve(
        types.SimpleNamespace(logdir=str(tmp_path), **given), log_changes=True)
    assert getattr(config, name) == value
    assert any(m.startswith("--%s=%s: was" % (name, value))
               for m in _messages(caplog))

  def test_fivo_aux_run_is_evaluated_with_its_tilt(self, tmp_path):
    _store(tmp_path, bound="fivo-aux")
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config_lib.uses_tilt(config)

  def test_unheeded_option_may_change(self, tmp_path):
    _store(tmp_path, model="vrnn", num_timesteps=5)
    config_lib.resolve(types.SimpleNamespace(
        logdir=str(tmp_path), num_timesteps=9))

  def test_spelling_out_the_default_dimension(self, tmp_path):
    _store(tmp_path, data_dimension=None)
    config_lib.resolve(types.SimpleNamespace(
        logdir=str(tmp_path), data_dimension=88))

  def test_options_of_one_call_are_not_kept(self, tmp_path):
    _store(tmp_path, max_steps=10, mode="train", split="valid")
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.max_steps == options.OPTIONS["max_steps"].default
    assert config.split == "train"

  def test_dataset_path_from_another_directory(self, tmp_path, monkeypatch,
                                               caplog):
    monkeypatch.chdir(tmp_path)
    _store(tmp_path, dataset_path="x.pkl")
    monkeypatch.chdir("/")
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.dataset_path == str(tmp_path / "x.pkl")
    caplog.set_level("INFO", logger="absl")
    monkeypatch.chdir(tmp_path)
    config_lib.resolve(types.SimpleNamespace(
        logdir=str(tmp_path), dataset_path="x.pkl"), log_changes=True)
    assert not caplog.records

  @pytest.mark.parametrize("content", [
      "", "{", "[]", "{}", '{"options": 3, "train_mean": null}',
      '{"options": {}, "train_mean": ["a"]}'])
  def test_damaged_file(self, tmp_path, content):
    (tmp_path / config_lib.FILE_NAME).write_text(content)
    with pytest.raises(errors.UserError, match=config_lib.FILE_NAME):
      config_lib.load(str(tmp_path))

  def test_options_of_a_later_version_are_ignored(self, tmp_path):
    (tmp_path / config_lib.FILE_NAME).write_text(json.dumps(
        {"options": {"warp": 9, "latent_size": 3}, "train_mean": None}))
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.latent_size == 3


class TestTrainMean(object):

  def test_other_mean_is_refused(self, tmp_path):
    """The original evaluated with another emission bias, without a word."""
    mean = np.full(88, .1, np.float32)
    _store(tmp_path, mean)
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    config_lib.check_train_mean(config, mean)
    config_lib.check_train_mean(config, mean.astype(np.float64) + 1e-8)
    with pytest.raises(errors.UserError, match="train_mean"):
      config_lib.check_train_mean(config, mean + .01)
    with pytest.raises(errors.UserError, match="train_mean"):
      config_lib.check_train_mean(config, mean[:10])

  def test_no_run_no_complaint(self):
    config_lib.check_train_mean(_config(), np.ones(88))


def test_noise_seed_moves_on():
  config = _config(random_seed=0)
  assert config_lib.noise_seed(config) == 0
  assert config_lib.noise_seed(config._replace(start_step=10)) == 10
  assert config_lib.noise_seed(_config()) is None
