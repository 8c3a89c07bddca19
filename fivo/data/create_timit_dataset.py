"""Makes TFRecord files of raw speech from the TIMIT corpus.

Reads the files TIMIT/{TRAIN,TEST}/*/*/*.WAV under --raw_timit_dir, in upper or
lower case, NIST SPHERE as published or RIFF as in some copies of the corpus;
splits a part of the train set off as the valid set, normalises all three by the
mean and the standard deviation of the train samples, and writes `train`,
`valid`, `test` and `statistics.json` into --out_dir:

  python fivo/data/create_timit_dataset.py \
    --raw_timit_dir=$RAW_TIMIT_DIR --out_dir=$TIMIT_DIR

Each record is one utterance, float32 `[T, 200]`, zero-padded at its end. The
two lines on stdout are the same, to the last digit, as those of the original
code, which fixes three things: the order of the files (Python 2's shuffle), the
summation (`np.mean` and `np.std` of one float32 array, in which the samples lie
in that order), and the type of every intermediate result (float32).
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import collections
import glob
import os
import random
import tempfile

from absl import flags
from absl import logging
import numpy as np
import tensorflow as tf

from fivo.data import speech_statistics
from fivo.formats import sound
from fivo.system import console
from fivo.system import files
from fivo.system import progress
from fivo.system.errors import UserError

console.define_path(
    "raw_timit_dir", None, "The directory that holds TIMIT/.")
console.define_path(
    "out_dir", None,
    "Where to write train, valid, test and statistics.json. Made if absent.")
flags.DEFINE_float(
    "valid_frac", 0.05,
    "The part of the train set that becomes the valid set, in [0, 1).")

FLAGS = flags.FLAGS

SAMPLES_PER_TIMESTEP = 200
# What the full corpus has.
NUM_TRAIN_FILES = 4620
NUM_TEST_FILES = 1680
_SHUFFLE_SEED = 1234

# An utterance that is not read yet: its path and its `sound.Header`.
Utterance = collections.namedtuple("Utterance", ["path", "header"])


def create_timit_dataset(raw_timit_dir, out_dir, valid_frac=0.05):
  """Makes the files and prints the two lines.

  What `out_dir` held before stays if anything fails.

  Args:
    raw_timit_dir: The directory that holds TIMIT/.
    out_dir: The directory to write to, made if absent.
    valid_frac: The part of the train set to split off, in [0, 1).

  Raises:
    UserError: If an argument or a file of the corpus is not as it must be, or
      if `out_dir` cannot be written.
  """
  _check_arguments(raw_timit_dir, out_dir, valid_frac)
  train = find_utterances(raw_timit_dir, "TRAIN")
  test = find_utterances(raw_timit_dir, "TEST")
  sample_rate = _common_sample_rate(train + test)
  valid, train = split_train_set(train, valid_frac)
  print("%d train / %d valid / %d test" % (len(train), len(valid), len(test)),
        flush=True)
  if valid_frac and not valid:
    logging.warning(
        "The valid set is empty: --valid_frac=%g of %d files is less than one.",
        valid_frac, len(train))
  try:
    os.makedirs(out_dir, exist_ok=True)
    # Inside out_dir, so that the renames at the end stay on one file system.
    with tempfile.TemporaryDirectory(
        prefix=".create_timit_dataset.", dir=out_dir) as staging_dir:
      mean, std = _write_dataset(staging_dir, train, valid, test, sample_rate)
      for name in os.listdir(staging_dir):
        os.replace(os.path.join(staging_dir, name), os.path.join(out_dir, name))
  except (OSError, tf.errors.OpError) as error:
    raise UserError("--out_dir=%s cannot be written: %s" % (
        out_dir, getattr(error, "strerror", None) or error)) from error
  print("train mean: %f  train std: %f" % (mean, std), flush=True)


def find_utterances(raw_timit_dir, subset):
  """Returns the `Utterance`s of "TRAIN" or "TEST", sorted by path in capitals.

  The ._SA1.WAV that macOS leaves on other file systems are left out, and so are
  SA1.wav or SA1.WAV.wav beside SA1.WAV, of a corpus converted in place.
  """
  pattern = os.path.join(subset, "*", "*", "*.WAV")
  paths = (_find_ignoring_case(raw_timit_dir, os.path.join("TIMIT", pattern))
           or _find_ignoring_case(raw_timit_dir, pattern))
  if not paths:
    raise UserError("--raw_timit_dir=%s holds no %s; give the directory that "
                    "holds TIMIT/, or TRAIN/ and TEST/" % (
                        raw_timit_dir, os.path.join("TIMIT", pattern)))
  return [Utterance(path, sound.read_header(path))
          for path in progress.track(
              paths, "Reading the headers of %s" % subset, unit="files")]


def _find_ignoring_case(directory, pattern):
  """Finds the files of a pattern in upper case that ends with .WAV, sorted."""
  pattern = "".join("[%s%s]" % (c, c.lower()) if c.isalpha() else c
                    for c in pattern)
  found = {}
  # Capitals sort first, and so do shorter names.
  paths = sorted(glob.glob(os.path.join(glob.escape(directory), pattern)))
  for path in paths:
    name = path[len(directory):].upper()
    while name.endswith(".WAV"):
      name = name[:-len(".WAV")]
    found.setdefault(name + ".WAV", path)
  if len(found) < len(paths):
    logging.warning("--raw_timit_dir=%s: left out %d files that are copies of "
                    "others by their names.", directory,
                    len(paths) - len(found))
  return [path for _, path in sorted(found.items())]


def split_train_set(train, valid_frac):
  """Splits a sorted list into the valid set and what is left to train on."""
  train = list(train)
  shuffle_as_python2(train, random.Random(_SHUFFLE_SEED))
  num_valid = int(len(train) * valid_frac)
  return train[:num_valid], train[num_valid:]


def shuffle_as_python2(items, rng):
  """Shuffles a list in place as Python 2's `random.shuffle` did.

  Python 3 draws its indices by another method, and has not taken the old one as
  an argument since 3.11.
  """
  for i in reversed(range(1, len(items))):
    j = int(rng.random() * (i + 1))
    items[i], items[j] = items[j], items[i]


def to_frames(samples, mean, std):
  """Normalises float32 samples `[num_samples]`, in timesteps `[T, 200]`.

  Zeros are added after normalising, so that they are silence, not an offset.
  """
  padding = -len(samples) % SAMPLES_PER_TIMESTEP
  normalized = np.pad((samples - mean) / std, (0, padding), "constant")
  return normalized.reshape(-1, SAMPLES_PER_TIMESTEP)


def _check_arguments(raw_timit_dir, out_dir, valid_frac):
  """Refuses what can be seen to be wrong before a file is read."""
  if not raw_timit_dir:
    raise UserError("--raw_timit_dir is not given; give the directory that "
                    "holds TIMIT/")
  if not os.path.isdir(raw_timit_dir):
    raise UserError("--raw_timit_dir=%s is not a directory; give the one that "
                    "holds TIMIT/" % raw_timit_dir)
  if not out_dir:
    raise UserError("--out_dir is not given; give the directory to write "
                    "train, valid and test to")
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
  if len(rates) > 1:
    (rate, path), (other_rate, other_path) = list(rates.items())[:2]
    raise UserError("%s has %d samples per second, but %s has %d; a corpus "
                    "must have one sample rate" % (
                        other_path, other_rate, path, rate))
  return list(rates)[0]


def _write_dataset(directory, train, valid, test, sample_rate):
  """Writes three record files and the statistics; returns mean and std.

  These are NumPy's own functions over one array because a float32 sum depends
  on the order of summation. `np.std` holds a second array of that size for a
  moment: 0.9 GB each for the whole corpus.
  """
  samples = np.concatenate(list(map(_read, progress.track(
      train, "Reading the train set", unit="file"))))
  if samples.min() == samples.max():
    raise UserError("all %d train samples under --raw_timit_dir are %d; they "
                    "cannot be normalised" % (len(samples), samples[0]))
  mean, std = np.mean(samples), np.std(samples)
  speech_statistics.save(directory, speech_statistics.SpeechStatistics(
      mean, std, sample_rate, SAMPLES_PER_TIMESTEP))
  ends = np.cumsum([utterance.header.sample_count for utterance in train])
  for name, waveforms, count in (
      ("train", np.split(samples, ends[:-1]), len(train)),
      ("valid", map(_read, valid), len(valid)),
      ("test", map(_read, test), len(test))):
    _write_records(os.path.join(directory, name), waveforms, count, mean, std)
  return mean, std


def _read(utterance):
  """Reads the samples of an utterance as float32 `[num_samples]`."""
  return sound.read(utterance.path)[0].astype(np.float32)


def _write_records(path, waveforms, num_waveforms, mean, std):
  """Writes one record for each float32 `[num_samples]` of `waveforms`."""
  description = "Writing the %s set" % os.path.basename(path)
  with tf.io.TFRecordWriter(path) as writer:
    for waveform in progress.track(
        waveforms, description, total=num_waveforms, unit="files"):
      frames = to_frames(waveform, mean, std)
      writer.write(frames.astype("<f4").tobytes())
  # Some file systems report a full disk only here.
  with open(path, "rb") as stream:
    os.fsync(stream.fileno())


def main(unused_argv):
  """Makes the records that the flags describe."""
  create_timit_dataset(FLAGS.raw_timit_dir, FLAGS.out_dir, FLAGS.valid_frac)
