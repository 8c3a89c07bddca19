"""Pictures of particle filters: sample size, resampling and genealogy."""

import numpy as np

from fivo.rendering import figures

# Of more particles than this, some are drawn.
_MAX_PARTICLES = 64


def draw(values):
  """Draws the diagnostics of the longest sequence of a batch; gives a figure.

  The upper panel shows the effective sample size, the numbers of particles of
  the step before and of the first step that have descendants, and where the
  filter resampled. The lower one traces each of the last particles back to the
  first step; lines that meet have an ancestor in common. The values are arrays
  by the names of `evaluation.diagnostics_file.tensors`.
  """
  b = int(np.argmax(values["lengths"]))
  length = int(values["lengths"][b])
  figure, (above, below) = figures.create_panels(2, 2.6, sharex=True)
  steps = np.arange(length)
  for name, label in (("ess", "effective sample size"),
                      ("num_ancestors", "particles with descendants"),
                      ("num_roots", "first particles with descendants")):
    above.plot(steps, values[name][:length, b], label=label)
  for t in np.flatnonzero(values["resampled"][:length, b]):
    above.axvline(t, color="0.6", linewidth=.8, linestyle=":")
  above.set_ylabel("of %d particles" % values["ancestors"].shape[2])
  above.set_title("sequence %d of the batch; dotted: resampling" % b)
  above.legend(fontsize=8)
  below.plot(steps, lineages(values["ancestors"][:length, b]), color="C0",
             linewidth=.8)
  below.set_ylabel("ancestor")
  below.set_xlabel("timestep")
  return figure


def lineages(ancestors):
  """Traces the last particles back to the first step.

  Takes ancestors `[T, N]`; gives an int array `[T, particles]`, the index of
  each last particle's ancestor after each step, for at most 64 particles.
  """
  num_steps, num_particles = ancestors.shape
  chosen = np.unique(np.linspace(
      0, num_particles - 1, min(num_particles, _MAX_PARTICLES)).astype(int))
  result = np.empty([num_steps, len(chosen)], int)
  result[-1] = chosen
  for t in range(num_steps - 1, 0, -1):
    result[t - 1] = ancestors[t, result[t]]
  return result
