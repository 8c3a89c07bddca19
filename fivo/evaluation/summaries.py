"""Writing scalars and pictures for TensorBoard, checkpoint by checkpoint."""

import os

import tensorflow as tf

from fivo.system import charts
from fivo.system import errors
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

    Args:
      values: An iterable of pairs of a tag and a float.
      step: The global step.
    """
    self._add(charts.values_summary(values), step)

  def add_picture(self, tag, png, step):
    """Writes a picture.

    Args:
      tag: Its name.
      png: A PNG file's bytes.
      step: The global step.
    """
    summary = tf.compat.v1.Summary()
    summary.value.add(tag=tag).image.encoded_image_string = png
    self._add(summary, step)

  def _add(self, summary, step):
    """Writes a Summary.

    Where it cannot be written, which is logged, the log has the scalars still:
    a run of somebody else's may be evaluated too.

    Args:
      summary: A `tf.Summary`.
      step: The global step.
    """
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
      self._writer = None


def of_split(config):
  """The `Summaries` of a configuration's split, in its logdir."""
  return Summaries(os.path.join(config.logdir, config.split))
