"""Pianoroll datasets, and the names of all others.

Every `create_*_dataset` returns Tensors that hold the next batch each time they
are run, time-major: T is the longest sequence of the batch, B the batch size, D
the size of an observation. They raise `tf.errors.OutOfRangeError` after the
last batch. What is wrong with a file is found before any op is made.
"""

import os

import numpy as np
import tensorflow as tf

from fivo.data import batching

# pylint: disable=unused-import
from fivo.data.batching import DEFAULT_PARALLELISM
from fivo.data.chain_graph import ABS_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import create_chain_graph_dataset  # noqa: F401
from fivo.data.chain_graph import OBSERVATION_TYPES  # noqa: F401
from fivo.data.chain_graph import ROUND_TRANSITION  # noqa: F401
from fivo.data.chain_graph import SQUARED_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import STANDARD_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import STANDARD_TRANSITION  # noqa: F401
from fivo.data.chain_graph import TRANSITION_TYPES  # noqa: F401
from fivo.data.pose import create_human_pose_dataset  # noqa: F401
from fivo.data.series import create_series_dataset  # noqa: F401
from fivo.data.speech import create_speech_dataset  # noqa: F401
from fivo.formats import pianorolls
from fivo.formats import tfrecords
from fivo.system.errors import UserError


def sparse_pianoroll_to_dense(pianoroll, min_note, num_notes):
  """Converts a pianoroll from lists of notes to a dense array.

  Args:
    pianoroll: A sequence of chords, each a possibly empty sequence of MIDI
      notes. A chord that lists a note twice counts it once.
    min_note: The MIDI note of the first column.
    num_notes: The number of columns.

  Returns:
    dense: A float64 array `[T, num_notes]`, 1 where a note sounds, else 0.
    num_timesteps: T.

  Raises:
    UserError: If a note is not an integer in [min_note, min_note + num_notes).
  """
  dense = pianorolls.to_dense(pianoroll, min_note, num_notes)
  return dense.astype(np.float64), len(dense)


def _load_pianorolls(path):
  """As `pianorolls.load`; tells those who forgot to say that it is speech."""
  try:
    return pianorolls.load(path)
  except UserError:
    if tfrecords.is_tfrecord_file(path):
      raise UserError("%s: is a TFRecord file, which --dataset_type=speech "
                      "reads" % path) from None
    raise


def create_pianoroll_dataset(path, split, batch_size,
                             num_parallel_calls=DEFAULT_PARALLELISM,
                             shuffle=False, repeat=False,
                             min_note=pianorolls.MIN_NOTE,
                             max_note=pianorolls.MAX_NOTE, skip=0, seed=None,
                             order=None, training=None):
  """Creates a dataset of a pianoroll file, see `pianorolls`.

  Args:
    path: The path of a pianoroll file with a train mean.
    split: "train", "valid" or "test".
    batch_size: B, the number of sequences per batch.
    num_parallel_calls: How many sequences are made at a time. Does not change
      their order.
    shuffle: Whether each epoch is a new permutation of the split, rather than
      in the order of the file.
    repeat: Whether to go on without end. Then batches run on from one epoch to
      the next, so that all are full and B is static. Otherwise the last batch
      holds what is left.
    min_note: The lowest MIDI note.
    max_note: The highest MIDI note.
    skip: How many sequences at the start of the (shuffled, repeated) stream to
      leave out. A resumed run with the same seed continues its stream so.
    seed: The seed of the shuffling. None: the graph's.
    order: One of `batching.ORDERS`. None: what `shuffle` says.
    training: None, or a `batching.Training`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`, D = max_note - min_note + 1: the
      targets minus the mean, one step later, with zeros first; zero past the
      end of each sequence.
    targets: A float32 Tensor `[T, B, D]` of zeros and ones, zero past the end
      of each sequence.
    lengths: An int32 Tensor `[B]`.
    mean: A float32 Tensor `[D]`, constant: the file's train mean.

  Raises:
    UserError: If the file, its train mean or the split is missing or bad, or
      an argument is out of its range.
  """
  batching.check_at_least(0, min_note=min_note)
  batching.check_at_least(min_note, max_note=max_note)
  num_notes = max_note - min_note + 1
  path = os.fsdecode(path)
  with batching.naming_dataset_path():
    contents = _load_pianorolls(path)
    sequences = pianorolls.encode_split(
        contents, split, path, min_note, max_note)
    mean = pianorolls.get_mean(contents, path, num_notes)
  mean = tf.constant(mean, tf.float32, name="train_mean")

  def make_targets(index):
    return pianorolls.decode(sequences[index], num_notes).astype(np.float32)

  return batching.sequence_batches(
      [len(sequence) for sequence in sequences], make_targets, num_notes, mean,
      batch_size, order or batching.default_order(shuffle), repeat, skip, seed,
      num_parallel_calls, training=training) + (mean,)
