"""Tests of what is said of options that have no effect, or fit no run.

What is refused is in tests/bad_input_test.py.
"""

import types

import pytest

from fivo.config import checks
from fivo.config import config as config_lib


def _remarks(caplog, mode="train", **kwargs):
  """The lines logged of a configuration in a logdir that is not there."""
  caplog.set_level("INFO", logger="absl")
  checks.log_remarks(config_lib.resolve(
      types.SimpleNamespace(logdir="/none", **kwargs), mode))
  return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("kwargs, message", [
    # With two particles FIVO never resamples, of which the original was silent.
    (dict(num_samples=2), "--num_samples=2 makes FIVO the same as IWAE"),
    (dict(model="ghmm", normalize_by_seq_len=False),
     "--normalize_by_seq_len is ignored by --model=ghmm."),
    (dict(kl_warmup_steps=9), "Until step 9 the log lines show the warm-up's"),
    (dict(diagnostics=True, xla=True), "--diagnostics is ignored: with --xla"),
    (dict(diagnostics=True, bound="elbo"),
     "--diagnostics is ignored: --bound=elbo does not resample."),
    (dict(iwae_gradients="dreg"),
     "--iwae_gradients=dreg is ignored: --bound=fivo does not use it."),
    (dict(twist="joint"),
     "--twist=joint is ignored: --bound=fivo has no twist."),
    (dict(bound="sixo", twist="joint", twist_steps=3),
     "--twist_steps=3 is ignored: --twist=joint needs no classifier."),
    (dict(bound="sixo", twist="joint"), "--twist=joint: learns only through"),
])
def test_remarks(kwargs, message, caplog):
  assert any(line.startswith(message) for line in _remarks(caplog, **kwargs))


@pytest.mark.parametrize("kwargs", [
    {}, dict(bound="sixo"), dict(num_samples=2, ess_threshold=.6),
    dict(num_samples=2, resampling_criterion="always")])
def test_what_works_is_silent(kwargs, caplog):
  assert not _remarks(caplog, **kwargs)


def test_split_of_speech(tmp_path, caplog):
  """The original ignored --split of speech."""
  options = dict(mode="eval", dataset_type="speech", split="test")
  config = config_lib.from_object(types.SimpleNamespace(
      dataset_path=str(tmp_path), **options))
  assert config.path_of_split("valid") == str(tmp_path / "valid")
  assert not _remarks(caplog, dataset_path=str(tmp_path), **options)
  (tmp_path / "train").write_bytes(b"")
  path = str(tmp_path / "train")
  assert config._replace(dataset_path=path).path_of_split("valid") == path
  line, = _remarks(caplog, dataset_path=path, **options)
  assert line.startswith("--split=test is ignored: --dataset_path=")
