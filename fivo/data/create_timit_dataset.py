"""Makes TFRecord files of raw speech from the TIMIT corpus.

Reads the files TIMIT/{TRAIN,TEST}/*/*/*.WAV under --raw_timit_dir, in upper or
lower case, NIST SPHERE as published or RIFF as in some copies of the corpus;
splits off a part of the train set as the valid set, normalises all three by the
mean and the standard deviation of the train samples, and writes `train`,
`valid`, `test` and `statistics.json` into --out_dir:

  python fivo/data/create_timit_dataset.py \
    --raw_timit_dir=$RAW_TIMIT_DIR --out_dir=$TIMIT_DIR

Each record is one utterance, float32 `[T, 200]`, zero-padded at its end. The
train set is in the order of Python 2's shuffle, and `np.mean` and `np.std` are
of one float32 array, to give the original's output to the last digit.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import glob
import os
import random
import re
import tempfile

from absl import flags
import numpy as np
import tensorflow as tf

from fivo.data import speech_statistics
from fivo.formats import sound
from fivo.system import console
from fivo.system import errors
from fivo.system import files
from fivo.system import log
from fivo.system import progress
from fivo.system.errors import UserError

console.define_path(
    "raw_timit_dir", None, "The directory that holds TIMIT/.")
console.define_path(
    "out_dir", None,
    "Where to write train, valid, test and statistics.json. Made if absent.")
flags.DEFINE_float(
    "valid_frac", 0.05,
    "The fraction of the train set that becomes the valid set, in [0, 1).")

FLAGS = flags.FLAGS

SAMPLES_PER_TIMESTEP = 200
# In the full corpus.
NUM_TRAIN_FILES = 4620
NUM_TEST_FILES = 1680


def create_timit_dataset(raw_timit_dir, out_dir, valid_frac=0.05):
  """Makes the files that the flags of these names describe; prints two lines.

  Raises a `UserError` if an argument or a file of the corpus is wrong, or
  `out_dir` cannot be written; then its contents do not change.
  """
  _check_arguments(raw_timit_dir, out_dir, valid_frac)
  train = find_utterances(raw_timit_dir, "TRAIN")
  test = find_utterances(raw_timit_dir, "TEST")
  sample_rate = _common_sample_rate(train + test)
  valid, train = split_train_set(train, valid_frac)
  print("%d train / %d valid / %d test" % (len(train), len(valid), len(test)),
        flush=True)
  if valid_frac and not valid:
    log.warning(
        "The valid set is empty: --valid_frac=%g of %d files is less than one.",
        valid_frac, len(train))
  with errors.writing_to("out_dir", out_dir):
    os.makedirs(out_dir, exist_ok=True)
    # Inside out_dir, so that the renames at the end stay on one file system.
    with tempfile.TemporaryDirectory(
        prefix=".create_timit_dataset.", dir=out_dir) as staging_dir:
      mean, std = _write_dataset(staging_dir, train, valid, test, sample_rate)
      for name in os.listdir(staging_dir):
        os.replace(os.path.join(staging_dir, name), os.path.join(out_dir, name))
  print("train mean: %f  train std: %f" % (mean, std), flush=True)


def find_utterances(raw_timit_dir, subset):
  """Returns paths and headers of "TRAIN" or "TEST", sorted by path in capitals.

  SA1.wav and SA1.WAV.wav beside SA1.WAV are copies, and left out.
  """
  pattern = "/%s/*/*/*.WAV" % subset
  in_any_case = re.sub("[A-Z]", lambda letter: "[%s%s]" % (
      letter.group(), letter.group().lower()), "/TIMIT" + pattern)
  start = glob.escape(raw_timit_dir)
  # Capitals sort first, and so do shorter names.
  paths = sorted(glob.glob(start + in_any_case) or glob.glob(
      start + in_any_case[in_any_case.index("/", 1):]))
  if not paths:
    raise UserError("--raw_timit_dir=%s holds no TIMIT%s; give the directory "
                    "that holds TIMIT/, or TRAIN/ and TEST/" % (
                        raw_timit_dir, pattern))
  found = {}
  for path in paths:
    found.setdefault(re.sub(r"(\.WAV)+$", ".WAV", path.upper()), path)
  if len(found) < len(paths):
    log.warning("--raw_timit_dir=%s: left out %d files that are copies of "
                "others by their names.", raw_timit_dir,
                len(paths) - len(found))
  return [(path, sound.read_header(path))
          for _, path in progress.track(
              sorted(found.items()), "Reading the headers of %s" % subset,
              unit="files")]


def split_train_set(train, valid_frac):
  """Splits a sorted list into the valid set and the rest, to train on."""
  train = list(train)
  rng = random.Random(1234)
  rng.shuffle(train, rng.random)  # As Python 2 did.
  num_valid = int(len(train) * valid_frac)
  return train[:num_valid], train[num_valid:]


def to_frames(samples, mean, std):
  """Normalises float32 samples `[num_samples]` into timesteps `[T, 200]`."""
  padding = -len(samples) % SAMPLES_PER_TIMESTEP
  # Zeros are added after normalising: silence, not an offset.
  normalized = np.pad((samples - mean) / std, (0, padding), "constant")
  return normalized.reshape(-1, SAMPLES_PER_TIMESTEP)


def _check_arguments(raw_timit_dir, out_dir, valid_frac):
  for name, value, use in (
      ("raw_timit_dir", raw_timit_dir, "that holds TIMIT/"),
      ("out_dir", out_dir, "to write to")):
    if not value:
      raise UserError("--%s is not given; give the directory %s" % (name, use))
  if not os.path.isdir(raw_timit_dir):
    raise UserError("--raw_timit_dir=%s is not a directory; give the one that "
                    "holds TIMIT/" % raw_timit_dir)
  files.check_directory("out_dir", out_dir, [
      "train", "valid", "test", speech_statistics.FILE_NAME])
  if not 0 <= valid_frac < 1:  # NaN is refused too.
    raise UserError("--valid_frac=%s must be at least 0 and less than 1, so "
                    "that files are left to train on" % valid_frac)


def _common_sample_rate(utterances):
  """Returns the one sample rate of all utterances."""
  rates = {}
  for path, header in utterances:
    rates.setdefault(header.sample_rate or sound.DEFAULT_SAMPLE_RATE, path)
  (rate, path), *others = rates.items()
  for other_rate, other_path in others[:1]:
    raise UserError("%s has %d samples per second, but %s has %d; a corpus "
                    "must have one sample rate" % (
                        other_path, other_rate, path, rate))
  return rate


def _write_dataset(directory, train, valid, test, sample_rate):
  """Writes three record files and the statistics; returns mean and std."""
  samples = np.concatenate(list(map(_read, progress.track(
      train, "Reading the train set", unit="file"))))
  if samples.min() == samples.max():
    raise UserError("all %d train samples under --raw_timit_dir are %d; they "
                    "cannot be normalised" % (len(samples), samples[0]))
  mean, std = np.mean(samples), np.std(samples)
  speech_statistics.save(directory, speech_statistics.SpeechStatistics(
      mean, std, sample_rate, SAMPLES_PER_TIMESTEP))
  ends = np.cumsum([header.sample_count for _, header in train])
  for name, waveforms, count in (
      ("train", np.split(samples, ends[:-1]), len(train)),
      ("valid", map(_read, valid), len(valid)),
      ("test", map(_read, test), len(test))):
    path = os.path.join(directory, name)
    with tf.io.TFRecordWriter(path) as writer:
      for waveform in progress.track(
          waveforms, "Writing the %s set" % name, total=count, unit="files"):
        frames = to_frames(waveform, mean, std)
        writer.write(frames.astype("<f4").tobytes())
    # Some file systems report a full disk only here.
    with open(path, "rb") as stream:
      os.fsync(stream.fileno())
  return mean, std


def _read(utterance):
  """Reads the samples of an utterance as float32 `[num_samples]`."""
  path, _ = utterance
  return sound.read(path)[0].astype(np.float32)


def main(unused_argv):
  """Makes the records according to the flags."""
  create_timit_dataset(FLAGS.raw_timit_dir, FLAGS.out_dir, FLAGS.valid_frac)
