"""Tests of configurations: reading, checking, keeping, comparing."""

import os
import pathlib
import types

from absl import flags
import numpy as np
import pytest

from fivo.config import config as config_lib
from fivo.config import stored
from fivo.system import errors


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(**kwargs))


class TestFromObject(object):

  def test_missing_attributes_have_defaults(self):
    class Config(object):
      bound = "iwae"
      unknown_option = 3
    config = config_lib.from_object(Config)
    assert config.bound == "iwae"
    assert config.latent_size == 64
    assert config.given == {"bound"}

  def test_flags_left_at_default_are_not_given(self):
    flag_values = flags.FlagValues()
    flags.DEFINE_string("bound", "fivo", "", flag_values=flag_values)
    flags.DEFINE_integer("num_samples", 4, "", flag_values=flag_values)
    flag_values(["program", "--num_samples=4"])
    config = config_lib.from_object(flag_values)
    assert config.given == {"num_samples"}
    assert config.bound == "fivo"

  def test_plain_values(self):
    """As NumPy and divisions make them; None is not given."""
    config = _config(
        num_samples=np.int64(3), batch_size=2.0, learning_rate=np.float32(.5),
        normalize_by_seq_len=np.bool_(False), sample_length=None,
        logdir=pathlib.Path("~/x"), data_dimension=None)
    assert type(config.num_samples) is int
    assert (config.num_samples, config.batch_size) == (3, 2)
    assert type(config.batch_size) is int
    assert type(config.learning_rate) is float
    assert config.normalize_by_seq_len is False
    assert config.sample_length == 50
    assert config.logdir == os.path.expanduser("~/x")
    assert "sample_length" not in config.given
    assert "data_dimension" in config.given


class TestCallersFunction(object):

  def test_gets_its_own_object(self, tmp_path):
    source = types.SimpleNamespace(logdir=str(tmp_path), model="mine", own=3)
    config = config_lib.resolve(source, own_names=True)
    config = config._replace(start_step=7, train_mean="mean")
    seen = []

    def function(own, split):
      own.latent_size = 5
      seen.append((own, split, config_lib.from_object(own)))

    wrapped = config_lib.CallersFunction(source, function)
    wrapped(config, split="dev")
    wrapped(config, split="dev")
    own, split, inside = seen[0]
    assert own is source and split == "dev"
    assert seen == [(own, split, inside)] * 2
    assert inside == wrapped.updated(config) == config._replace(latent_size=5)
    # Outside it is any other object.
    assert config_lib.from_object(source).start_step == 0

  def test_own_names(self, tmp_path):
    names = dict(model="mine", dataset_type="frames", split="dev")
    source = types.SimpleNamespace(logdir=str(tmp_path), **names)
    config = config_lib.resolve(source, own_names=True)
    stored.save(config)
    assert config_lib.resolve(source, own_names=True).model == "mine"
    for name in names:
      with pytest.raises(errors.UserError, match="--%s=" % name):
        config_lib.resolve(types.SimpleNamespace(
            logdir=str(tmp_path / "none"), **{name: names[name]}))


def test_a_resolved_one_stays_as_it_is(tmp_path, monkeypatch):
  config = config_lib.resolve(
      types.SimpleNamespace(logdir=str(tmp_path)), "train")
  monkeypatch.setattr(stored, "load", None)
  assert config_lib.resolve(config, "train") is not None
  assert config_lib.resolve(config, "train") == config
