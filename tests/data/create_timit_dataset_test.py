"""Tests of fivo.data.create_timit_dataset."""

import os
import random
import resource
import signal
import struct
import subprocess
import sys
import wave

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import create_timit_dataset
from fivo.data import speech_statistics
from fivo.data import sphere
from fivo.system.errors import UserError

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))

# Sorted by path. Two lengths are multiples of 200: they need no padding.
_TRAIN = (
    ("DR1/FAAA0/SA1.WAV", 200), ("DR1/FAAA0/SI9.WAV", 1500),
    ("DR1/FBBB0/SA1.WAV", 3999), ("DR1/MCCC0/SX10.WAV", 1),
    ("DR1/MCCC0/SX9.WAV", 400), ("DR2/FDDD0/SA1.WAV", 801),
    ("DR8/MEEE0/SA1.WAV", 650), ("DR8/MEEE0/SA2.WAV", 1234))
_TEST = (("DR1/MFFF0/SA1.WAV", 777), ("DR3/FGGG0/SA1.WAV", 600))


def _write_riff(path, samples, sample_rate=16000):
  with wave.open(str(path), "wb") as stream:
    stream.setparams((1, 2, sample_rate, 0, "NONE", ""))
    stream.writeframes(samples.astype("<i2").tobytes())


def _make_corpus(directory, lower_case=False):
  """Writes the files; returns the samples of TRAIN and TEST by path order."""
  # With these numbers the last bits of the mean and the standard deviation
  # depend on the order and on the type in which they are computed.
  rng = np.random.RandomState(85)
  samples = {"TRAIN": [], "TEST": []}
  for subset, utterances in (("TRAIN", _TRAIN), ("TEST", _TEST)):
    for name, length in utterances:
      name = os.path.join("TIMIT", subset, name)
      path = os.path.join(
          str(directory), name.lower() if lower_case else name)
      os.makedirs(os.path.dirname(path), exist_ok=True)
      samples[subset].append(np.clip(
          rng.normal(20000., 4000., size=length), 0, 32000).astype(np.int16))
      sphere.write(path, samples[subset][-1])
  return samples["TRAIN"], samples["TEST"]


def _expected(train, test, valid_frac):
  """The contract, in as few lines as possible."""
  order = list(range(len(train)))
  rng = random.Random(1234)
  if sys.version_info < (3, 11):
    rng.shuffle(order, rng.random)
  else:
    create_timit_dataset.shuffle_as_python2(order, rng)
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
  return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def raw_dir(tmp_path):
  path = tmp_path / "raw"
  _make_corpus(path)
  return path


@pytest.fixture
def out_dir(tmp_path):
  return tmp_path / "out"


def _refused(raw_dir, out_dir, valid_frac=0.25):
  """The one-line message of the refusal; `out_dir` stays as it was."""
  before = _contents(out_dir) if out_dir.is_dir() else {}
  with pytest.raises(UserError) as caught:
    create_timit_dataset.create_timit_dataset(
        str(raw_dir), str(out_dir), valid_frac)
  assert (_contents(out_dir) if out_dir.is_dir() else {}) == before
  assert "\n" not in str(caught.value)
  return str(caught.value)


class TestShuffle:

  def test_figures_of_python_2(self):
    order = list(range(4620))
    create_timit_dataset.shuffle_as_python2(order, random.Random(1234))
    assert order[:8] == [68, 1587, 2250, 3818, 1767, 947, 2089, 1805]
    assert sum(order[:231]) == 498368
    assert sorted(order) == list(range(4620))

  @pytest.mark.skipif(
      sys.version_info >= (3, 11), reason="the argument is gone")
  @pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
  def test_is_the_library_function(self, size):
    ours, librarys = list(range(size)), list(range(size))
    create_timit_dataset.shuffle_as_python2(ours, random.Random(5))
    rng = random.Random(5)
    rng.shuffle(librarys, rng.random)
    assert ours == librarys

  def test_split_of_the_full_corpus(self):
    paths = list(range(4620))
    valid, train = create_timit_dataset.split_train_set(paths, 0.05)
    assert (len(valid), len(train)) == (231, 4389)
    assert valid[:2] == [68, 1587] and sum(valid) == 498368
    assert sorted(valid + train) == paths

  @pytest.mark.parametrize("size,frac,num_valid", [
      (19, 0.05, 0), (20, 0.05, 1), (8, 0., 0), (1, 0.99, 0), (3, 0.999, 2)])
  def test_sizes(self, size, frac, num_valid):
    valid, train = create_timit_dataset.split_train_set(range(size), frac)
    assert (len(valid), len(train)) == (num_valid, size - num_valid)


class TestToFrames:

  @pytest.mark.parametrize("length,num_frames", [
      (1, 1), (199, 1), (200, 1), (201, 2), (400, 2)])
  def test_pads_after_normalising(self, length, num_frames):
    frames = create_timit_dataset.to_frames(
        np.full([length], 7., np.float32), np.float32(1.), np.float32(2.))
    assert frames.dtype == np.float32 and frames.shape == (num_frames, 200)
    flat = frames.reshape(-1)
    assert (flat[:length] == 3.).all() and (flat[length:] == 0.).all()


class TestCreate:

  @pytest.mark.parametrize("valid_frac", [0., 0.25, 0.8])
  def test_is_the_contract_to_the_last_bit(
      self, tmp_path, out_dir, capsys, valid_frac):
    train, test = _make_corpus(tmp_path)
    create_timit_dataset.create_timit_dataset(
        str(tmp_path), str(out_dir), valid_frac)
    mean, std, records = _expected(train, test, valid_frac)
    assert {path.name for path in out_dir.iterdir()} == {
        "train", "valid", "test", "statistics.json"}
    for name in ("train", "valid", "test"):
      assert _records(out_dir / name) == records[name]
    assert speech_statistics.load(str(out_dir)) == (mean, std, 16000, 200)
    output = capsys.readouterr().out
    assert output == (
        "%d train / %d valid / %d test\ntrain mean: %f  train std: %f\n" %
        (len(records["train"]), len(records["valid"]), 2, mean, std))

  def test_the_corpus_tells_orders_and_types_apart(self, tmp_path):
    """Or the test above could not fail where it must."""
    train, test = _make_corpus(tmp_path)
    mean, std, _ = _expected(train, test, 0.25)
    order = create_timit_dataset.split_train_set(range(8), 0.25)[1]
    shuffled = np.concatenate([train[i] for i in order])
    in_order = np.concatenate([train[i] for i in sorted(order)])
    for samples in (in_order.astype(np.float32), shuffled.astype(np.float64)):
      assert np.float32(np.mean(samples)) != mean
      assert np.float32(np.std(samples)) != std

  def test_denormalised_records_are_the_samples(self, raw_dir, out_dir):
    create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    statistics = speech_statistics.load(str(out_dir))
    record = np.frombuffer(_records(out_dir / "test")[0], np.float32)
    samples, _ = sphere.read(str(raw_dir / "TIMIT" / "TEST" / _TEST[0][0]))
    restored = speech_statistics.denormalize(record, statistics)
    assert np.rint(restored)[:777].astype(np.int16).tolist() == samples.tolist()

  def test_other_copies_of_the_corpus(self, tmp_path, out_dir):
    """In lower case, with macOS's ._ files, below a name with brackets."""
    outputs = []
    for name, lower_case in (("a", False), ("[b]* c", True)):
      _make_corpus(tmp_path / name, lower_case)
      create_timit_dataset.create_timit_dataset(
          str(tmp_path / name), str(out_dir))
      outputs.append(_contents(out_dir))
    directory = tmp_path / "a" / "TIMIT" / "TRAIN" / "DR1" / "FAAA0"
    (directory / "._SA1.WAV").write_bytes(b"Mac OS X")
    (directory / "SA1.TXT").write_bytes(b"0 46797 She had your dark suit")
    create_timit_dataset.create_timit_dataset(str(tmp_path / "a"), str(out_dir))
    outputs.append(_contents(out_dir))
    assert outputs[0] == outputs[1] == outputs[2]

  @pytest.mark.parametrize("with_timit", [False, True])
  def test_riff_in_mixed_case(self, raw_dir, tmp_path, out_dir, with_timit):
    """As converted with sox, some folders renamed by another system."""
    create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    expected = _contents(out_dir)
    copy = tmp_path / "copy" / "Timit" if with_timit else tmp_path / "copy"
    for path in sorted((raw_dir / "TIMIT").rglob("*.WAV")):
      name = str(path.relative_to(raw_dir / "TIMIT"))
      name = name.replace("DR1", "dr1").replace("FBBB0", "Fbbb0")
      (copy / name).parent.mkdir(parents=True, exist_ok=True)
      samples = sphere.read(str(path))[0]
      _write_riff(str(copy / name)[:-3] + "wav", samples)
    create_timit_dataset.create_timit_dataset(
        str(tmp_path / "copy"), str(out_dir))
    assert _contents(out_dir) == expected

  @pytest.mark.parametrize("copied", ["SA1.wav", "SA1.WAV.wav"])
  def test_converted_in_place(self, raw_dir, out_dir, caplog, copied):
    create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    expected = _contents(out_dir)
    _write_riff(raw_dir / "TIMIT" / "TRAIN" / "DR1" / "FAAA0" / copied,
                np.zeros([9]))
    create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    assert _contents(out_dir) == expected
    assert "left out 1 file" in caplog.text

  def test_keeps_the_sample_rate(self, tmp_path, out_dir):
    for subset in ("TRAIN", "TEST"):
      path = tmp_path / "TIMIT" / subset / "DR1" / "FAAA0"
      path.mkdir(parents=True)
      sphere.write(str(path / "SA1.WAV"), np.array([1, 2], np.int16), 8000)
    create_timit_dataset.create_timit_dataset(str(tmp_path), str(out_dir))
    assert speech_statistics.load(str(out_dir)).sample_rate == 8000

  def test_replaces_older_records_and_leaves_the_rest(self, raw_dir, out_dir):
    out_dir.mkdir()
    for name in ("train", "notes"):
      (out_dir / name).write_bytes(b"old")
    create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir), 0.25)
    contents = _contents(out_dir)
    assert contents.pop("notes") == b"old"
    assert set(contents) == {"train", "valid", "test", "statistics.json"}
    assert len(_records(out_dir / "train")) == 6

  def test_files_are_readable_by_those_the_umask_lets(self, raw_dir, out_dir):
    old = os.umask(0o027)
    try:
      create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    finally:
      os.umask(old)
    modes = {path.stat().st_mode & 0o777 for path in out_dir.iterdir()}
    assert modes == {0o640}


class TestRefuses:
  """The original had bare assertions, which python -O removes."""

  @pytest.mark.parametrize("frac", [
      -0.01, 1., 1.5, float("nan"), float("inf")])
  def test_valid_frac(self, raw_dir, out_dir, frac):
    assert "--valid_frac=%s" % frac in _refused(raw_dir, out_dir, frac)
    assert not out_dir.exists()

  @pytest.mark.parametrize("value", [None, ""])
  def test_directories_that_are_not_given(self, raw_dir, out_dir, value):
    """As the original README's `export $TIMIT_DIR=` leaves --out_dir."""
    for arguments, flag in (((value, str(out_dir)), "--raw_timit_dir"),
                            ((str(raw_dir), value), "--out_dir")):
      with pytest.raises(UserError, match="%s is not given" % flag):
        create_timit_dataset.create_timit_dataset(*arguments)

  def test_raw_timit_dir_that_is_not_there(self, tmp_path, out_dir):
    (tmp_path / "file").write_text("")
    for name in ("absent", "file"):
      message = _refused(tmp_path / name, out_dir)
      assert "--raw_timit_dir=%s" % (tmp_path / name) in message
      assert "not a directory" in message

  def test_raw_timit_dir_without_timit(self, raw_dir, out_dir):
    message = _refused(raw_dir / "TIMIT" / "TRAIN", out_dir)
    assert "TIMIT/TRAIN/*/*/*.WAV" in message and "--raw_timit_dir" in message
    assert not out_dir.exists()

  @pytest.mark.parametrize("subset", ["TRAIN", "TEST"])
  def test_an_empty_subset(self, raw_dir, out_dir, subset):
    for path in (raw_dir / "TIMIT" / subset).rglob("*.WAV"):
      path.unlink()
    assert "TIMIT/%s/*/*/*.WAV" % subset in _refused(raw_dir, out_dir)

  @pytest.mark.parametrize("name", [
      "TRAIN/" + _TRAIN[2][0], "TRAIN/" + _TRAIN[7][0], "TEST/" + _TEST[1][0]])
  @pytest.mark.parametrize("change", [
      lambda content: content[:-2],  # Truncated.
      lambda content: content + b"\0",
      lambda content: b"",
      lambda content: b"RIFF" + content[4:],
      lambda content: content.replace(b"sample_byte_format -s2 01",
                                      b"sample_byte_format -s2 10"),
      lambda content: content[:1024] + bytes(len(content) - 1024),
  ], ids=["short", "long", "empty", "RIFF", "big-endian", "limits"])
  def test_a_bad_file_by_name(self, raw_dir, out_dir, name, change):
    out_dir.mkdir()
    (out_dir / "train").write_bytes(b"older records")
    path = raw_dir / "TIMIT" / name
    path.write_bytes(change(path.read_bytes()))
    assert str(path) in _refused(raw_dir, out_dir)

  def test_a_directory_with_an_utterances_name(self, raw_dir, out_dir):
    path = raw_dir / "TIMIT" / "TRAIN" / "DR1" / "FAAA0" / "SA2.WAV"
    path.mkdir()
    assert str(path) in _refused(raw_dir, out_dir)

  @pytest.mark.parametrize("value", [0, 5])
  def test_silence(self, tmp_path, out_dir, value):
    """Division by a standard deviation of zero wrote NaN."""
    for subset, samples in (("TRAIN", [value] * 999), ("TEST", [1, 2])):
      path = tmp_path / "TIMIT" / subset / "DR1" / "FAAA0"
      path.mkdir(parents=True)
      sphere.write(str(path / "SA1.WAV"), np.array(samples, np.int16))
    assert "all 999 train samples under --raw_timit_dir are %d" % value in (
        _refused(tmp_path, out_dir))

  def test_two_sample_rates(self, raw_dir, out_dir):
    path = raw_dir / "TIMIT" / "TEST" / _TEST[1][0]
    sphere.write(str(path), np.array([1, 2], np.int16), sample_rate=8000)
    message = _refused(raw_dir, out_dir)
    assert "%s has 8000" % path in message and "has 16000" in message

  def test_out_dir_that_is_a_file(self, raw_dir, tmp_path):
    path = tmp_path / "file"
    path.write_text("precious")
    for out_dir in (path, path / "out"):
      assert _refused(raw_dir, out_dir).startswith(
          "--out_dir=%s: %s is not a directory" % (out_dir, path))
    assert path.read_text() == "precious"

  @pytest.mark.parametrize("name", ["valid", "statistics.json"])
  def test_out_dir_with_a_directory_in_the_way(self, raw_dir, out_dir, name):
    (out_dir / name).mkdir(parents=True)
    with pytest.raises(UserError, match="holds a directory %s" % name):
      create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    assert [path.name for path in out_dir.iterdir()] == [name]

  def test_termination_leaves_nothing(self, raw_dir, out_dir, monkeypatch):
    """A half-written file looked whole to the next command."""
    out_dir.mkdir()
    (out_dir / "train").write_bytes(b"older records")
    staged = []

    def terminated(*_):
      staged.extend(out_dir.glob(".*"))
      sys.exit(128 + signal.SIGTERM)  # As `console.run_main` has signals do.

    monkeypatch.setattr(create_timit_dataset, "to_frames", terminated)
    with pytest.raises(SystemExit):
      create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir))
    assert staged  # It was interrupted half way.
    assert _contents(out_dir) == {"train": b"older records"}


def _run(command, directory=".", **kwargs):
  return subprocess.run(
      [sys.executable] + command, cwd=os.path.join(_ROOT, directory),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
      **kwargs)


class TestCommand:

  @pytest.mark.parametrize("directory,command", [
      ("fivo", ["data/create_timit_dataset.py"]),
      (".", ["fivo/data/create_timit_dataset.py"]),
      (".", ["-m", "fivo.data.create_timit_dataset"])])
  def test_prints_two_lines(self, tmp_path, out_dir, directory, command):
    """On Python 3 the original failed on bytes as a string."""
    train, test = _make_corpus(tmp_path)
    result = _run(command + [
        "--raw_timit_dir=%s" % tmp_path, "--out_dir=%s" % out_dir,
        "--valid_frac=0.25"], directory)
    assert result.returncode == 0, result.stderr
    mean, std, _ = _expected(train, test, 0.25)
    assert result.stdout == (
        "6 train / 2 valid / 2 test\ntrain mean: %f  train std: %f\n" %
        (mean, std))
    assert result.stderr == ""

  def test_an_error_is_one_line(self, raw_dir, out_dir):
    path = raw_dir / "TIMIT" / "TRAIN" / _TRAIN[0][0]
    path.write_bytes(path.read_bytes()[:-1])
    result = _run([
        "fivo/data/create_timit_dataset.py", "--raw_timit_dir=%s" % raw_dir,
        "--out_dir=%s" % out_dir])
    assert result.returncode == 1 and result.stdout == ""
    assert str(path) in result.stderr and result.stderr.count("\n") == 1
    assert not out_dir.exists()

  def test_minus_o_removes_no_check(self, raw_dir):
    path = raw_dir / "TIMIT" / "TRAIN" / _TRAIN[0][0]
    path.write_bytes(path.read_bytes()[:-1])
    result = _run([
        "-O", "-c", "import sys; from fivo.data import sphere; "
        "sphere.read(sys.argv[1])", str(path)])
    assert result.returncode == 1
    assert "UserError: %s: the header states sample_count" % path in (
        result.stderr)

  def test_a_full_disk_leaves_nothing(self, raw_dir, out_dir):
    limit = 10000  # Less than the train file has.

    def limit_file_size():
      resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    result = _run(
        ["fivo/data/create_timit_dataset.py", "--raw_timit_dir=%s" % raw_dir,
         "--out_dir=%s" % out_dir, "--valid_frac=0.25"],
        env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=limit_file_size)
    assert result.returncode == 1
    assert "--out_dir=%s cannot be written" % out_dir in result.stderr
    assert result.stderr.count("\n") == 1
    assert _contents(out_dir) == {}

  def test_a_word_too_many(self, raw_dir, out_dir):
    result = _run(["fivo/data/create_timit_dataset.py", "--raw_timit_dir",
                   str(raw_dir), "--out_dir=%s" % out_dir, "0.05"])
    assert result.returncode == 1 and "'0.05'" in result.stderr


def test_records_are_framed_as_tensorflow_does(raw_dir, out_dir):
  """Their size is known: 16 bytes of frame for each record."""
  create_timit_dataset.create_timit_dataset(str(raw_dir), str(out_dir), 0.)
  content = (out_dir / "test").read_bytes()
  sizes = [4 * 800, 4 * 600]
  assert len(content) == sum(sizes) + 2 * 16
  assert struct.unpack("<Q", content[:8]) == (sizes[0],)


def test_names_that_scripts_use():
  assert (create_timit_dataset.NUM_TRAIN_FILES,
          create_timit_dataset.NUM_TEST_FILES,
          create_timit_dataset.SAMPLES_PER_TIMESTEP) == (4620, 1680, 200)
