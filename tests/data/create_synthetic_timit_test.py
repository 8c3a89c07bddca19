"""Tests of fivo.data.create_synthetic_timit."""

import re

import numpy as np
import pytest

from fivo.data import create_synthetic_timit
from fivo.formats import sound
from fivo.system.errors import UserError
from tests import programs


def _corpus(directory):
  """Reads a corpus: a dict from relative path to bytes."""
  return {
      str(path.relative_to(directory)): path.read_bytes()
      for path in directory.rglob("*") if path.is_file()}


def test_plan_of_the_full_size():
  plan = list(create_synthetic_timit.plan_corpus(4620, 1680))
  paths = {create_synthetic_timit.path_of(*utterance) for utterance in plan}
  assert len(paths) == 6300
  speakers = [{path.split("/")[3] for path in paths if subset in path}
              for subset in ("TRAIN", "TEST")]
  assert [len(names) for names in speakers] == [462, 168]
  assert not speakers[0] & speakers[1]


def test_command(tmp_path):
  """Every file is read and has about the duration that was asked for."""
  result = programs.run(
      ["--out_dir=%s" % tmp_path, "--num_train=6", "--num_test=1",
       "--seconds=0.4"], "fivo/data/create_synthetic_timit.py")
  assert (result.exit_code, result.stderr) == (0, "")
  pattern = re.compile(
      r"TIMIT/(TRAIN|TEST)/DR[1-8]/[FM][A-Z]{3}[0-9]/(SA|SI|SX)[0-9]+\.WAV")
  names = list(_corpus(tmp_path))
  assert all(map(pattern.fullmatch, names))
  assert sum("TRAIN" in name for name in names) == 6 and len(names) == 7
  for path in tmp_path.rglob("*.WAV"):
    samples, header = sound.read(str(path))
    assert header == (1024, len(samples), 16000, samples.min(), samples.max())
    assert 0.2 * 16000 - 1 <= len(samples) <= 0.6 * 16000


def test_header_is_timits(tmp_path):
  path = tmp_path / "SA1.WAV"
  create_synthetic_timit.write_sphere(
      str(path), np.array([3, -5, 260], np.int16), utterance_id="CJF0_SA1")
  content = path.read_bytes()
  assert content[1024:] == b"\x03\0\xfb\xff\x04\x01"
  assert content[:1024].decode("ascii").rstrip(" ") == (
      "NIST_1A\n   1024\ndatabase_id -s9 SYNTHETIC\ndatabase_version -s3 1.0\n"
      "utterance_id -s8 cjf0_sa1\nchannel_count -i 1\nsample_count -i 3\n"
      "sample_rate -i 16000\nsample_min -i -5\nsample_max -i 260\n"
      "sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_sig_bits -i 16"
      "\nend_head\n")


def test_the_seed_and_nothing_else_decides(tmp_path):
  corpora = []
  for name, num_train, seed in (("a", 12, 5), ("b", 12, 5), ("c", 11, 5),
                                ("d", 12, 6)):
    create_synthetic_timit.create_synthetic_timit(
        str(tmp_path / name), num_train, 2, 0.1, seed)
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
    assert (loudness < 10).mean() > 0.03 and (loudness > 300).mean() > 0.3


@pytest.mark.parametrize("name", ["TIMIT", "timit"])
def test_never_writes_over_a_corpus(tmp_path, name):
  (tmp_path / name).mkdir()
  with pytest.raises(UserError, match="already"):
    create_synthetic_timit.create_synthetic_timit(str(tmp_path), 1, 1, 0.1)
  assert [path.name for path in tmp_path.rglob("*")] == [name]

