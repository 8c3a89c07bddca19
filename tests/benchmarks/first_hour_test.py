"""Tests of the pictures and the sound of docs/first-hour.md."""

import os
import pickle
import re

import numpy as np
import pytest

from benchmarks import first_hour
from tests import programs

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


@pytest.mark.slow
def test_at_tiny_sizes(tmp_path):
  pytest.importorskip("matplotlib")
  pytest.importorskip("mido")
  rng = np.random.RandomState(0)
  contents = {split: [[(60, 64) if on else () for on in rng.randint(2, size=14)]
                      for _ in range(4)] for split in (
                          "train", "valid", "test")}
  contents["train_mean"] = np.full([88], 0.1)
  path = tmp_path / "x.pkl"
  path.write_bytes(pickle.dumps(contents))
  result = programs.run(
      ["--dataset_path=%s" % path, "--out_dir=%s" % (tmp_path / "out"),
       "--steps=2", "--max_particles=2", "--sequences=2"],
      "benchmarks/first_hour.py", timeout=200)
  assert result.exit_code == 0, result.stderr
  assert {name for name in os.listdir(str(tmp_path / "out"))} == {
      "gap.png", "particles.png", "chorales.png", "sample_0.png",
      "samples.npz"} | {"sample_0_%d.mid" % n for n in range(4)}


def test_the_page_shows_pictures_that_are_there_and_commands_that_work():
  with open(os.path.join(_ROOT, "docs", "first-hour.md")) as stream:
    page = stream.read()
  pictures = re.findall(r"\]\((images/[^)]*)\)", page)
  assert len(pictures) >= 4
  for picture in pictures:
    assert os.path.isfile(os.path.join(_ROOT, "docs", picture)), picture
  assert first_hour.__doc__ and "benchmarks/first_hour.py" in page
