"""All datasets.

Every `create_*_dataset` returns Tensors that hold the next batch each time they
are run, time-major: T is the longest sequence of the batch, B the batch size, D
the size of an observation. They raise `tf.errors.OutOfRangeError` after the
last batch. A bad file is refused before any op is made.
"""

import os

import numpy as np

from fivo.data import batching
from fivo.data.batching import DEFAULT_PARALLELISM
from fivo.data.chain_graph import ABS_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import create_chain_graph_dataset  # noqa: F401
from fivo.data.chain_graph import OBSERVATION_TYPES  # noqa: F401
from fivo.data.chain_graph import ROUND_TRANSITION  # noqa: F401
from fivo.data.chain_graph import SQUARED_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import STANDARD_OBSERVATION  # noqa: F401
from fivo.data.chain_graph import STANDARD_TRANSITION  # noqa: F401
from fivo.data.chain_graph import TRANSITION_TYPES  # noqa: F401
from fivo.data.series import create_series_dataset  # noqa: F401
from fivo.data.speech import create_speech_dataset
from fivo.formats import pianorolls
from fivo.formats import pickled_splits
from fivo.system import errors


def sparse_pianoroll_to_dense(pianoroll, min_note, num_notes):
  """Converts a pianoroll from lists of notes to a dense array.

  Args:
    pianoroll: A sequence of chords, possibly empty sequences of MIDI notes. A
      note that a chord lists twice counts once.
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


def create_pianoroll_dataset(path, split, batch_size,
                             num_parallel_calls=DEFAULT_PARALLELISM,
                             shuffle=False, repeat=False,
                             min_note=pianorolls.MIN_NOTE,
                             max_note=pianorolls.MAX_NOTE, options=None):
  """Creates a dataset of a pianoroll file, see `pianorolls`.

  Args:
    path: The path of a pianoroll file with a train mean.
    split: "train", "valid" or "test".
    batch_size: B, the number of sequences per batch.
    num_parallel_calls: The number of sequences that are made at a time, in the
      same order.
    shuffle: Whether each epoch is a new permutation of the split.
    repeat: Whether to go on without end, in batches that run on from one epoch
      to the next, so that B is static. Else the last batch holds what is left.
    min_note: The lowest MIDI note.
    max_note: The highest MIDI note.
    options: None, or a `batching.Options`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`, D = max_note - min_note + 1: the
      targets minus the mean, one step later, with zeros first; zero past the
      end of each sequence.
    targets: A float32 Tensor `[T, B, D]` of zeros and ones; zero past the end.
    lengths: An int32 Tensor `[B]`.
    mean: A float32 Tensor `[D]`, constant: the file's train mean.

  Raises:
    UserError: If the file, its train mean or the split is missing or bad.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    contents = pianorolls.load(path)
    dense = pianorolls.dense_split(contents, split, path, min_note, max_note)
    mean = pianorolls.get_mean(contents, path, max_note - min_note + 1)
  return batching.batches(
      batching.in_memory(dense, mean), batch_size, num_parallel_calls, shuffle,
      repeat, options)


def create_human_pose_dataset(path, split, batch_size,
                              num_parallel_calls=DEFAULT_PARALLELISM,
                              shuffle=False, repeat=False, options=None):
  """Creates a dataset of a pose file, see `pickled_splits`.

  Arguments and returns are those of `create_pianoroll_dataset`, but targets are
  real numbers, and D is what the file has.

  Raises:
    UserError: If the file, its train mean or the split is missing or bad.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    arrays, mean = pickled_splits.read_poses(path, split)
  return batching.batches(
      batching.in_memory(arrays, mean), batch_size, num_parallel_calls, shuffle,
      repeat, options)


def create_speech_batches(path, split, batch_size, shuffle=False, repeat=False,
                          options=None):
  """Calls `create_speech_dataset` as the others are called; has no mean."""
  del split  # The path is of one.
  options = options or batching.Options()
  return create_speech_dataset(
      path, batch_size, options.dimension or 200, shuffle=shuffle,
      repeat=repeat, options=options) + (None,)
