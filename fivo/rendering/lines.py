"""Line plots of series, poses, trajectories of latents and speech."""

import numpy as np

from fivo.rendering import figures


def draw_series(path, prefix, continuations, title=""):
  """Draws a prefix with its continuations, one panel for each dimension.

  Args:
    path: The PNG file to write.
    prefix: A float array `[P, D]`.
    continuations: A float array `[S, N, D]`.
    title: What the picture is of.
  """
  num_shown, remark = figures.shown(prefix.shape[1], "dimensions")
  figure, axes = figures.create_panels(num_shown, sharex=True)
  prefix_steps = np.arange(len(prefix))
  # From the prefix's last point on, so that no gap shows.
  steps = np.arange(len(prefix) - 1, len(prefix) + len(continuations))
  for d, axis in enumerate(axes):
    for color, values in zip(figures.colors(), continuations[:, :, d].T):
      axis.plot(steps, np.append(prefix[-1, d], values), color=color,
                linewidth=1., alpha=0.8)
    axis.plot(prefix_steps, prefix[:, d], color=figures.PREFIX_COLOR)
    axis.axvline(len(prefix) - 1, **figures.BOUNDARY)
    axis.set_ylabel("x[%d]" % d)
    axis.grid(True, alpha=0.3)
  axes[0].set_title("%s; grey the prefix, coloured what was sampled" % (
      title + remark), fontsize="medium")
  axes[-1].set_xlabel("timestep")
  figures.save(path, figure)


def draw_trajectories(path, latents, observations, samples, mean, variance,
                      title=""):
  """Draws latents of a Gaussian HMM: true, sampled, and the exact posterior.

  Args:
    path: The PNG file to write.
    latents: A float array `[T]`, from which the observations were drawn.
    observations: A float array `[T]`.
    samples: A float array `[T, N]`, trajectories given the observations.
    mean: A float array `[T]`, the mean of each latent given all observations.
    variance: A float array `[T]`, its variance.
    title: What the picture is of.
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
  figures.save(path, figure)


def draw_speech(path, prefix, continuations, sample_rate=None, title=""):
  """Draws the waveform and the spectrogram of each continuation.

  Args:
    path: The PNG file to write.
    prefix: A float array `[P, D]`, D samples a timestep.
    continuations: A float array `[S, N, D]`.
    sample_rate: Samples per second; None where it is not known.
    title: What the picture is of.
  """
  num_shown, remark = figures.shown(continuations.shape[1], "continuations")
  figure, axes = figures.create_panels(2 * num_shown, sharex=True)
  rate = sample_rate or 1
  boundary = prefix.size / rate
  for n in range(num_shown):
    samples = np.concatenate([prefix, continuations[:, n]]).reshape(-1)
    waveform, spectrogram = axes[2 * n:2 * n + 2]
    _draw_waveform(waveform, samples, prefix.size, rate)
    waveform.set_ylabel("%d" % n)
    _draw_spectrogram(spectrogram, samples, rate)
    spectrogram.set_ylabel("Hz" if sample_rate else "cycles\nper sample")
    for axis in (waveform, spectrogram):
      axis.axvline(boundary, **figures.BOUNDARY)
  axes[0].set_title("%s; grey the prefix, coloured what was sampled" % (
      title + remark), fontsize="medium")
  axes[-1].set_xlabel("seconds" if sample_rate else "samples")
  figures.save(path, figure)


def _draw_waveform(axis, samples, prefix_size, rate):
  """Draws one waveform."""
  times = np.arange(len(samples)) / rate
  for part, color in ((slice(0, prefix_size), figures.PREFIX_COLOR),
                      (slice(prefix_size, None), "C0")):
    axis.plot(times[part], samples[part], color=color, linewidth=0.5)


def _draw_spectrogram(axis, samples, rate):
  """Draws one spectrogram, in decibels."""
  from scipy import signal

  frequencies, times, power = signal.spectrogram(
      samples, fs=rate, nperseg=min(256, len(samples)))
  # Silence has none; eighty decibels are what can be heard at once.
  decibels = 10. * np.log10(np.maximum(power, 1e-20))
  axis.pcolormesh(times, frequencies, decibels, shading="nearest",
                  cmap="magma", vmin=decibels.max() - 80.)
