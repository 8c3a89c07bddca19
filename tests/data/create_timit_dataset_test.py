"""Tests of fivo.data.create_timit_dataset."""

import os
import random
import resource
import wave

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import create_timit_dataset
from fivo.data import speech_statistics
from fivo.data.create_synthetic_timit import write_sphere
from fivo.system.errors import UserError

# Sorted by path. Two lengths are multiples of 200: they need no padding.
_TRAIN = (
    ("DR1/FAAA0/SA1.WAV", 200), ("DR1/FAAA0/SI9.WAV", 1500),
    ("DR1/FBBB0/SA1.WAV", 3999), ("DR1/MCCC0/SX10.WAV", 1),
    ("DR1/MCCC0/SX9.WAV", 400), ("DR2/FDDD0/SA1.WAV", 801),
    ("DR8/MEEE0/SA1.WAV", 650), ("DR8/MEEE0/SA2.WAV", 1234))
_TEST = (("DR1/MFFF0/SA1.WAV", 777), ("DR3/FGGG0/SA1.WAV", 600))


def _write_riff(path, samples):
  with wave.open(str(path), "wb") as stream:
    stream.setparams((1, 2, 16000, 0, "NONE", ""))
    stream.writeframes(samples.astype("<i2").tobytes())


def _make_corpus(directory, write=write_sphere, change_name=str):
  """Writes the files; returns the samples of TRAIN and TEST by path order."""
  # With these numbers the last bits of the mean and the standard deviation
  # depend on the order and on the type in which they are computed.
  rng = np.random.RandomState(85)
  corpus = {"TRAIN": [], "TEST": []}
  for subset, utterances in (("TRAIN", _TRAIN), ("TEST", _TEST)):
    for name, length in utterances:
      samples = np.clip(
          rng.normal(20000., 4000., size=length), 0, 32000).astype(np.int16)
      path = directory / change_name(os.path.join("TIMIT", subset, name))
      path.parent.mkdir(parents=True, exist_ok=True)
      write(str(path), samples)
      corpus[subset].append(samples)
  return corpus["TRAIN"], corpus["TEST"]


def _expected(train, test, valid_frac):
  """The contract, in as few lines as possible."""
  order = list(range(len(train)))
  rng = random.Random(1234)
  rng.shuffle(order, rng.random)
  num_valid = int(len(train) * valid_frac)
  splits = {"valid": [train[i] for i in order[:num_valid]],
            "train": [train[i] for i in order[num_valid:]], "test": test}
  everything = np.concatenate(splits["train"]).astype(np.float32)
  mean, std = np.mean(everything), np.std(everything)
  records = {}
  for name, utterances in splits.items():
    records[name] = []
    for samples in utterances:
      frames = np.zeros([-(-len(samples) // 200), 200], np.float32)
      frames.flat[:len(samples)] = (samples.astype(np.float32) - mean) / std
      records[name].append(frames.tobytes())
  return mean, std, records


def _records(path):
  """Reads a TFRecord file; TensorFlow checks its checksums."""
  return list(tf.compat.v1.io.tf_record_iterator(str(path)))


def _contents(directory):
  return {path.name: path.read_bytes() for path in directory.glob("*")}


@pytest.fixture
def raw_dir(tmp_path):
  _make_corpus(tmp_path / "raw")
  return tmp_path / "raw"


@pytest.fixture
def out_dir(tmp_path):
  return tmp_path / "out"


def _create(raw_dir, out_dir, valid_frac=0.25):
  create_timit_dataset.create_timit_dataset(
      str(raw_dir), str(out_dir), valid_frac)
  return _contents(out_dir)


def _refused(raw_dir, out_dir):
  """The one-line message of the refusal; `out_dir` stays as it was."""
  before = _contents(out_dir)
  with pytest.raises(UserError) as caught:
    _create(raw_dir, out_dir)
  assert _contents(out_dir) == before
  assert "\n" not in str(caught.value)
  return str(caught.value)


def test_shuffle_is_python_2s():
  valid, train = create_timit_dataset.split_train_set(range(4620), 0.05)
  assert valid[:8] == [68, 1587, 2250, 3818, 1767, 947, 2089, 1805]
  assert (len(valid), sum(valid)) == (231, 498368)
  assert sorted(valid + train) == list(range(4620))
  for size, frac, num_valid in ((19, 0.05, 0), (20, 0.05, 1), (3, 0.999, 2)):
    valid, train = create_timit_dataset.split_train_set(range(size), frac)
    assert (len(valid), len(train)) == (num_valid, size - num_valid)


@pytest.mark.parametrize("valid_frac", [0., 0.25])
def test_is_the_contract_to_the_last_bit(
    tmp_path, out_dir, capsys, valid_frac):
  train, test = _make_corpus(tmp_path)
  contents = _create(tmp_path, out_dir, valid_frac)
  mean, std, records = _expected(train, test, valid_frac)
  assert set(contents) == {"train", "valid", "test", "statistics.json"}
  for name in ("train", "valid", "test"):
    assert _records(out_dir / name) == records[name]
  assert speech_statistics.load(str(out_dir)) == (mean, std, 16000, 200)
  assert capsys.readouterr().out == (
      "%d train / %d valid / %d test\ntrain mean: %f  train std: %f\n" %
      (len(records["train"]), len(records["valid"]), 2, mean, std))


def _rename(name):
  """As another system renames some folders of a copy without TIMIT/."""
  return (name.replace("TIMIT/", "").replace("DR1", "dr1").replace(
      "FBBB0", "Fbbb0").replace(".WAV", ".wav"))


@pytest.mark.parametrize("name, write, change_name", [
    ("[b]* c", write_sphere, str.lower), ("copy", _write_riff, _rename)])
def test_other_copies_of_the_corpus(
    raw_dir, tmp_path, out_dir, name, write, change_name):
  expected = _create(raw_dir, out_dir)
  _make_corpus(tmp_path / name, write, change_name)
  assert _create(tmp_path / name, out_dir) == expected


def test_other_files(raw_dir, out_dir, caplog):
  out_dir.mkdir()
  for name in ("train", "notes"):  # The one is replaced, the other stays.
    (out_dir / name).write_bytes(b"old")
  expected = _create(raw_dir, out_dir)
  assert expected["notes"] == b"old"
  assert len(_records(out_dir / "train")) == 6
  directory = raw_dir / "TIMIT" / "TRAIN" / "DR1" / "FAAA0"
  for copied in ("SA1.wav", "SA1.WAV.wav"):
    _write_riff(directory / copied, np.zeros([9]))
  (directory / "._SA1.WAV").write_bytes(b"Mac OS X")
  (directory / "SA1.TXT").write_bytes(b"0 46797 She had your dark suit")
  assert _create(raw_dir, out_dir) == expected
  assert "left out 2 file" in caplog.text


@pytest.mark.parametrize("name", [
    "TRAIN/" + _TRAIN[2][0], "TEST/" + _TEST[1][0]])
@pytest.mark.parametrize("change", [
    lambda content: content[:-2],  # Truncated.
    lambda content: b"RIFF" + content[4:],
    lambda content: content[:1024] + bytes(len(content) - 1024),
], ids=["short", "RIFF", "limits"])
def test_defect_assertions_refuse_a_bad_file_by_name(
    raw_dir, out_dir, name, change):
  out_dir.mkdir()
  (out_dir / "train").write_bytes(b"older records")
  path = raw_dir / "TIMIT" / name
  path.write_bytes(change(path.read_bytes()))
  assert str(path) in _refused(raw_dir, out_dir)


def test_silence(tmp_path, out_dir):
  _make_corpus(tmp_path, lambda path, samples: write_sphere(
      path, np.full([9], 5, np.int16)))
  assert "train samples under --raw_timit_dir are 5" in (
      _refused(tmp_path, out_dir))


def test_sample_rates(raw_dir, out_dir):
  paths = list((raw_dir / "TIMIT").rglob("*.WAV"))
  for path in paths:
    write_sphere(str(path), np.array([1, 2], np.int16), 8000)
  _create(raw_dir, out_dir)
  assert speech_statistics.load(str(out_dir)).sample_rate == 8000
  write_sphere(str(paths[0]), np.array([1, 2], np.int16), 16000)
  message = _refused(raw_dir, out_dir)
  assert "%s has" % paths[0] in message and "has 8000" in message


def test_full_disk_leaves_what_was_there(raw_dir, out_dir):
  out_dir.mkdir()
  (out_dir / "train").write_bytes(b"older records")
  _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
  try:
    # Less than the train file has.
    resource.setrlimit(resource.RLIMIT_FSIZE, (10000, most))
    message = _refused(raw_dir, out_dir)
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
  assert message.startswith("--out_dir=%s: cannot be written to" % out_dir)


def test_names_that_scripts_use():
  assert (create_timit_dataset.NUM_TRAIN_FILES,
          create_timit_dataset.NUM_TEST_FILES,
          create_timit_dataset.SAMPLES_PER_TIMESTEP) == (4620, 1680, 200)
