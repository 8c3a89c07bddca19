"""The files of samples: arrays, and pictures, MIDI or sound to suit the data.

A prefix is a float array `[prefix_length, D]`, its continuations are an array
`[sample_length, N, D]`; those of a batch are prefixes `[prefix_length, B, D]`
and samples `[sample_length, B, N, D]`: entry `[:, b, n]` continues prefix b.
"""

import os

import numpy as np

from fivo.config import options
from fivo.data import speech_statistics
from fivo.formats import pianorolls as pianoroll_files
from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.rendering import midi
from fivo.rendering import pictures as pictures_lib
from fivo.system import errors
from fivo.system import log

FILE_NAME = "samples.npz"


class Renderer(object):
  """Writes and draws samples of a model of a dataset.

  Args:
    dataset_type: A value of --dataset_type.
    path: The file of the dataset. Speech may have beside it the `statistics`
      that it was normalised with, else None.
    series: A `SeriesInfo` of time series.
    steps_per_quarter: Of pianorolls. None: what the file says, else 1.
    tempo: Of pianorolls, in quarter notes per minute.
  """

  def __init__(self, dataset_type, path="", series=None,
               steps_per_quarter=None, tempo=120.):
    self.statistics = None
    if dataset_type == "speech" and path:
      self.statistics = speech_statistics.load(os.path.dirname(path))
    self._dataset_type = dataset_type
    self._path = path
    self._series = series
    self._steps_per_quarter = steps_per_quarter
    self._tempo = tempo

  @property
  def sample_rate(self):
    """Samples per second of speech; None if unknown."""
    return self.statistics and self.statistics.sample_rate

  @property
  def steps_per_quarter(self):
    """Timesteps per quarter note, as kept in files made from MIDI, else 1."""
    if self._steps_per_quarter is None:
      found = None
      if os.path.isfile(self._path):  # A caller's own data may be elsewhere.
        found = pianoroll_files.load(self._path).get("steps_per_quarter")
      maximum = options.OPTIONS["steps_per_quarter"].maximum
      is_right = isinstance(found, int) and 0 < found <= maximum
      self._steps_per_quarter = found if is_right else 1
    return self._steps_per_quarter

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
                path, roll, self.steps_per_quarter, self._tempo, len(prefixes)))
        log.info(
            "Wrote %d MIDI files, sample_*.mid, to %s: %g quarter notes per "
            "minute, timesteps in each: %d.", num_files, out_dir, self._tempo,
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
    return values if self._series is None else self._series.restore(values)

  def draw(self, prefix, continuations, title=""):
    """Draws a prefix with its continuations; returns a figure."""
    if self._are_rolls(prefix, continuations):
      return pictures_lib.draw_pianoroll(
          prefix, continuations, self.steps_per_quarter, self._tempo, title)
    if self._dataset_type == "speech":
      return pictures_lib.draw_speech(
          prefix, continuations, self.sample_rate, title)
    return pictures_lib.draw_series(
        prefix, continuations, self._series and self._series.names, title)

  def _are_rolls(self, *arrays):
    """True for the notes of a piano; a caller's own arrays may differ."""
    return self._dataset_type == "pianoroll" and all(
        x.shape[-1] == pianoroll_files.NUM_NOTES
        and ((x == 0.) | (x == 1.)).all() for x in arrays)


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
