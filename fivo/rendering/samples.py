"""The files of samples: arrays, and pictures, MIDI or sound to suit the data.

A prefix is a float array `[prefix_length, D]`, its continuations are an array
`[sample_length, N, D]`; those of a batch are prefixes `[prefix_length, B, D]`
and samples `[sample_length, B, N, D]`: entry `[:, b, n]` continues prefix b.
"""

import os
from typing import NamedTuple
from typing import Optional

import numpy as np

from fivo.config import options
from fivo.data import series_info
from fivo.data import speech_statistics
from fivo.formats import pianorolls as pianoroll_files
from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.rendering import midi
from fivo.rendering import pictures as pictures_lib
from fivo.system import errors
from fivo.system import log

FILE_NAME = "samples.npz"


class Renderer(NamedTuple):
  """Writes and draws samples of a model of a dataset.

  `statistics` are those that speech was normalised with, if known; `tempo`, of
  pianorolls, is in quarter notes per minute.
  """

  dataset_type: str
  statistics: Optional[speech_statistics.SpeechStatistics] = None
  series: Optional[series_info.SeriesInfo] = None
  steps_per_quarter: int = 1
  tempo: float = 120.

  @property
  def sample_rate(self):
    """Samples per second of speech; None if unknown."""
    return self.statistics and self.statistics.sample_rate

  def write(self, out_dir, prefixes, samples, sound=False, pictures=False):
    """Writes `samples.npz`, in the units of the data; returns its path.

    Sound is written only for speech with a known sample rate. Pictures are
    `sample_BATCH.png`; pianorolls get MIDI files too.
    """
    prefixes, samples = map(self._in_units_of_data, (prefixes, samples))
    path = result_files.write("sample_out_dir", out_dir, FILE_NAME,
                              dict(prefixes=prefixes, samples=samples))
    with errors.writing_to("sample_out_dir", out_dir):
      if sound and self.sample_rate:
        num_files = _write_each(
            out_dir, "wav", prefixes, samples,
            lambda path, values: speech_statistics.write_wav(
                path, values, self.sample_rate))
        log.info("Wrote %d WAV files to %s.", num_files, out_dir)
      if pictures:
        _write_pictures(out_dir, (
            self.draw(prefixes[:, b], samples[:, b], "prefix %d" % b)
            for b in range(prefixes.shape[1])))
      if pictures and self._are_rolls(prefixes, samples):
        num_files = _write_each(
            out_dir, "mid", prefixes, samples,
            lambda path, roll: midi.write(
                path, roll, self.steps_per_quarter, self.tempo, len(prefixes)))
        log.info(
            "Wrote %d MIDI files, sample_*.mid, to %s: %g quarter notes per "
            "minute, %d timesteps in each.", num_files, out_dir, self.tempo,
            self.steps_per_quarter)
    return path

  def draw_first(self, sampler, path):
    """A PNG of a `Sampler`'s first prefix, continued from a checkpoint."""
    prefix, continuations = (
        self._in_units_of_data(values[:, 0])
        for values in (sampler.prefixes, sampler.sample(path)))
    return figures.png(self.draw(prefix, continuations))

  def _in_units_of_data(self, values):
    """Undoes the normalisation of a float array `[..., D]`, if known."""
    if self.statistics is not None:
      return (np.asarray(values) * self.statistics.std
              + self.statistics.mean)
    return values if self.series is None else self.series.restore(values)

  def draw(self, prefix, continuations, title=""):
    """Draws a prefix with its continuations; returns a figure."""
    if self._are_rolls(prefix, continuations):
      return pictures_lib.draw_pianoroll(
          prefix, continuations, self.steps_per_quarter, self.tempo, title)
    if self.dataset_type == "speech":
      return pictures_lib.draw_speech(
          prefix, continuations, self.sample_rate, title)
    return pictures_lib.draw_series(
        prefix, continuations, self.series and self.series.names, title)

  def _are_rolls(self, *arrays):
    """True for the notes of a piano; a caller's own arrays may differ."""
    return self.dataset_type == "pianoroll" and all(
        x.shape[-1] == pianoroll_files.NUM_NOTES
        and ((x == 0.) | (x == 1.)).all() for x in arrays)


def steps_per_quarter_of(dataset_path):
  """The timesteps in a quarter note; files made from MIDI know it, else 1."""
  found = None
  if os.path.isfile(dataset_path):  # A caller's own data may be elsewhere.
    found = pianoroll_files.load(dataset_path).get("steps_per_quarter")
  maximum = options.OPTIONS["steps_per_quarter"].maximum
  return found if isinstance(found, int) and 0 < found <= maximum else 1


def write_trajectories(out_dir, values, mean, variance):
  """Writes `sample_BATCH.png` of each sequence of a Gaussian HMM.

  The values are the arrays of `ghmm_runners.run_sample`; mean `[T, B]` and
  variance `[T]` are those of the exact posterior.
  """
  _write_pictures(out_dir, (
      pictures_lib.draw_trajectories(
          values["latents"][:, b], values["observations"][:, b],
          values["samples"][:, b], mean[:, b], variance, "sequence %d" % b)
      for b in range(mean.shape[1])))


def _write_pictures(out_dir, pictures):
  """Writes figures as `sample_NUMBER.png`."""
  for number, figure in enumerate(pictures):
    figures.save(os.path.join(out_dir, "sample_%d.png" % number), figure)
  log.info("Wrote %d pictures, sample_*.png, to %s.", number + 1, out_dir)


def _write_each(out_dir, extension, prefixes, samples, write):
  """Writes each continuation after its prefix; returns the number of files."""
  _, batch_size, num_samples, _ = samples.shape
  for b in range(batch_size):
    for n in range(num_samples):
      write(os.path.join(out_dir, "sample_%d_%d.%s" % (b, n, extension)),
            np.concatenate([prefixes[:, b], samples[:, b, n]]))
  return batch_size * num_samples
