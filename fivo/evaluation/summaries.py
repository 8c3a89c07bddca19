"""Writing scalars for TensorBoard, checkpoint by checkpoint."""

import os

import tensorflow as tf

from fivo.system import charts
from fivo.system import faults
from fivo.system import log


class Summaries(object):
  """Writes summaries into one file, which is made with the first of them."""

  def __init__(self, directory):
    """Creates the writer.

    Args:
      directory: The directory of the summaries.
    """
    self._directory = directory
    self._writer = None

  def add(self, values, step):
    """Writes scalars, so that others can read them at once.

    Where they cannot be written, which is logged, the log has them still: a run
    of somebody else's may be evaluated too.

    Args:
      values: An iterable of pairs of a tag and a float.
      step: The global step.
    """
    try:
      self._write(values, step)
    except (OSError, tf.errors.OpError) as e:
      reason = faults.explain(e)
      if reason is None:
        raise
      log.warning("The summaries cannot be written: %s", reason)

  def _write(self, values, step):
    """Writes scalars; for arguments see `add`."""
    if self._writer is None:
      self._writer = tf.compat.v1.summary.FileWriter(self._directory)
    self._writer.add_summary(
        charts.values_summary(values), global_step=step)
    self._writer.flush()

  def close(self):
    """Closes the file."""
    if self._writer is not None:
      self._writer.close()
      self._writer = None


def of_split(config):
  """The `Summaries` of a configuration's split, in its logdir."""
  return Summaries(os.path.join(config.logdir, config.split))
