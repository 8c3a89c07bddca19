"""Human pose datasets: pickled sequences of real numbers.

A pose file is one of `pickled_splits`. A sequence is an array `[T, D]`, or a
list of T rows of D numbers; D is the same throughout. The train mean is D
numbers.
"""

import numbers
import os

import numpy as np
import tensorflow as tf

from fivo.data import batching
from fivo.formats import pickled_splits
from fivo.formats.pickles import describe
from fivo.system.errors import UserError

_KIND = pickled_splits.Kind(
    name="pose", example="pose.pkl", list_types=(list, tuple, np.ndarray),
    steps="rows",
    remedy="a pose file is a pickled dictionary with train, valid, test (lists "
    "of arrays [T, D]) and train_mean ([D])",
    mean_remedy="%s['train_mean'] = np.concatenate(train).mean(axis=0)")
# References to one array cost a file nothing; here they become float32.
_MAX_VALUES = 1 << 27


def create_human_pose_dataset(path, split, batch_size,
                              num_parallel_calls=batching.DEFAULT_PARALLELISM,
                              shuffle=False, repeat=False, skip=0, seed=None,
                              order=None, training=None):
  """Creates a dataset of a pose file.

  Args:
    path: The path of a pose file.
    split: "train", "valid" or "test".
    batch_size: B, the number of sequences per batch.
    num_parallel_calls: As of `datasets.create_pianoroll_dataset`, like all
      that follow.
    shuffle: Whether each epoch is a new permutation of the split.
    repeat: Whether to go on without end.
    skip: How many sequences at the start of the stream to leave out.
    seed: The seed of the shuffling. None: the graph's.
    order: One of `batching.ORDERS`. None: what `shuffle` says.
    training: None, or a `batching.Training`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets minus the mean, one step
      later, with zeros first; zero past the end of each sequence.
    targets: A float32 Tensor `[T, B, D]`, zero past the end of each sequence.
    lengths: An int32 Tensor `[B]`.
    mean: A float32 Tensor `[D]`, constant: the file's train mean.

  Raises:
    UserError: If the file, its train mean or the split is missing or bad, or
      an argument is out of its range.
  """
  path = os.fsdecode(path)
  with batching.naming_dataset_path():
    contents = pickled_splits.load(path, _KIND)
    sequences = to_arrays(contents, split, path)
    width = sequences[0].shape[1]
    mean = pickled_splits.get_mean(contents, path, width, _KIND)
  mean = tf.constant(mean, tf.float32, name="train_mean")
  return batching.sequence_batches(
      [len(sequence) for sequence in sequences], sequences.__getitem__, width,
      mean, batch_size, order or batching.default_order(shuffle), repeat, skip,
      seed, num_parallel_calls, training=training) + (mean,)


def to_arrays(contents, split, path):
  """Checks a split and converts its sequences.

  Args:
    contents: A dictionary as `pickled_splits.load` returns it.
    split: The key of the split.
    path: The path of the file, for messages.

  Returns:
    A list of float32 arrays `[T, D]`.

  Raises:
    UserError: If the split is missing or empty, or if anything in it is not a
      row of D finite numbers: names the split, the sequence and the step.
  """
  sequences = pickled_splits.get_split(contents, split, path, _KIND)
  num_steps = sum(map(len, sequences))
  arrays = []
  width = None
  for index, sequence in enumerate(sequences):
    try:
      width = width or _row_size(0, sequence[0])
      if num_steps * width > _MAX_VALUES:
        raise UserError("step 0: %d numbers; at most %d are allowed in all %d "
                        "steps" % (width, _MAX_VALUES, num_steps))
      arrays.append(_to_array(sequence, width))
    except UserError as error:
      raise UserError("%s: split '%s', sequence %d, %s"
                      % (path, split, index, error)) from error
  return arrays


def _to_array(sequence, width):
  """Returns a sequence as a float32 array `[T, width]`, or raises."""
  if not (isinstance(sequence, np.ndarray) and sequence.ndim == 2
          and sequence.shape[1] == width and sequence.dtype.kind in "biuf"):
    for step, row in enumerate(sequence):
      size = _row_size(step, row)
      if size != width:
        raise UserError("step %d: %d numbers; must be %d, as in the first"
                        % (step, size, width))
  try:
    with np.errstate(over="ignore"):
      array = np.asarray(sequence, np.float64).astype(np.float32)
  except OverflowError:
    raise UserError("an integer is too large") from None
  wrong = np.argwhere(~np.isfinite(array))
  if wrong.size:
    step, column = wrong[0]
    raise UserError("step %d: number %d is %s, not a finite number of 32 bits"
                    % (step, column, sequence[step][column]))
  return array


def _row_size(step, row):
  """Returns how many numbers a row has, or raises a UserError."""
  if isinstance(row, np.ndarray):
    is_row = row.ndim == 1 and row.dtype.kind in "biuf"
  else:
    is_row = isinstance(row, (list, tuple)) and all(
        isinstance(value, numbers.Real) for value in row)
  if not is_row or not len(row):  # pylint: disable=len-as-condition
    raise UserError("step %d: %s is not a row of numbers"
                    % (step, describe(row)))
  return len(row)
