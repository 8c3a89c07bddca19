"""Tests that the scripts of experiments run, at tiny sizes."""

import os
import pickle

import numpy as np
import pytest

from benchmarks import filters
from benchmarks import genealogy
from tests import programs


def test_filters(tmp_path, monkeypatch, capsys):
  pytest.importorskip("matplotlib")
  monkeypatch.setattr(filters, "_NUM_TIMESTEPS", 3)
  monkeypatch.setattr(filters, "_CASES", filters._CASES[:1])
  monkeypatch.setattr(filters, "_GRADIENTS", filters._GRADIENTS[:1])
  results = filters.compare_filters([2], num_filters=2)
  filters.compare_gradients(num_particles=2, num_filters=2, num_steps=1)
  assert capsys.readouterr().out.count("\n| --- |") == 2
  filters.draw(str(tmp_path / "x.png"), [2], results)


def test_genealogy(tmp_path):
  pytest.importorskip("matplotlib")
  genealogy.draw(str(tmp_path / "x.png"), *genealogy.compute(
      num_timesteps=4, num_particles=2, num_filters=2))


@pytest.mark.slow
def test_first_hour(tmp_path):
  pytest.importorskip("matplotlib")
  pytest.importorskip("mido")
  contents = {split: [[(60, 64)] * 14] * 4
              for split in ("train", "valid", "test")}
  contents["train_mean"] = np.full([88], 0.1)
  path = tmp_path / "x.pkl"
  path.write_bytes(pickle.dumps(contents))
  result = programs.run(
      ["--dataset_path=%s" % path, "--out_dir=%s" % (tmp_path / "out"),
       "--steps=2"], "benchmarks/first_hour.py", timeout=200)
  assert result.exit_code == 0, result.stderr
  assert set(os.listdir(str(tmp_path / "out"))) == {
      "gap.png", "particles.png", "chorales.png", "sample_0.png",
      "samples.npz"} | {"sample_0_%d.mid" % n for n in range(4)}
