"""The file and the picture that evaluation with `--diagnostics` writes."""

import os

import numpy as np
import tensorflow as tf

from fivo import diagnostics
from fivo.config import checks
from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.system import log

FILE_NAME = "diagnostics.npz"
PICTURE_NAME = "diagnostics.png"
# Of more particles than this, only some are drawn.
_MAX_PARTICLES = 64


def tensors(bound, lengths):
  """A dict of the Tensors to write of a `bounds.FIVOBound` with ancestors."""
  fields = diagnostics.diagnose(
      bound.log_weights, bound.resampled, bound.ancestors)
  return dict(fields._asdict(), ancestors=bound.ancestors,
              lengths=tf.identity(lengths))


def write(logdir, name, values):
  """Writes the values of `tensors` into LOGDIR/NAME; draws them if it can."""
  directory = os.path.join(logdir, name)
  result_files.write("logdir", directory, FILE_NAME, values)
  if checks.missing_for_rendering():
    log.info("Drew no picture of it: that needs the extra render.")
    return
  path = os.path.join(directory, PICTURE_NAME)
  figures.save(path, _draw(values))
  log.info("Drew %s.", path)


def _draw(values):
  """Draws the longest sequence of a batch; returns a figure.

  The lower panel traces each of the final particles back to the first step;
  lines that meet have a common ancestor.
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
  """Traces up to 64 final particles through ancestors `[T, N]`: `[T, M]`."""
  num_steps, num_particles = ancestors.shape
  chosen = np.unique(np.linspace(
      0, num_particles - 1, min(num_particles, _MAX_PARTICLES)).astype(int))
  result = np.empty([num_steps, len(chosen)], int)
  result[-1] = chosen
  for t in range(num_steps - 1, 0, -1):
    result[t - 1] = ancestors[t, result[t]]
  return result
