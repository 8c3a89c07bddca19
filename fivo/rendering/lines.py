"""Line plots of series, poses, speech and trajectories of latents.

A prefix is a float array `[P, D]` and its continuations are one of `[S, N, D]`.
"""

import numpy as np

from fivo.rendering import figures

_TITLE = "%s; grey the prefix, coloured what was sampled"
_DYNAMIC_RANGE = 80.  # Of a spectrogram, in decibels: what can be heard.


def draw_series(prefix, continuations, column_names=None, title=""):
  """Draws a panel of each dimension, with all continuations; gives a figure."""
  num_shown, remark = figures.shown(prefix.shape[1], "dimensions")
  figure, axes = figures.create_panels(num_shown, sharex=True)
  # From the prefix's last point on, so that no gap shows.
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
  """Draws waveform and spectrogram of each continuation; gives a figure.

  Without a sample rate, in samples per second, the axes count samples.
  """
  num_shown, remark = figures.shown(continuations.shape[1], "continuations")
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
  """Draws latents of a Gaussian HMM: true, sampled, and the exact posterior.

  Samples are an array `[T, N]`, the others, with the posterior's mean and
  variance, arrays `[T]`. Gives a figure.
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
