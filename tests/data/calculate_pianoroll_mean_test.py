"""Tests of fivo/data/calculate_pianoroll_mean.py."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from fivo.data import calculate_pianoroll_mean
from fivo.formats import pianorolls

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# Lists, numbers of other types and empty chords, as files have them.
_CONTENTS = {
    "train": [[(21, 108), (), [60, 60]], [(np.int64(60),)]],
    "valid": [[(50,)]],
    "test": [[(50,), (51,)]],
    "composer": "Bach",
}


def _expected_mean():
  mean = np.zeros([88])
  mean[[0, 87]] = 1. / 4.
  mean[60 - 21] = 2. / 4.
  return mean


def _write(path, contents=None):
  with open(str(path), "wb") as stream:
    pickle.dump(contents or _CONTENTS, stream, protocol=2)
  return str(path)


def _run(arguments, cwd=_ROOT, **kwargs):
  # The command finds the package by its own place.
  environment = {key: value for key, value in os.environ.items()
                 if key != "PYTHONPATH"}
  return subprocess.run(
      [sys.executable] + arguments, cwd=str(cwd), env=environment,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
      check=False, **kwargs)


@pytest.mark.parametrize("cwd, script", [
    (".", ["fivo/data/calculate_pianoroll_mean.py"]),
    ("fivo", ["data/calculate_pianoroll_mean.py"]),
    (".", ["-m", "fivo.data.calculate_pianoroll_mean"]),
    ("/", [os.path.join(_ROOT, "fivo/data/calculate_pianoroll_mean.py")]),
])
def test_adds_the_mean_in_place(tmp_path, cwd, script):
  path = _write(tmp_path / "rolls.pkl")
  result = _run(script + ["--in_file=" + path], os.path.join(_ROOT, cwd))
  assert result.returncode == 0, result.stderr
  assert result.stderr.count("\n") == 1  # What it did; nothing else.
  loaded = pianorolls.load(path)
  np.testing.assert_allclose(
      loaded.pop("train_mean"), _expected_mean(), rtol=1e-15)
  assert loaded == _CONTENTS
  assert os.listdir(str(tmp_path)) == ["rolls.pkl"]


def test_writes_another_file(tmp_path):
  in_file = _write(tmp_path / "in.pkl")
  with open(in_file, "rb") as stream:
    before = stream.read()
  out_file = str(tmp_path / "out.pkl")
  calculate_pianoroll_mean.add_train_mean(in_file, out_file)
  with open(in_file, "rb") as stream:
    assert stream.read() == before
  np.testing.assert_allclose(
      pianorolls.load(out_file)["train_mean"], _expected_mean(), rtol=1e-15)


def test_plain_unpickling_still_reads_the_file(tmp_path):
  path = _write(tmp_path / "rolls.pkl")
  calculate_pianoroll_mean.add_train_mean(path)
  with open(path, "rb") as stream:
    loaded = pickle.load(stream, encoding="latin1")
  mean = loaded["train_mean"]
  assert (mean.dtype, mean.shape) == (np.float64, (88,))
  np.testing.assert_allclose(mean, _expected_mean(), rtol=1e-15)


def test_replaces_a_mean_that_is_there(tmp_path):
  path = _write(tmp_path / "rolls.pkl",
                dict(_CONTENTS, train_mean=np.full([88], np.nan)))
  calculate_pianoroll_mean.add_train_mean(path)
  calculate_pianoroll_mean.add_train_mean(path)
  np.testing.assert_allclose(
      pianorolls.load(path)["train_mean"], _expected_mean(), rtol=1e-15)


def test_keeps_permissions_and_writes_through_links(tmp_path):
  path = _write(tmp_path / "rolls.pkl")
  os.chmod(path, 0o640)
  link = str(tmp_path / "link.pkl")
  os.symlink(path, link)
  calculate_pianoroll_mean.add_train_mean(link)
  assert os.path.islink(link)
  assert os.stat(path).st_mode & 0o777 == 0o640
  assert "train_mean" in pianorolls.load(path)


def test_defect_full_disk_destroyed_the_file(tmp_path):
  resource = pytest.importorskip("resource")
  path = _write(tmp_path / "rolls.pkl",
                dict(_CONTENTS, train=[[(60,)] * 5000]))
  with open(path, "rb") as stream:
    before = stream.read()
  # A file may not grow beyond half of what is to be written.
  result = _run(
      ["-m", "fivo.data.calculate_pianoroll_mean", "--in_file=" + path],
      preexec_fn=lambda: resource.setrlimit(
          resource.RLIMIT_FSIZE, (len(before) // 2, len(before) // 2)))
  assert result.returncode == 1
  assert result.stderr == (
      "calculate_pianoroll_mean.py: %s: File too large\n" % path)
  with open(path, "rb") as stream:
    assert stream.read() == before
  assert os.listdir(str(tmp_path)) == ["rolls.pkl"]


def test_starts_without_tensorflow():
  result = _run(["-c", "import fivo.data.calculate_pianoroll_mean, sys; "
                       "print('tensorflow' in sys.modules)"])
  assert result.stdout == "False\n"


def test_names_that_scripts_use():
  assert (calculate_pianoroll_mean.MIN_NOTE, calculate_pianoroll_mean.MAX_NOTE,
          calculate_pianoroll_mean.NUM_NOTES) == (21, 108, 88)
