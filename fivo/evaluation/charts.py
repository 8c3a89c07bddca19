"""TensorBoard's charts, of training and evaluation alike.

TensorBoard plots scalars of the same tag on one chart, whichever run writes
them. Training writes into the logdir, evaluation of a split into a directory in
it; quantities that both have share a tag.
"""

import os

import tensorflow as tf

from fivo.config import catalogue
from fivo.system import errors
from fivo.system import log

# The tooltip of each chart, in Markdown.
_DESCRIPTIONS = {
    "exact/log_likelihood_per_timestep":
        "The exact log p(x) in nats per timestep. No bound exceeds it in "
        "expectation.",
    "exact/gap_per_timestep":
        "The exact log p(x) minus the bound, in nats per timestep. Zero is "
        "best.",
    "training/gradient_norm":
        "The Euclidean norm of the gradient of the loss with respect to all "
        "variables, before clipping.",
    "training/learning_rate": "The learning rate of Adam.",
    "training/twist_loss":
        "The cross entropy, in nats per sequence, of the classifier that "
        "trains the twist. Lower is better.",
    "speed/steps_per_second": "Training steps per second.",
    "speed/timesteps_per_second":
        "Timesteps of data per second, without padding, whatever the number of "
        "particles.",
    "particles/effective_sample_size":
        "1 / sum_n W_n^2 for the normalised weights W of a filter's particles, "
        "before resampling: the mean over all timesteps. It ranges from 1, if "
        "one particle has all the weight, to the number of particles.",
    "particles/resampling_rate":
        "The fraction of timesteps at which a filter resamples.",
    "particles/log_weight_variance":
        "The variance of the log weights of a filter's particles, accumulated "
        "since it last resampled: the mean over all timesteps.",
    "particles/num_ancestors":
        "How many particles of a step survive its resampling: the mean over "
        "all timesteps.",
    "particles/num_roots":
        "How many particles of the first step still have descendants: the mean "
        "over all timesteps."}
for _bound in {bound.evaluated_as for bound in catalogue.BOUNDS.values()}:
  _DESCRIPTIONS["bound_per_timestep/" + _bound] = (
      "The %s bound on log p(x) in nats per timestep: in training the mean "
      "over a batch of each sequence's bound over its length, in evaluation "
      "the sum over all sequences over the number of all timesteps. Higher is "
      "better." % _bound.upper())
  _DESCRIPTIONS["bound_per_sequence/" + _bound] = (
      "The %s bound on log p(x) in nats, the mean over sequences. Higher is "
      "better." % _bound.upper())


def add(tag, tensor):
  """Adds a scalar Tensor to the summaries, under one of the tags above."""
  tf.compat.v1.summary.tensor_summary(
      tag, tf.cast(tensor, tf.float32), summary_metadata=_metadata(tag))


def values_summary(values):
  """Makes a `tf.Summary` of pairs of an arbitrary tag and a float."""
  summary = tf.compat.v1.Summary()
  for tag, value in values:
    summary.value.add(
        tag=tag, simple_value=value,
        metadata=_metadata(tag) if tag in _DESCRIPTIONS else None)
  return summary


def _metadata(tag):
  """The SummaryMetadata of a chart."""
  metadata = tf.compat.v1.SummaryMetadata(
      display_name=tag, summary_description=_DESCRIPTIONS[tag])
  metadata.plugin_data.plugin_name = "scalars"
  return metadata


class Summaries(object):
  """Writes summaries to an event file in a directory, given as path parts.

  Each can be read immediately. Those that cannot be written cause a warning.
  """

  def __init__(self, *path):
    self._directory = os.path.join(*path)
    self._writer = None

  def add(self, scalars, step, pictures=()):
    """Writes pairs of a tag and a float, or the bytes of a PNG, for a step."""
    summary = values_summary(scalars)
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
