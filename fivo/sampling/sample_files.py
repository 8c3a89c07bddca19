"""The files that sampling writes."""

import collections

from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.system import errors

FILE_NAME = "samples.npz"


def write(out_dir, prefixes, samples, renderer, sound=False, pictures=False):
  """Writes `samples.npz`; WAV files, MIDI files and pictures if asked to.

  Args:
    out_dir: A directory.
    prefixes: A float array `[prefix_length, B, D]`, as the model has it.
    samples: A float array `[sample_length, B, N, D]`: entry `[:, b, n]`
      continues prefix b.
    renderer: A `rendering.samples.Renderer`.
    sound: Whether to write sound of speech with a known sample rate.
    pictures: Whether to write pictures, and MIDI files of pianorolls.

  Returns:
    The path of `samples.npz`, which holds both under these names, in the units
    of the data: see `Renderer.in_units_of_data`.
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
  """Draws continuations of the first prefix by a checkpoint.

  Args:
    sampler: A `sampler.Sampler`.
    renderer: A `rendering.samples.Renderer`.
    path: The checkpoint's path.

  Returns:
    The bytes of a PNG file.
  """
  prefix, continuations = (
      renderer.in_units_of_data(values[:, 0])
      for values in (sampler.prefixes, sampler.sample(path)))
  return figures.png(renderer.draw(prefix, continuations))
