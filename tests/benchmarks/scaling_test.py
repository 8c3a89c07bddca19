"""Tests of benchmarks.scaling and of the plot."""

import collections
import struct
import sys

import pytest

from benchmarks import comparison
from benchmarks import plot
from benchmarks import processes
from benchmarks import scaling
from fivo.formats import pianorolls
from fivo.system import errors
from tests.benchmarks import stub


def _growth(figures):
  """A sweep from triples of a size, a speed and a memory."""
  return comparison.Comparison("Title", (), (), collections.OrderedDict(
      (size, [{"steps_per_sec": speed, "peak_mb": memory}])
      for size, speed, memory in figures))


def test_sweeps():
  assert scaling.parse_sweeps(["batch_size", "num_samples=8:2:8"]) == {
      "batch_size": (4, 16, 64), "num_samples": (2, 8)}


@pytest.mark.parametrize("text", [
    "", "samples", "num_samples=", "num_samples=a", "num_samples=0:4",
    "num_samples=4:", "num_samples=1.5"])
def test_bad_sweep(text):
  with pytest.raises(errors.UserError, match="^--sweep=%s: " % text):
    scaling.parse_sweeps([text])


def test_dataset_has_sequences_of_one_length(tmp_path):
  path = str(tmp_path / "x.pkl")
  scaling.write_dataset(path, num_timesteps=7, num_sequences=3)
  contents = pianorolls.load(path)
  for split in pianorolls.SPLITS:
    encoded = pianorolls.dense_split(contents, split, path)
    assert [len(sequence) for sequence in encoded] == [7, 7, 7]
  mean = pianorolls.get_mean(contents, path, pianorolls.NUM_NOTES)
  assert 0. < mean.sum() <= 4.


def test_each_point_is_measured_once(tmp_path, monkeypatch):
  stub.write(tmp_path)
  monkeypatch.setattr(processes, "ROOT", str(tmp_path))
  calls = []
  run = processes.run
  monkeypatch.setattr(processes, "run", lambda name, command: (
      calls.append(command), run(name, command))[1])
  base = scaling.Point(num_samples=4, batch_size=2, num_timesteps=5,
                       latent_size=8)
  growths = scaling.measure(
      {"num_samples": (4, 16), "batch_size": (2,), "num_timesteps": (5, 6)},
      base, warmup_steps=2, steps=3, num_rounds=2)
  assert {name: list(growth.figures) for name, growth in growths.items()} == {
      "num_samples": [4, 16], "batch_size": [2], "num_timesteps": [5, 6]}
  assert "batch_size 2, num_timesteps 5, latent_size 8" in (
      growths["num_samples"].title)
  assert len(calls) == 6  # Three points, two rounds.
  assert sum("--num_samples=16" in command for command in calls) == 2
  assert all("--latent_size=8" in command for command in calls)
  paths = [[flag for flag in command if "dataset_path" in flag][0]
           for command in calls]
  assert [path.endswith("/6.pkl") for path in paths] == [False, False, True] * 2
  assert len(growths["num_samples"].figures[16]) == 2


def test_table_shows_the_growth_of_memory():
  table = scaling.to_markdown("num_samples", _growth(
      [(4, 20., 300.), (16, 10., 324.), (64, 2.5, 420.)]))
  assert table.splitlines()[4:] == [
      "| 4 | 20.00 | 50.0 | 300 |  |",
      "| 16 | 10.00 | 100.0 | 324 | 2.000 |",
      "| 64 | 2.50 | 400.0 | 420 | 2.000 |"]


def test_plot_is_a_picture(tmp_path):
  pytest.importorskip("matplotlib")
  plot.check_available()
  path = tmp_path / "scaling.png"
  plot.write(str(path), {
      "num_samples": _growth([(4, 20., 300.), (16, 10., 324.)]),
      "batch_size": _growth([(4, 20., 300.)])})
  data = path.read_bytes()
  assert data[:8] == b"\x89PNG\r\n\x1a\n"
  width, height = struct.unpack(">II", data[16:24])
  assert (width, height) == (640, 600)


def test_without_matplotlib(monkeypatch):
  monkeypatch.setitem(sys.modules, "matplotlib", None)
  with pytest.raises(errors.UserError, match=r"^--out_dir: .*\[benchmark\]"):
    plot.check_available()
