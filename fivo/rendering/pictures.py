"""Pictures of pianorolls, series, poses, speech and trajectories of latents.

A prefix is a float array `[P, D]`, its continuations are an array `[S, N, D]`.
All drawing functions return a figure.
"""

import numpy as np

from fivo.formats.pianorolls import MIN_NOTE
from fivo.rendering import figures

_TITLE = "%s; grey: prefix, coloured: samples"
_DYNAMIC_RANGE = 80.  # Of a spectrogram, in decibels: the audible range.
_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
# Over a wider range, only the Cs are named on the axis.
_MAX_NAMED_NOTES = 14


def pitch_name(note):
  """The name of a MIDI note: C4 for 60."""
  return "%s%d" % (_NAMES[note % 12], note // 12 - 1)


def draw_pianoroll(prefix, continuations, steps_per_quarter, tempo, title=""):
  """Draws the notes of each continuation; tempo is in quarters per minute."""
  num_shown, remark = figures.limit(continuations.shape[1], "continuations")
  rolls = [np.concatenate([prefix, continuations[:, n]]) > 0.5
           for n in range(num_shown)]
  lowest, highest = _note_range(np.concatenate(rolls))
  named = [note for note in range(lowest, highest + 1)
           if note % 12 == 0 or highest - lowest < _MAX_NAMED_NOTES]
  figure, axes = figures.create_panels(num_shown, sharex=True, sharey=True)
  for n, axis in enumerate(axes):
    _draw_roll(axis, rolls[n], len(prefix), steps_per_quarter)
    axis.set_ylim(lowest - 0.5, highest + 0.5)
    axis.set_yticks(named)
    axis.set_yticklabels([pitch_name(note) for note in named])
    axis.set_ylabel("%d" % n)
  axes[-1].set_xlabel("quarter notes")
  quarters_per_second = tempo / 60.
  seconds = axes[0].secondary_xaxis("top", functions=(
      lambda x: x / quarters_per_second, lambda x: x * quarters_per_second))
  seconds.set_xlabel("%s; grey: prefix, blue: samples; seconds at "
                     "%g quarter notes per minute" % (title + remark, tempo))
  return figure


def _draw_roll(axis, roll, prefix_length, steps_per_quarter):
  """Draws the prefix and one of its continuations, a bool array `[T, 88]`."""
  from matplotlib.colors import ListedColormap

  is_sampled = np.arange(len(roll)) >= prefix_length
  axis.imshow(
      (roll * (1 + is_sampled[:, np.newaxis])).T, origin="lower",
      aspect="auto", interpolation="nearest",
      cmap=ListedColormap(["white", figures.PREFIX_COLOR, "C0"]),
      vmin=0, vmax=2, extent=(
          0., len(roll) / steps_per_quarter,
          MIN_NOTE - 0.5, MIN_NOTE + roll.shape[1] - 0.5))
  axis.axvline(prefix_length / steps_per_quarter, **figures.BOUNDARY)
  axis.grid(True, alpha=0.3)


def _note_range(roll):
  """The lowest and the highest MIDI note to draw, with a margin."""
  sounds = np.flatnonzero(roll.any(axis=0))
  if not sounds.size:
    return MIN_NOTE, MIN_NOTE + roll.shape[1] - 1
  return MIN_NOTE + sounds[0] - 1, MIN_NOTE + sounds[-1] + 1


def draw_series(prefix, continuations, column_names=None, title=""):
  """Draws a panel for each dimension, with all continuations."""
  num_shown, remark = figures.limit(prefix.shape[1], "dimensions")
  figure, axes = figures.create_panels(num_shown, sharex=True)
  # From the prefix's last point on, so that there is no gap.
  steps = np.arange(len(prefix) - 1, len(prefix) + len(continuations))
  for d, axis in enumerate(axes):
    last = np.full([1, continuations.shape[1]], prefix[-1, d])
    axis.plot(steps, np.concatenate([last, continuations[:, :, d]]),
              linewidth=1., alpha=0.8)
    axis.plot(np.arange(len(prefix)), prefix[:, d], color=figures.PREFIX_COLOR)
    axis.axvline(len(prefix) - 1, **figures.BOUNDARY)
    axis.set_ylabel(column_names[d] if column_names else "x[%d]" % d)
    axis.grid(True, alpha=0.3)
  axes[0].set_title(_TITLE % (title + remark), fontsize="medium")
  axes[-1].set_xlabel("timestep")
  return figure


def draw_speech(prefix, continuations, sample_rate=None, title=""):
  """Draws the waveform and the spectrogram of each continuation.

  The sample rate is in samples per second; without it the axes count samples.
  """
  num_shown, remark = figures.limit(continuations.shape[1], "continuations")
  figure, axes = figures.create_panels(2 * num_shown, sharex=True)
  rate = sample_rate or 1
  for n in range(num_shown):
    samples = np.concatenate([prefix, continuations[:, n]]).reshape(-1)
    waveform, spectrogram = axes[2 * n:2 * n + 2]
    times = np.arange(len(samples)) / rate
    for part, color in ((slice(0, prefix.size), figures.PREFIX_COLOR),
                        (slice(prefix.size, None), "C0")):
      waveform.plot(times[part], samples[part], color=color, linewidth=0.5)
    waveform.set_ylabel("%d" % n)
    _draw_spectrogram(spectrogram, samples, rate)
    spectrogram.set_ylabel("Hz" if sample_rate else "cycles\nper sample")
    for axis in (waveform, spectrogram):
      axis.axvline(prefix.size / rate, **figures.BOUNDARY)
  axes[0].set_title(_TITLE % (title + remark), fontsize="medium")
  axes[-1].set_xlabel("seconds" if sample_rate else "samples")
  return figure


def _draw_spectrogram(axis, samples, rate):
  """Draws the power of each frequency over time, in decibels."""
  from scipy import signal

  frequencies, times, power = signal.spectrogram(
      samples, fs=rate, nperseg=min(256, len(samples)))
  decibels = 10. * np.log10(np.maximum(power, 1e-20))  # Silence has no power.
  axis.pcolormesh(times, frequencies, decibels, shading="nearest",
                  cmap="magma", vmin=decibels.max() - _DYNAMIC_RANGE)


def draw_trajectories(latents, observations, samples, mean, variance, title):
  """Draws a Gaussian HMM's latents: true, sampled, and the exact posterior.

  Samples are an array `[T, N]`, all others arrays `[T]`.
  """
  steps = np.arange(len(latents))
  deviation = np.sqrt(variance)
  figure, (axis,) = figures.create_panels(1, row_height=4.)
  for factor, alpha in ((2., 0.15), (1., 0.25)):
    axis.fill_between(
        steps, mean - factor * deviation, mean + factor * deviation,
        color="C0", alpha=alpha, linewidth=0.,
        label="posterior, within %g sd" % factor)
  axis.plot(steps, mean, color="C0", label="posterior mean")
  for n, trajectory in enumerate(samples.T):
    axis.plot(steps, trajectory, color="C1", linewidth=0.8, alpha=0.7,
              label="sampled latents" if n == 0 else None)
  axis.plot(steps, latents, color="black", label="true latents")
  axis.plot(steps, observations, "x", color=figures.PREFIX_COLOR,
            label="observations")
  axis.set_title(title, fontsize="medium")
  axis.set_xlabel("timestep")
  axis.grid(True, alpha=0.3)
  axis.legend(fontsize="small")
  return figure
