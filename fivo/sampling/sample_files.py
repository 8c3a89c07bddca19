"""The files that sampling writes."""

import collections

from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.system import errors

FILE_NAME = "samples.npz"


def write(out_dir, prefixes, samples, renderer, sound=False, pictures=False):
  """Writes `samples.npz`; WAV files, MIDI files and pictures if asked to.

  Prefixes `[prefix_length, B, D]` and samples `[sample_length, B, N, D]` are as
  the model has them; entry `[:, b, n]` of samples continues prefix b. There is
  sound only of speech with a known sample rate, and MIDI files of pianorolls.

  Returns:
    The path of `samples.npz`, which holds both in the units of the data.
  """
  prefixes, samples = map(renderer.in_units_of_data, (prefixes, samples))
  path = result_files.write("sample_out_dir", out_dir, FILE_NAME, (
      collections.OrderedDict([("prefixes", prefixes), ("samples", samples)])))
  with errors.writing_to("sample_out_dir", out_dir):
    if sound and renderer.sample_rate:
      renderer.write_sound(out_dir, prefixes, samples)
    if pictures:
      renderer.write_pictures(out_dir, prefixes, samples)
  return path


def draw_first(sampler, renderer, path):
  """Draws how the first prefix goes on by a checkpoint; gives a PNG's bytes."""
  prefix, continuations = (
      renderer.in_units_of_data(values[:, 0])
      for values in (sampler.prefixes, sampler.sample(path)))
  return figures.png(renderer.draw(prefix, continuations))
