"""Tests of what configurations are refused, and what is said of others."""

import types

import numpy as np
import pytest

from fivo.config import checks
from fivo.config import config as config_lib
from fivo.config import stored
from fivo.system import errors


def _config(**kwargs):
  return config_lib.from_object(types.SimpleNamespace(**kwargs))


def _messages(caplog):
  return [record.getMessage() for record in caplog.records]


def _remark(mode="train", **kwargs):
  """Logs the remarks on a configuration in a logdir that is not there."""
  config_lib.enter(types.SimpleNamespace(logdir="/none", **kwargs), mode)


class TestChecks(object):

  @pytest.mark.parametrize("kwargs, message", [
      (dict(num_samples=0), "--num_samples=0: must be at least 1"),
      (dict(bound="best"), "--bound=best: must be one of elbo, iwae"),
      (dict(model="ghmm", bound="fivo-aux"), "--bound=fivo-aux: the ghmm has"),
      (dict(model="vrnn", proposal_type="true-filtering"),
       "--proposal_type=true-filtering: only the ghmm"),
      (dict(model="srnn", proposal_type="true-smoothing"),
       "--proposal_type=true-smoothing: only the ghmm"),
      (dict(bound="sixo", twist="optimal"), "--twist=optimal: only the ghmm"),
      (dict(bound="sixo", batch_size=1), "--batch_size=1: --twist=dre tells"),
      (dict(bound="sixo", xla=True), "--xla: cannot compile --bound=sixo"),
      (dict(kl_warmup_steps=9, proposal_type="prior"),
       "--kl_warmup_steps=9: weighs the log ratio of prior and proposal"),
      (dict(kl_warmup_steps=9, iwae_gradients="dreg"),
       "--kl_warmup_steps=9: weighs the log ratio of prior and proposal"),
      (dict(task=1), "--task=1: needs --master"),
      (dict(ps_tasks=1), "--ps_tasks=1: needs --master"),
      (dict(export_best=True), "--export_best=True: goes by the bound"),
      (dict(early_stop_patience=3), "--early_stop_patience=3: goes by"),
      (dict(model="ghmm", eval_every=5), "--eval_every=5: the ghmm has no"),
      (dict(eval_every=0), "--eval_every=0: must be at least 1"),
  ])
  def test_refused(self, kwargs, message):
    with pytest.raises(errors.UserError) as caught:
      config_lib.resolve(types.SimpleNamespace(**kwargs))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)

  @pytest.mark.parametrize("kwargs, message", [
      (dict(dataset_path=""), "--dataset_path is empty"),
      (dict(dataset_path="x", data_dimension=87), "--data_dimension=87: must"),
  ])
  def test_data_refused(self, kwargs, message):
    with pytest.raises(errors.UserError, match=message):
      checks.check_data(_config(**kwargs), "train")

  def test_fivo_with_two_particles_warns(self, caplog):
    """With two particles FIVO never resamples: the original said nothing."""
    _remark(bound="fivo", num_samples=2)
    assert any("the same as IWAE" in m for m in _messages(caplog))
    caplog.clear()
    for kwargs in (dict(ess_threshold=.6), dict(resampling_criterion="always")):
      _remark(bound="fivo", num_samples=2, **kwargs)
    assert not _messages(caplog)

  def test_ignored_options_warn(self, caplog):
    """Flags that a model ignores were ignored in silence."""
    _remark(model="ghmm", normalize_by_seq_len=False)
    assert "--normalize_by_seq_len is ignored by --model=ghmm." in _messages(
        caplog)

  def test_a_warm_up_is_remarked_upon(self, caplog):
    """The log lines of its steps would be taken for bounds."""
    caplog.set_level("INFO", logger="absl")
    _remark(kl_warmup_steps=9)
    assert any(m.startswith("Until step 9 the log lines") for m in _messages(
        caplog))

  def test_diagnostics_of_a_compiled_filter_warn(self, caplog):
    _remark(diagnostics=True, xla=True)
    assert any("--diagnostics is ignored: with --xla" in m
               for m in _messages(caplog))

  def test_relaxed_without_resampling_warns(self, caplog):
    _remark(bound="iwae", resampling_type="relaxed")
    assert any("does not resample" in m for m in _messages(caplog))

  @pytest.mark.parametrize("kwargs, message", [
      (dict(twist="joint"), "--twist=joint is ignored: --bound=fivo has no"),
      (dict(bound="sixo", twist="joint", twist_steps=3),
       "--twist_steps=3 is ignored: --twist=joint needs no classifier."),
      (dict(bound="sixo", twist="joint"), "--twist=joint: learns by how the"),
  ])
  def test_twist_warns(self, kwargs, message, caplog):
    _remark(**kwargs)
    assert any(m.startswith(message) for m in _messages(caplog))

  def test_sixo_by_default_is_silent(self, caplog):
    _remark(bound="sixo")
    assert not _messages(caplog)

  def test_split_of_speech(self, tmp_path, caplog):
    """--split was ignored for speech."""
    config = _config(dataset_type="speech", dataset_path=str(tmp_path))
    assert config.path_of_split("valid") == str(tmp_path / "valid")
    checks.log_remarks(config._replace(split="test", mode="eval"))
    assert not caplog.records
    (tmp_path / "train").write_bytes(b"")
    config = config._replace(dataset_path=str(tmp_path / "train"))
    assert config.path_of_split("valid") == config.dataset_path
    checks.log_remarks(config._replace(split="test", mode="eval"))
    assert any(m.startswith("--split=test is ignored")
               for m in _messages(caplog))

  def test_defaults_are_silent(self, caplog):
    _remark()
    assert not caplog.records


class TestTrainMean(object):

  def test_other_mean_is_refused(self, tmp_path):
    """The original evaluated with another emission bias, without a word."""
    mean = np.full(88, .1, np.float32)
    stored.save(_config(logdir=str(tmp_path)), mean)
    config = config_lib.resolve(types.SimpleNamespace(logdir=str(tmp_path)))
    checks.check_train_mean(config, mean)
    checks.check_train_mean(config, mean.astype(np.float64) + 1e-8)
    with pytest.raises(errors.UserError, match="train_mean"):
      checks.check_train_mean(config, mean + .01)
    with pytest.raises(errors.UserError, match="train_mean"):
      checks.check_train_mean(config, mean[:10])

  def test_no_run_no_complaint(self):
    checks.check_train_mean(_config(), np.ones(88))
