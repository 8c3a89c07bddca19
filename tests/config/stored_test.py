"""Tests of the configuration that a logdir keeps."""

import json
import types

import numpy as np
import pytest

from fivo.config import checks
from fivo.config import config as config_lib
from fivo.config import options
from fivo.config import stored
from fivo.system import errors


def _store(logdir, train_mean=None, **kwargs):
  stored.save(config_lib.from_object(
      types.SimpleNamespace(logdir=str(logdir), **kwargs)), train_mean)


def _messages(caplog):
  return [record.getMessage() for record in caplog.records]


class TestLogdir(object):

  def test_round_trip(self, tmp_path):
    mean = np.linspace(0, 1, 88).astype(np.float32)
    _store(tmp_path, mean, model="srnn", latent_size=7, learning_rate=3e-5)
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.model == "srnn"
    assert config.latent_size == 7
    assert config.learning_rate == 3e-5
    np.testing.assert_array_equal(config.train_mean, mean)

  @pytest.mark.parametrize("stored, given", [
      (dict(proposal_type="filtering"), dict(proposal_type="smoothing")),
      (dict(data_dimension=200, dataset_type="speech"),
       dict(data_dimension=100)),
      (dict(bound="fivo-aux"), dict(bound="fivo")),
      (dict(bound="fivo"), dict(bound="fivo-aux")),
      (dict(bound="sixo"), dict(bound="fivo")),
      (dict(bound="iwae"), dict(bound="sixo")),
      (dict(bound="sixo", twist="dre"), dict(twist="joint")),
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
        types.SimpleNamespace(logdir=str(tmp_path), **given), "train")
    checks.log_remarks(config)
    assert getattr(config, name) == value
    assert any(m.startswith("--%s=%s: was" % (name, value))
               for m in _messages(caplog))

  @pytest.mark.parametrize("bound, part", [
      ("fivo", None), ("fivo-aux", "tilt"), ("sixo", "twist")])
  def test_is_evaluated_with_its_tilt_or_twist(self, tmp_path, bound, part):
    _store(tmp_path, bound=bound)
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.bound_traits.part == part

  @pytest.mark.parametrize("stored, given", [
      (dict(bound="fivo", twist="dre"), dict(twist="joint")),
      (dict(model="vrnn", num_timesteps=5), dict(num_timesteps=9)),
      (dict(data_dimension=None), dict(data_dimension=88))])
  def test_what_the_model_does_not_heed_may_change(
      self, tmp_path, stored, given):
    _store(tmp_path, **stored)
    config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path), **given))

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
    checks.log_remarks(config_lib.resolve(types.SimpleNamespace(
        logdir=str(tmp_path), dataset_path="x.pkl"), "train"))
    assert not caplog.records

  def test_options_of_a_later_version_are_ignored(self, tmp_path):
    (tmp_path / stored.FILE_NAME).write_text(json.dumps(
        {"options": {"warp": 9, "latent_size": 3}, "train_mean": None}))
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    assert config.latent_size == 3
