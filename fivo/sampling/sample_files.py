"""What sampling leaves behind: an array file; sound and pictures on request."""

import collections
import os

import numpy as np
import tensorflow as tf

from fivo.data import speech_statistics
from fivo.logdir import result_files
from fivo.rendering import samples as samples_rendering
from fivo.system import errors
from fivo.system import log

FILE_NAME = "samples.npz"


def write(out_dir, prefixes, samples, config):
  """Writes `samples.npz`; WAV files, MIDI files and pictures if asked to.

  Speech is written in the units of the data if the statistics by which it was
  normalised lie beside its records, and as it was normalised otherwise. Time
  series come back in the units of the training data.

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
  prefixes, samples = (
      in_units_of_data(x, config, statistics) for x in (prefixes, samples))
  path = result_files.write("sample_out_dir", out_dir, FILE_NAME, (
      collections.OrderedDict([("prefixes", prefixes), ("samples", samples)])))
  sample_rate = statistics and statistics.sample_rate
  with errors.writing_to("sample_out_dir", out_dir):
    if sample_rate and (config.sample_wav or config.render):
      _write_wavs(out_dir, prefixes, samples, sample_rate)
    if config.render:
      samples_rendering.render(
          out_dir, prefixes, samples, config, sample_rate)
  return path


def in_units_of_data(values, config, statistics=None):
  """Undoes what was done to data before it was trained on.

  Args:
    values: A float array `[..., D]`.
    config: A `Config`.
    statistics: A `SpeechStatistics`, or None.

  Returns:
    A float array `[..., D]`.
  """
  if statistics is not None:
    values = speech_statistics.denormalize(values, statistics)
  return values if config.series is None else config.series.restore(values)


def check_size(config, targets):
  """Refuses samples that are too large, see `result_files.check_size`.

  Args:
    config: A `Config`.
    targets: A float Tensor `[T, B, D]`.
  """
  data_size = tf.compat.dimension_value(targets.shape[2])
  if data_size is not None:
    row = config.batch_size * data_size * targets.dtype.size
    result_files.check_size(
        "sample_length", config.sample_length, row * config.num_samples,
        "--batch_size or --num_samples", row * config.prefix_length)


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
        os.path.dirname(config.path_of_split(config.split)))
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
