"""Scalars and pictures for TensorBoard, written checkpoint by checkpoint."""

import os

import tensorflow as tf

from fivo.evaluation import charts
from fivo.system import errors
from fivo.system import log


class Summaries(object):
  """Writes summaries into a file of a directory, whose path it gets in parts.

  The first summary makes the file, and each can be read at once. Where nothing
  can be written, they are left out with a warning.
  """

  def __init__(self, *path):
    self._directory = os.path.join(*path)
    self._writer = None

  def add(self, scalars, step, pictures=()):
    """Writes pairs of a tag and a float, or the bytes of a PNG, for a step."""
    summary = charts.values_summary(scalars)
    for tag, png in pictures:
      summary.value.add(tag=tag).image.encoded_image_string = png
    try:
      if self._writer is None:
        self._writer = tf.compat.v1.summary.FileWriter(self._directory)
      self._writer.add_summary(summary, global_step=step)
      self._writer.flush()
    except (OSError, tf.errors.OpError) as e:
      reason = errors.explain(e)
      if reason is None:
        raise
      log.warning("The summaries cannot be written: %s", reason)

  def close(self):
    """Closes the file."""
    if self._writer is not None:
      self._writer.close()
