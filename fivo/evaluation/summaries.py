"""Scalars and pictures for TensorBoard, written checkpoint by checkpoint."""

import os

import tensorflow as tf

from fivo.system import charts
from fivo.system import errors
from fivo.system import log


class Summaries(object):
  """Writes summaries into a file of a directory.

  The first summary makes the file, and each can be read at once. The summaries
  of a run on a disk that cannot be written to are left out, which is logged.
  """

  def __init__(self, *path):
    """Creates the writer for a directory, given by the parts of its path."""
    self._directory = os.path.join(*path)
    self._writer = None

  def add(self, values, step):
    """Writes scalars of a global step: pairs of a tag and a float."""
    self._add(charts.values_summary(values), step)

  def add_picture(self, tag, png, step):
    """Writes a picture of a global step: a tag and the bytes of a PNG file."""
    summary = tf.compat.v1.Summary()
    summary.value.add(tag=tag).image.encoded_image_string = png
    self._add(summary, step)

  def _add(self, summary, step):
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
