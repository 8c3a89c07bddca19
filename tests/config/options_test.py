"""Tests of the table of options."""

import math

import numpy as np
import pytest

from fivo.config import options


@pytest.mark.parametrize("name, value, complaint", [
    ("num_samples", 0, "must be at least 1"),
    ("num_samples", 2.5, "must be an integer"),
    ("num_samples", True, "must be an integer"),
    ("num_samples", None, "needs a value"),
    ("latent_size", -3, "must be at least 1"),
    ("summarize_every", 0, "must be at least 1"),
    ("sample_length", 0, "must be at least 1"),
    ("relaxed_resampling_temperature", 0., "must be greater than 0.0"),
    ("learning_rate", float("nan"), "must be finite"),
    ("learning_rate", float("inf"), "must be finite"),
    ("learning_rate", "fast", "must be a number"),
    ("variance", 0, "must be greater than 0.0"),
    ("clip_gradient_norm", 0., "must be greater than 0.0"),
    ("bound", "fvio",
     "must be one of elbo, iwae, fivo, fivo-aux, sixo; did you mean fivo?"),
    ("bound", 3, "must be text"),
    ("dataset_path", ["a"], "must be text"),
    ("dataset_path", "a\0b", "must not hold a NUL byte"),
    ("sample_wav", "no", "must be true or false"),
    ("batch_size", 2 ** 40, "must be at most 1000000"),
    ("learning_rate", 10 ** 400, "must be at most 3.4e+38"),
    ("learning_rate", -10 ** 400, "must be greater than 0.0"),
    ("learning_rate", 1e-50, "must be greater than 0.0 when rounded to 32 "
     "bits"),
    ("dataset_type", "poses",
     "must be one of pianoroll, speech, pose, series; did you mean pose?"),
])
def test_complaints(name, value, complaint):
  """The original took these and gave nan or obscure errors."""
  assert options.OPTIONS[name].complaint(value) == complaint


@pytest.mark.parametrize("name, value", [
    ("num_samples", 1), ("num_samples", np.int64(7)), ("random_seed", 0),
    ("random_seed", None), ("learning_rate", 1), ("variance", np.float32(.5)),
    ("sample_wav", True), ("sample_wav", 0), ("sample_wav", np.bool_(1)),
    ("random_seed", -1), ("random_seed", 2 ** 63 - 1),
    ("data_dimension", None), ("sample_out_dir", None), ("bound", "fivo-aux"),
])
def test_allowed(name, value):
  assert options.OPTIONS[name].complaint(value) is None


def test_defaults_are_allowed():
  for option in options.OPTIONS.values():
    assert option.complaint(option.default) is None, option.name


def test_original_defaults():
  """The defaults of the original's flags."""
  expected = dict(
      mode="train", model="vrnn", latent_size=64, dataset_type="pianoroll",
      dataset_path="", data_dimension=None, batch_size=4, num_samples=4,
      logdir="/tmp/smc_vi", random_seed=None, parallel_iterations=30,
      bound="fivo", normalize_by_seq_len=True, learning_rate=0.0002,
      max_steps=1000000000, summarize_every=50, resampling_type="multinomial",
      relaxed_resampling_temperature=0.5, proposal_type="filtering", master="",
      task=0, ps_tasks=0, stagger_workers=True, split="train",
      sample_length=50, prefix_length=25, sample_out_dir=None, variance=0.1,
      num_timesteps=5)
  for name, default in expected.items():
    assert options.OPTIONS[name].default == default, name
    if isinstance(default, float):
      assert math.isclose(options.OPTIONS[name].default, default)
