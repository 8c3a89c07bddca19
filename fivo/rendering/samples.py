"""Pictures, MIDI files and sound of samples, as suits the dataset.

A prefix is a float array `[prefix_length, D]` and its continuations are one of
`[sample_length, N, D]`; those of a batch are prefixes `[prefix_length, B, D]`
and samples `[sample_length, B, N, D]`.
"""

import os
from typing import NamedTuple
from typing import Optional

import numpy as np

from fivo.config import options
from fivo.data import series_info
from fivo.data import speech_statistics
from fivo.formats import pianorolls as pianoroll_files
from fivo.rendering import figures
from fivo.rendering import lines
from fivo.rendering import midi
from fivo.rendering import pianorolls
from fivo.system import log


class Renderer(NamedTuple):
  """Renders samples of a dataset.

  Attributes:
    dataset_type: A name of `catalogue.DATASET_TYPES`.
    statistics: Of speech, by what it was normalised, if that is known.
    series: Of time series, by what they were standardised.
    steps_per_quarter: Of pianorolls, timesteps in a quarter note.
    tempo: Of pianorolls, quarter notes per minute.
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

  def in_units_of_data(self, values):
    """Undoes the normalisation of a float array `[..., D]`, if known."""
    if self.statistics is not None:
      return speech_statistics.denormalize(values, self.statistics)
    return values if self.series is None else self.series.restore(values)

  def draw(self, prefix, continuations, title=""):
    """Draws a prefix with its continuations; gives a figure."""
    if self._are_rolls(prefix, continuations):
      return pianorolls.draw(prefix, continuations, self.steps_per_quarter,
                             self.tempo, title)
    if self.dataset_type == "speech":
      return lines.draw_speech(prefix, continuations, self.sample_rate, title)
    return lines.draw_series(
        prefix, continuations, self.series and self.series.names, title)

  def write_pictures(self, out_dir, prefixes, samples):
    """Writes `sample_BATCH.png` of each prefix, and MIDI files of pianorolls.

    `sample_BATCH_PARTICLE.mid` is a prefix with one continuation.
    """
    _write_pictures(
        out_dir, (self.draw(prefixes[:, b], samples[:, b], "prefix %d" % b)
                  for b in range(prefixes.shape[1])))
    if self._are_rolls(prefixes, samples):
      num_files = _write_each(
          out_dir, "mid", prefixes, samples,
          lambda path, roll: midi.write(
              path, roll, pianoroll_files.MIN_NOTE, self.steps_per_quarter,
              self.tempo, prefix_length=len(prefixes)))
      log.info("Wrote %d MIDI files, sample_*.mid, to %s: %g quarter notes per "
               "minute, timesteps in each: %d.", num_files, out_dir,
               self.tempo, self.steps_per_quarter)

  def write_sound(self, out_dir, prefixes, samples):
    """Writes each prefix with a continuation: `sample_BATCH_PARTICLE.wav`."""
    num_files = _write_each(
        out_dir, "wav", prefixes, samples,
        lambda path, values: speech_statistics.write_wav(
            path, values, self.sample_rate))
    log.info("Wrote %d WAV files to %s.", num_files, out_dir)

  def _are_rolls(self, *arrays):
    """Whether arrays are of the notes of a piano: a caller's own may not be."""
    return self.dataset_type == "pianoroll" and all(
        x.shape[-1] == pianoroll_files.NUM_NOTES
        and ((x == 0.) | (x == 1.)).all() for x in arrays)


def steps_per_quarter_of(dataset_path):
  """Gives the timesteps in a quarter note, if a pianoroll file says so, or 1.

  Files made of MIDI files do; JSB and the chorales have quarter notes.
  """
  found = None
  if os.path.isfile(dataset_path):  # A caller's own data may be elsewhere.
    found = pianoroll_files.load(dataset_path).get("steps_per_quarter")
  maximum = options.OPTIONS["steps_per_quarter"].maximum
  return found if isinstance(found, int) and 0 < found <= maximum else 1


def write_trajectories(out_dir, values, mean, variance):
  """Writes `sample_BATCH.png` of each sequence of a Gaussian HMM.

  Values are `latents` and `observations`, float arrays `[T, B]`, and `samples`,
  `[T, B, N]`; the exact posterior has a mean `[T, B]` and a variance `[T]`.
  """
  _write_pictures(out_dir, (
      lines.draw_trajectories(
          values["latents"][:, b], values["observations"][:, b],
          values["samples"][:, b], mean[:, b], variance, "sequence %d" % b)
      for b in range(mean.shape[1])))


def _write_pictures(out_dir, pictures):
  """Writes figures as `sample_NUMBER.png`."""
  for number, figure in enumerate(pictures):
    figures.save(os.path.join(out_dir, "sample_%d.png" % number), figure)
  log.info("Wrote %d pictures, sample_*.png, to %s.", number + 1, out_dir)


def _write_each(out_dir, extension, prefixes, samples, write):
  """Calls `write(path, values)` with each continuation behind its prefix.

  Gives the number of files, which are called `sample_BATCH_PARTICLE`.
  """
  _, batch_size, num_samples, _ = samples.shape
  for b in range(batch_size):
    for n in range(num_samples):
      write(os.path.join(out_dir, "sample_%d_%d.%s" % (b, n, extension)),
            np.concatenate([prefixes[:, b], samples[:, b, n]]))
  return batch_size * num_samples
