"""Tests of benchmarks.sixo: it trains, and on the bound that it names."""

import numpy as np
import pytest

from benchmarks import sixo
from fivo import bounds


@pytest.mark.parametrize("create_bound", [bounds.fivo, bounds.sixo])
def test_training_closes_the_gap(create_bound, monkeypatch):
  monkeypatch.setattr(sixo, "NUM_TIMESTEPS", 3)
  monkeypatch.setattr(sixo, "TEST_BATCH", 100)
  before, after = [
      sixo.measure(create_bound, 1., num_steps).mean() for num_steps in (0, 60)]
  assert np.isfinite([before, after]).all()
  assert after < before
