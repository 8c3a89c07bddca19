"""Makes a synthetic corpus in the form of TIMIT.

TIMIT needs a licence. For those without one, and for tests, this writes NIST
SPHERE files in TIMIT's layout, TIMIT/{TRAIN,TEST}/DR1/FAAA0/SA1.WAV, which
`create_timit_dataset.py` and everything after it treat like TIMIT:

  python fivo/data/create_synthetic_timit.py \
    --out_dir=/tmp/synthetic --num_train=40 --num_test=10
  python fivo/data/create_timit_dataset.py \
    --raw_timit_dir=/tmp/synthetic --out_dir=/tmp/synthetic_records

An utterance is a sequence of vowels (harmonics of a gliding pitch, weighted by
the vowel's resonances [1]), fricatives (high-pass noise) and pauses.

[1] G. Peterson and H. Barney, Control methods used in a study of the vowels,
    JASA 1952, table II.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import os
import tempfile

from absl import flags
import numpy as np

from fivo.formats import sound
from fivo.system import console
from fivo.system import errors
from fivo.system import files
from fivo.system import progress
from fivo.system.errors import UserError

FLAGS = flags.FLAGS

SAMPLE_RATE = sound.DEFAULT_SAMPLE_RATE

_SENTENCES_PER_SPEAKER = 10
_NUM_INITIALS = 26 ** 3
_MAX_UTTERANCES = _NUM_INITIALS * _SENTENCES_PER_SPEAKER // 2

# First and second resonance of the vowels in heed, head, had, hod, hawed and
# who'd, for men, in Hz.
_VOWELS = np.array([
    (270., 2290.), (530., 1840.), (660., 1720.), (730., 1090.), (570., 840.),
    (300., 870.)])
_RESONANCE_WIDTH = 120.  # Hz, standard deviation of a bell in the spectrum.
_HIGHEST_HARMONIC = 4000.  # Hz
_SEGMENT_SECONDS = (0.06, 0.25)
_VOWEL_AMPLITUDE = (400., 2000.)
_FRICATIVE_AMPLITUDE = (50., 400.)
_BACKGROUND_AMPLITUDE = 4.


def create_synthetic_timit(out_dir, num_train, num_test, seconds=3., seed=0):
  """Writes the corpus that the flags of these names describe, or nothing.

  Utterances last from 0.5 to 1.5 times `seconds`, and depend on the seed, but
  not on how many there are. Raises a `UserError` if an argument is out of
  range, or `out_dir` already has a TIMIT or cannot be written.
  """
  _check_arguments(out_dir, num_train, num_test, seconds, seed)
  with errors.writing_to("out_dir", out_dir):
    os.makedirs(out_dir, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=".create_synthetic_timit.", dir=out_dir) as staging_dir:
      for subset, speaker, sentence in progress.track(
          plan_corpus(num_train, num_test), "Writing the corpus",
          total=num_train + num_test, unit="files"):
        rng = np.random.RandomState([seed, speaker, sentence])
        num_samples = int(rng.uniform(0.5, 1.5) * seconds * SAMPLE_RATE)
        samples = synthesize(speaker, num_samples, rng)
        path = os.path.join(staging_dir, path_of(subset, speaker, sentence))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        name = path[:-len(".WAV")].split(os.sep)
        write_sphere(path, samples, utterance_id=name[-2][1:] + "_" + name[-1])
      os.rename(staging_dir + "/TIMIT", os.path.join(out_dir, "TIMIT"))


def plan_corpus(num_train, num_test):
  """Yields subset, speaker (women are even) and sentence of each utterance."""
  first_speaker = 0
  for subset, num_utterances in (("TRAIN", num_train), ("TEST", num_test)):
    for index in range(num_utterances):
      speaker = first_speaker + index // _SENTENCES_PER_SPEAKER
      yield subset, speaker, index % _SENTENCES_PER_SPEAKER
    first_speaker = speaker + 1


def path_of(subset, speaker, sentence):
  """Returns a path like TIMIT/TRAIN/DR1/FAAA0/SA1.WAV."""
  # A stride prime to the number of initials visits each of them once.
  number = speaker * 7919 % _NUM_INITIALS
  initials = [chr(ord("A") + number // 26 ** k % 26) for k in range(3)]
  # As in TIMIT: 2 sentences that all speak, 3 by one speaker, 5 by seven.
  if sentence < 2:
    name = "SA%d" % (1 + sentence)
  elif sentence < 5:
    name = "SI%d" % (450 + (speaker * 3 + sentence - 2) % 1890)
  else:
    name = "SX%d" % (1 + (speaker * 5 + sentence - 5) % 449)
  return "TIMIT/%s/DR%d/%s%s0/%s.WAV" % (
      subset, speaker % 8 + 1, "FM"[speaker % 2], "".join(initials), name)


def synthesize(speaker, num_samples, rng):
  """Returns an utterance of a speaker, int16 `[num_samples]`, at 16 kHz."""
  is_woman = speaker % 2 == 0
  pitch = (210. if is_woman else 120.) * 1.02 ** (speaker // 2 % 11 - 5)
  # Shorter vocal tracts resonate higher.
  vowels = _VOWELS * (1.15 if is_woman else 1.)
  samples = _BACKGROUND_AMPLITUDE * rng.normal(size=num_samples)
  start = int(rng.uniform(0.02, 0.1) * SAMPLE_RATE)  # Silence comes first.
  while start < num_samples:
    seconds = rng.uniform(*_SEGMENT_SECONDS)
    kind = rng.choice(["vowel", "fricative", "pause"], p=[0.6, 0.25, 0.15])
    if kind == "vowel":
      resonances = vowels[rng.randint(len(vowels))]
      segment = _vowel(pitch, resonances, seconds, rng)
    elif kind == "fricative":
      segment = _fricative(seconds, rng)
    else:
      segment = np.zeros(int(seconds * SAMPLE_RATE))
    segment = segment[:num_samples - start]
    samples[start:start + len(segment)] += segment
    start += len(segment)
  return np.clip(np.rint(samples), -2 ** 15, 2 ** 15 - 1).astype(np.int16)


def _vowel(pitch, resonances, seconds, rng):
  """Returns a sum of harmonics, float `[seconds * SAMPLE_RATE]`."""
  num_samples = int(seconds * SAMPLE_RATE)
  start, end = pitch * rng.uniform(0.85, 1.15, size=2)
  frequency = np.linspace(start, end, num_samples)
  phase = 2. * np.pi * np.cumsum(frequency) / SAMPLE_RATE
  wave = np.zeros(num_samples)
  total_power = 0.
  for harmonic in range(1, int(_HIGHEST_HARMONIC / pitch) + 1):
    distance = (harmonic * pitch - resonances) / _RESONANCE_WIDTH
    # The second resonance is the weaker one, and a little of everything passes.
    strength = np.dot([1., 0.4], np.exp(-0.5 * distance ** 2)) + 0.02
    wave += strength * np.sin(harmonic * phase)
    total_power += strength ** 2
  wave *= rng.uniform(*_VOWEL_AMPLITUDE) / np.sqrt(total_power)
  return wave * _envelope(num_samples)


def _fricative(seconds, rng):
  """Returns differences of white noise, float `[seconds * SAMPLE_RATE]`."""
  num_samples = int(seconds * SAMPLE_RATE)
  noise = np.diff(rng.normal(size=num_samples + 1)) / np.sqrt(2.)
  return rng.uniform(*_FRICATIVE_AMPLITUDE) * noise * _envelope(num_samples)


def _envelope(num_samples):
  """Rises from 0 to 1 and falls again, so that segments join without clicks."""
  return np.sqrt(np.sin(np.pi * (np.arange(num_samples) + 0.5) / num_samples))


def _check_arguments(out_dir, num_train, num_test, seconds, seed):
  if not out_dir:
    raise UserError(
        "--out_dir is not given; give the directory in which to make TIMIT/")
  files.check_directory("out_dir", out_dir)
  for existing in ("TIMIT", "timit"):
    if os.path.lexists(os.path.join(out_dir, existing)):
      raise UserError("--out_dir=%s already holds %s; name a directory without "
                      "a corpus" % (out_dir, existing))
  for name, value, lower, upper in (
      ("num_train", num_train, 1, _MAX_UTTERANCES),
      ("num_test", num_test, 1, _MAX_UTTERANCES),
      ("seconds", seconds, 0.1, 60), ("seed", seed, 0, 2 ** 32 - 1)):
    if not lower <= value <= upper:
      raise UserError("--%s=%s must be from %s to %s" % (
          name, value, lower, upper))


def write_sphere(path, samples, sample_rate=SAMPLE_RATE, utterance_id="aaa0"):
  """Writes samples, int16 `[num_samples]`, with the header that TIMIT has."""
  fields = [
      "database_id -s9 SYNTHETIC", "database_version -s3 1.0",
      "utterance_id -s%d %s" % (len(utterance_id), utterance_id.lower()),
      "channel_count -i 1", "sample_count -i %d" % len(samples),
      "sample_rate -i %d" % sample_rate, "sample_min -i %d" % samples.min(),
      "sample_max -i %d" % samples.max(), "sample_n_bytes -i 2",
      "sample_byte_format -s2 01", "sample_sig_bits -i 16", "end_head", ""]
  header = "\n".join(["NIST_1A", "   1024"] + fields).encode("ascii")
  with open(path, "wb") as stream:
    stream.write(header.ljust(1024) + samples.astype("<i2").tobytes())


def define_flags():
  """Defines the flags; --out_dir is also create_timit_dataset's."""
  console.define_path("out_dir", None, "The directory in which to make TIMIT/.")
  flags.DEFINE_integer(
      "num_train", 100, "The number of utterances to train on. TIMIT has 4620.")
  flags.DEFINE_integer(
      "num_test", 40, "The number of utterances to test on. TIMIT has 1680.")
  flags.DEFINE_float("seconds", 3., "The mean duration of an utterance.")
  flags.DEFINE_integer("seed", 0, "The seed of the corpus.")


def main(unused_argv):
  """Makes a corpus according to the flags."""
  create_synthetic_timit(FLAGS.out_dir, FLAGS.num_train, FLAGS.num_test,
                         FLAGS.seconds, FLAGS.seed)
