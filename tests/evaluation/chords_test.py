"""Tests the statistics of chords on a table that can be counted by hand."""

import pickle

import numpy as np

from tests import programs


def test_counts_by_hand(tmp_path):
  path, samples = tmp_path / "x.pkl", tmp_path / "samples.npz"
  path.write_bytes(pickle.dumps({
      "train": [[(60, 64), ()]], "valid": [], "test": [[(60, 64), (60, 72)]]}))
  # A semitone, a chord of the train split and a silence, of two particles.
  rolls = np.zeros([3, 1, 2, 88])
  rolls[[0, 0, 1, 1], 0, :, [39, 40, 39, 43]] = 1.
  np.savez(str(samples), samples=rolls)
  result = programs.run(
      ["--dataset_path=%s" % path, "--samples=mine=%s" % samples],
      "fivo/evaluation/chords.py")
  assert (result.exit_code, result.stdout.splitlines()[2:]) == (0, [
      "| train | 2 | 1.000 | 0.000 | 0.500 | 1.000 |",
      "| test | 2 | 2.000 | 0.000 | 0.000 | 0.500 |",
      "| mine | 6 | 1.333 | 0.500 | 0.500 | 0.500 |"])
  result = programs.run([], "fivo/evaluation/chords.py")
  assert result.stderr == "chords.py: --dataset_path is required\n"
