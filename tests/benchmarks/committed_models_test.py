"""Tests that the models in results/ are those of which the tables tell.

To compute a table's figure again takes minutes; here it is the bounds of the
shortest test sequences. Without the data it is skipped.
"""

import json
import os

import numpy as np
import pytest

from benchmarks import processes
from benchmarks import reproduce_models

_MODELS = os.path.join(processes.ROOT, "results", "models")
_NAMES = sorted(os.listdir(_MODELS)) if os.path.isdir(_MODELS) else []
_DATA = (os.environ.get("PIANOROLL_DIR", ""),
         os.path.join(os.path.dirname(processes.ROOT), "shared", "data",
                      "pianorolls"),
         os.environ.get("FIVO_DATA_DIR", ""),
         os.path.join(processes.ROOT, ".data"))
# Of a Normal, some of ten models in three bounds are beyond 4.5 once in 5,000
# runs; ten repeats make a t of 9 degrees of freedom, which 8 makes as rare.
_MAX_ERRORS = 8.


# Seconds for each.
@pytest.mark.parametrize("name", [
    name if name.startswith("jsb_vrnn_fivo_n4") else
    pytest.param(name, marks=pytest.mark.slow) for name in _NAMES])
def test_bounds_of_a_model(name):
  logdir = os.path.join(_MODELS, name)
  with open(os.path.join(logdir, reproduce_models.FIGURES)) as stream:
    figures = json.load(stream)
  paths = [os.path.join(directory, figures["table"]["dataset"] + ".pkl")
           for directory in _DATA]
  path = next(filter(os.path.exists, paths), None)
  if path is None:
    pytest.skip("without the data")
  for bound, (mean, error) in reproduce_models.evaluate_subset(
      logdir, path).items():
    expected, expected_error = figures["subset"][bound]
    assert abs(mean - expected) < _MAX_ERRORS * np.hypot(error, expected_error)
    assert expected_error < .1  # So that another model is told from this one.


@pytest.mark.parametrize("name", _NAMES)
def test_a_model_is_small(name):
  sizes = [os.path.getsize(os.path.join(_MODELS, name, path))
           for path in os.listdir(os.path.join(_MODELS, name))]
  assert sum(sizes) < 700000
