"""Renders what was sampled: chooses the picture or sound by the data."""

import os

import numpy as np

from fivo.config import options
from fivo.formats import pianorolls as pianoroll_files
from fivo.rendering import lines
from fivo.rendering import midi
from fivo.rendering import pianorolls
from fivo.system import log

# Of JSB and the chorales; files made of MIDI files say theirs.
_STEPS_PER_QUARTER = 1
_MAX_STEPS_PER_QUARTER = options.OPTIONS["steps_per_quarter"].maximum


def render(out_dir, prefixes, samples, config, sample_rate=None):
  """Writes `sample_BATCH.png` of each prefix, and MIDI files of pianorolls.

  `sample_BATCH_PARTICLE.mid` is a prefix with one continuation, see
  `midi.write`.

  Args:
    out_dir: A directory that exists.
    prefixes: A float array `[prefix_length, B, D]`.
    samples: A float array `[sample_length, B, N, D]`: entry `[:, b, n]`
      continues prefix b.
    config: A `Config`.
    sample_rate: Of speech, samples per second; None where it is not known.

  Raises:
    UserError: If the dataset cannot be read.
    OSError: If a file cannot be written.
  """
  config = complete(config)
  for b in range(prefixes.shape[1]):
    draw(os.path.join(out_dir, "sample_%d.png" % b), prefixes[:, b],
         samples[:, b], config, sample_rate, "prefix %d" % b)
  log.info("Wrote %d pictures, sample_*.png, to %s.", prefixes.shape[1],
           out_dir)
  if _is_roll(config, prefixes, samples):
    _write_midi(out_dir, prefixes, samples, config)


def complete(config):
  """Says of pianorolls what a timestep is: as the flag, the dataset, or one.

  Args:
    config: A `Config`.

  Returns:
    A `Config` with its `steps_per_quarter`.

  Raises:
    UserError: If the dataset cannot be read.
  """
  if config.steps_per_quarter is not None:
    return config
  found = None
  # A caller's own data may be elsewhere.
  if config.dataset_type == "pianoroll" and os.path.isfile(config.dataset_path):
    found = pianoroll_files.load(config.dataset_path).get("steps_per_quarter")
  if not isinstance(found, int) or not 0 < found <= _MAX_STEPS_PER_QUARTER:
    found = _STEPS_PER_QUARTER
  return config._replace(steps_per_quarter=found)


def draw(path, prefix, continuations, config, sample_rate=None, title=""):
  """Draws a prefix with its continuations.

  Args:
    path: The PNG file to write.
    prefix: A float array `[prefix_length, D]`.
    continuations: A float array `[sample_length, N, D]`.
    config: A `Config` that `complete` returned.
    sample_rate: Of speech, samples per second; None where it is not known.
    title: What the picture is of.

  Raises:
    OSError: If the file cannot be written.
  """
  arguments = path, prefix, continuations
  if _is_roll(config, prefix, continuations):
    pianorolls.draw(
        *arguments, steps_per_quarter=config.steps_per_quarter,
        tempo=config.tempo, title=title)
  elif config.dataset_type == "speech":
    lines.draw_speech(*arguments, sample_rate=sample_rate, title=title)
  else:
    lines.draw_series(*arguments, title=title)


def render_trajectories(out_dir, values, mean, variance):
  """Writes `sample_BATCH.png` of each sequence of a Gaussian HMM.

  Args:
    out_dir: A directory that exists.
    values: A dict of `latents` and `observations`, float arrays `[T, B]`, and
      `samples`, `[T, B, N]`.
    mean: A float array `[T, B]`, of the latents given all observations.
    variance: A float array `[T]`.

  Raises:
    OSError: If a file cannot be written.
  """
  for b in range(mean.shape[1]):
    lines.draw_trajectories(
        os.path.join(out_dir, "sample_%d.png" % b), values["latents"][:, b],
        values["observations"][:, b], values["samples"][:, b], mean[:, b],
        variance, "sequence %d" % b)
  log.info("Wrote %d pictures, sample_*.png, to %s.", mean.shape[1], out_dir)


def _is_roll(config, *arrays):
  """Whether arrays are of the notes of a piano: a caller's own may not be."""
  return config.dataset_type == "pianoroll" and all(
      x.shape[-1] == pianoroll_files.NUM_NOTES
      and ((x == 0.) | (x == 1.)).all() for x in arrays)


def _write_midi(out_dir, prefixes, samples, config):
  """Writes a MIDI file of each continuation."""
  _, batch_size, num_samples, _ = samples.shape
  for b in range(batch_size):
    for n in range(num_samples):
      midi.write(
          os.path.join(out_dir, "sample_%d_%d.mid" % (b, n)),
          np.concatenate([prefixes[:, b], samples[:, b, n]]),
          pianoroll_files.MIN_NOTE, config.steps_per_quarter, config.tempo,
          prefix_length=len(prefixes))
  log.info("Wrote %d MIDI files, sample_*.mid, to %s: %g quarter notes per "
           "minute, timesteps in each: %d.", batch_size * num_samples, out_dir,
           config.tempo, config.steps_per_quarter)
