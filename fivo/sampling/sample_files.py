"""What sampling leaves behind: an array file, and sound on request."""

import collections
import os

import numpy as np

from fivo.config import config as config_lib
from fivo.data import speech_statistics
from fivo.system import arrays
from fivo.system import errors
from fivo.system import log

FILE_NAME = "samples.npz"


def write(out_dir, prefixes, samples, config):
  """Writes `samples.npz`, and WAV files if `--sample_wav` asks for them.

  Speech is written in the units of the data if the statistics by which it was
  normalised lie beside its records, and as it was normalised otherwise.

  Args:
    out_dir: A directory.
    prefixes: A float array `[prefix_length, B, D]`.
    samples: A float array `[sample_length, B, N, D]`: entry `[:, b, n]`
      continues prefix b.
    config: A `Config`.

  Returns:
    The path of `samples.npz`, which holds both under these names.
  """
  statistics = load_statistics(config)
  if statistics is not None:
    prefixes = speech_statistics.denormalize(prefixes, statistics)
    samples = speech_statistics.denormalize(samples, statistics)
  path = os.path.join(out_dir, FILE_NAME)
  arrays.save(path, collections.OrderedDict(
      [("prefixes", prefixes), ("samples", samples)]))
  log.info("Wrote %s.", path)
  if config.sample_wav:
    _write_wavs(out_dir, prefixes, samples, statistics.sample_rate)
  return path


def load_statistics(config):
  """The statistics of a speech dataset.

  Args:
    config: A `Config`.

  Returns:
    A `SpeechStatistics`; None for other data, and where none are known.

  Raises:
    UserError: If `--sample_wav` needs them and they are not known, or they are
      damaged.
  """
  statistics = None
  if config.dataset_type == "speech" and config.dataset_path:
    statistics = speech_statistics.load(
        os.path.dirname(config_lib.speech_path(config, config.split)))
  if config.sample_wav and config.dataset_type != "speech":
    raise errors.UserError(
        "--sample_wav: only speech is sound; the data is of "
        "--dataset_type=%s" % config.dataset_type)
  if config.sample_wav and statistics is None:
    raise errors.UserError(
        "--sample_wav: needs speech with %s beside its records, as "
        "create_timit_dataset.py writes it; --dataset_path=%s has none" % (
            speech_statistics.FILE_NAME, config.dataset_path))
  return statistics


def _write_wavs(out_dir, prefixes, samples, sample_rate):
  """Writes every prefix with its continuation, `sample_BATCH_PARTICLE.wav`."""
  _, batch_size, num_samples, _ = samples.shape
  for b in range(batch_size):
    for n in range(num_samples):
      speech_statistics.write_wav(
          os.path.join(out_dir, "sample_%d_%d.wav" % (b, n)),
          np.concatenate([prefixes[:, b], samples[:, b, n]]), sample_rate)
  log.info("Wrote %d WAV files to %s.", batch_size * num_samples, out_dir)
