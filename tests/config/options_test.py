"""Tests of the table of options; wrong flags are in tests/bad_input_test.py."""

import numpy as np
import pytest

from fivo.config import options


@pytest.mark.parametrize("name, value, complaint", [
    ("num_samples", True, "must be an integer"),
    ("num_samples", None, "needs a value"),
    ("learning_rate", 10 ** 400, "must be at most 3.4e+38"),
    ("bound", 3, "must be text"),
    ("dataset_path", "a\0b", "must not hold a NUL byte"),
    ("sample_wav", "no", "must be true or false"),
])
def test_complaints_about_what_flags_cannot_be(name, value, complaint):
  assert options.OPTIONS[name].complaint(value) == complaint


@pytest.mark.parametrize("name, value", [
    ("num_samples", np.int64(7)), ("random_seed", None), ("learning_rate", 1),
    ("variance", np.float32(.5)), ("sample_wav", 0), ("sample_wav", np.bool_(1))
] + [(option.name, option.default) for option in options.OPTIONS.values()])
def test_allowed(name, value):
  assert options.OPTIONS[name].complaint(value) is None


def test_original_defaults():
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
