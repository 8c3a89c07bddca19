"""Tests of fivo.data.create_synthetic_timit."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from fivo.data import create_synthetic_timit
from fivo.data import sphere
from fivo.system.errors import UserError
from tests import programs

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))


def _corpus(directory):
  """Reads a corpus: a dict from relative path to bytes."""
  return {
      str(path.relative_to(directory)): path.read_bytes()
      for path in directory.rglob("*") if path.is_file()}


def test_layout_is_timits(tmp_path):
  create_synthetic_timit.create_synthetic_timit(
      str(tmp_path), num_train=23, num_test=11, seconds=0.1)
  names = list(_corpus(tmp_path))
  pattern = re.compile(
      r"TIMIT/(TRAIN|TEST)/DR[1-8]/[FM][A-Z]{3}[0-9]/(SA|SI|SX)[0-9]+\.WAV")
  assert all(pattern.fullmatch(name) for name in names)
  assert sum("TRAIN" in name for name in names) == 23
  assert sum("TEST" in name for name in names) == 11


def test_plan_of_the_full_size():
  plan = list(create_synthetic_timit.plan_corpus(4620, 1680))
  assert len({utterance.path for utterance in plan}) == 6300
  speakers = [
      {utterance.speaker_name for utterance in plan
       if utterance.subset == subset} for subset in ("TRAIN", "TEST")]
  assert [len(names) for names in speakers] == [462, 168]
  assert not speakers[0] & speakers[1]


def test_every_file_is_read_and_has_about_the_duration(tmp_path):
  create_synthetic_timit.create_synthetic_timit(
      str(tmp_path), num_train=6, num_test=1, seconds=0.4)
  for path in tmp_path.rglob("*.WAV"):
    samples, header = sphere.read(str(path))
    assert header.sample_rate == 16000
    assert 0.2 * 16000 - 1 <= len(samples) <= 0.6 * 16000


def test_the_seed_and_nothing_else_decides(tmp_path):
  corpora = []
  for name, num_train, seed in (("a", 12, 5), ("b", 12, 5), ("c", 11, 5),
                                ("d", 12, 6)):
    np.random.seed(len(name))  # The global stream is not used ...
    state = np.random.get_state()[1].tolist()
    create_synthetic_timit.create_synthetic_timit(
        str(tmp_path / name), num_train, 2, 0.1, seed)
    assert np.random.get_state()[1].tolist() == state  # ... nor moved.
    corpora.append(_corpus(tmp_path / name))
  first, same, fewer, other = corpora
  assert first == same
  # The lengths are the first draw of each stream: no two streams are equal.
  assert len(first) == len({len(content) for content in first.values()}) == 14
  assert set(fewer.items()) < set(first.items())
  assert set(other) == set(first)
  assert not set(other.values()) & set(first.values())


def test_sounds_like_speech():
  """Smooth where voiced, with a pitch by speaker, loud and silent parts."""
  for speaker, pitch in ((10, 210.), (11, 120.)):
    rng = np.random.RandomState(speaker)
    samples = create_synthetic_timit.synthesize(speaker, 16000 * 20, rng)
    assert samples.dtype == np.int16 and samples.shape == (320000,)
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.arange(len(power)) * 16000. / len(samples)
    voiced = power[frequencies < 4000].sum() / power.sum()
    assert voiced > 0.9  # White noise has a half.
    # The first harmonic is the least frequency with power.
    band = (frequencies > 50) & (frequencies < 0.7 * pitch)
    first = (frequencies > 0.8 * pitch) & (frequencies < 1.2 * pitch)
    assert power[first].sum() > 20 * power[band].sum()
    loudness = samples.reshape([-1, 320]).astype(float).std(axis=1)
    assert (loudness < 10).mean() > 0.03
    assert (loudness > 300).mean() > 0.3
    assert np.abs(samples.astype(int)).max() < 32767


@pytest.mark.parametrize("change,flag", [
    (dict(out_dir=""), "--out_dir"), (dict(out_dir=None), "--out_dir"),
    (dict(num_train=0), "--num_train=0"), (dict(num_test=-1), "--num_test=-1"),
    (dict(num_train=10 ** 9), "--num_train=1000000000"),
    (dict(seconds=0.), "--seconds=0.0"), (dict(seconds=1e9), "--seconds"),
    (dict(seconds=float("nan")), "--seconds=nan"),
    (dict(seed=-1), "--seed=-1"), (dict(seed=2 ** 32), "--seed=4294967296")])
def test_refuses_arguments_by_name(tmp_path, change, flag):
  arguments = dict(out_dir=str(tmp_path), num_train=1, num_test=1)
  arguments.update(change)
  with pytest.raises(UserError, match=re.escape(flag)):
    create_synthetic_timit.create_synthetic_timit(**arguments)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["TIMIT", "timit"])
def test_never_writes_over_a_corpus(tmp_path, name):
  (tmp_path / name).mkdir()
  with pytest.raises(UserError, match="already"):
    create_synthetic_timit.create_synthetic_timit(str(tmp_path), 1, 1, 0.1)
  assert [path.name for path in tmp_path.rglob("*")] == [name]


def test_leaves_nothing_when_it_fails(tmp_path, monkeypatch):
  """As when the disk is full after two files."""
  write, written = sphere.write, []

  def write_two(path, *args, **kwargs):
    if len(written) == 2:
      raise OSError(28, "No space left on device")
    written.append(path)
    write(path, *args, **kwargs)

  monkeypatch.setattr(sphere, "write", write_two)
  with pytest.raises(UserError, match="--out_dir=.*No space left on device"):
    create_synthetic_timit.create_synthetic_timit(str(tmp_path), 3, 1, 0.1)
  assert len(written) == 2 and not list(tmp_path.iterdir())


def test_out_dir_below_a_file(tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(UserError, match="file is not a directory"):
    create_synthetic_timit.create_synthetic_timit(
        str(tmp_path / "file" / "out"), 1, 1, 0.1)


@pytest.mark.parametrize("directory,command", [
    ("fivo", ["data/create_synthetic_timit.py"]),
    (".", ["fivo/data/create_synthetic_timit.py"]),
    (".", ["-m", "fivo.data.create_synthetic_timit"])])
def test_runs_from_where_one_runs_it(tmp_path, directory, command):
  result = subprocess.run(
      [sys.executable] + command + [
          "--out_dir=%s" % tmp_path, "--num_train=2", "--num_test=1",
          "--seconds=0.1", "--seed=3"],
      cwd=os.path.join(_ROOT, directory), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, universal_newlines=True)
  assert result.returncode == 0, result.stderr
  assert len(_corpus(tmp_path)) == 3


def test_an_error_is_one_line(tmp_path):
  result = subprocess.run(
      [sys.executable, "-m", "fivo.data.create_synthetic_timit",
       "--out_dir=%s" % tmp_path, "--num_train=0"],
      cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
      universal_newlines=True)
  assert result.returncode == 1
  assert "--num_train=0" in result.stderr
  assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [
    signal.SIGTERM, signal.SIGINT])
def test_an_end_by_a_signal_leaves_nothing(tmp_path, number):
  process = subprocess.Popen(
      [sys.executable, "-m", "fivo.data.create_synthetic_timit",
       "--out_dir=%s" % tmp_path, "--num_train=80000", "--seconds=0.1"],
      cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  try:
    while not list(tmp_path.glob(".*/TIMIT/TRAIN/*/*/*.WAV")):
      assert process.poll() is None
      time.sleep(0.01)
    process.send_signal(number)
    output, errors = process.communicate(timeout=30)
  finally:
    process.kill()
  assert (process.returncode, output, errors) == (128 + number, b"", b"")
  assert not list(tmp_path.iterdir())
