"""Tests of fivo/data/calculate_pianoroll_mean.py."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fivo.data import calculate_pianoroll_mean
from fivo.formats import pianorolls
from tests import programs

# Lists, numbers of other types and empty chords, as files have them.
_CONTENTS = {
    "train": [[(21, 108), (), [60, 60]], [(np.int64(60),)]],
    "valid": [[(50,)]],
    "test": [[(50,), (51,)]],
    "composer": "Bach",
}
_MEAN = np.zeros([88])
_MEAN[[0, 87, 60 - 21]] = 1. / 4., 1. / 4., 2. / 4.


@pytest.fixture
def path(tmp_path):
  path = str(tmp_path / "rolls.pkl")
  pianorolls.save(path, _CONTENTS)
  return path


def test_adds_the_mean_in_place(path):
  # The command finds the package by its own place.
  environment = {key: value for key, value in os.environ.items()
                 if key != "PYTHONPATH"}
  result = subprocess.run(
      [sys.executable, "data/calculate_pianoroll_mean.py", "--in_file=" + path],
      cwd=os.path.join(programs.ROOT, "fivo"), env=environment,
      stderr=subprocess.PIPE, universal_newlines=True, check=False)
  assert result.returncode == 0, result.stderr
  assert result.stderr.count("\n") == 1  # What it did; nothing else.
  loaded = pianorolls.load(path)
  mean = loaded.pop("train_mean")
  assert mean.dtype == np.float64
  np.testing.assert_allclose(mean, _MEAN, rtol=1e-15)
  assert loaded == _CONTENTS
  assert os.listdir(os.path.dirname(path)) == ["rolls.pkl"]


def test_writes_another_file_and_replaces_a_mean(path, tmp_path):
  out_file = str(tmp_path / "out.pkl")
  pianorolls.save(out_file, dict(_CONTENTS, train_mean=np.full([88], np.nan)))
  for in_file in (out_file, path):
    calculate_pianoroll_mean.add_train_mean(in_file, out_file)
    np.testing.assert_allclose(
        pianorolls.load(out_file)["train_mean"], _MEAN, rtol=1e-15)
  assert "train_mean" not in pianorolls.load(path)


def test_names_that_scripts_use():
  assert (calculate_pianoroll_mean.MIN_NOTE, calculate_pianoroll_mean.MAX_NOTE,
          calculate_pianoroll_mean.NUM_NOTES) == (21, 108, 88)
