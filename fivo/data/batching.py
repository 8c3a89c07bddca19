"""Orders the sequences of a dataset and pads them into batches.

The pipeline shuffles, repeats and skips indices of sequences, which costs
nothing; memory holds only the sequences being read and two batches.
"""

import collections
import re
from typing import Any
from typing import NamedTuple
from typing import Optional

import numpy as np
import tensorflow as tf

from fivo.system.errors import UserError

DEFAULT_PARALLELISM = 12
# Enough to hide the pipeline behind a training step.
MAX_PREFETCHED_BATCHES = 2

# As in the file; a new permutation each epoch; the same, but in batches of
# similar lengths (only with repeat=True); by length.
IN_FILE, SHUFFLED, BUCKETED, SORTED = ORDERS = (
    "in_file", "shuffled", "bucketed", "sorted")

# With batches of 4, this pads JSB by a twentieth, and uniform order by a third.
_BATCHES_PER_WINDOW = 16

# AutoGraph takes 0.3 s, and would slow down NumPy functions of a pipeline.
_do_not_convert = tf.autograph.experimental.do_not_convert


class Options(NamedTuple):
  """Options of a dataset beyond the arguments of the original.

  Attributes:
    order: One of `ORDERS`. None: depends on `shuffle`.
    skip: The number of sequences to skip at the start of the (shuffled,
      repeated) stream, so that a resumed run with the same seed continues it.
    seed: The seed of shuffling and dropout. None: the graph's, if it has one.
    max_length: The maximum number of timesteps, see `cut`. None: no cut.
    input_dropout: The probability of zeroing an entry of an input, before
      centring. The others are scaled up, so that inputs keep their mean
      (Srivastava et al. 2014).
    octaves: If they repeat, pianorolls come transposed, too, by 1 to this many
      octaves, up and down. The mean is that of all transpositions.
    dimension: The size of an observation of speech. None: 200.
    series: The `SeriesInfo` that a model was trained on. None: the data's own.
  """

  order: Optional[str] = None
  skip: int = 0
  seed: Optional[int] = None
  max_length: Optional[int] = None
  input_dropout: float = 0.
  octaves: int = 0
  dimension: Optional[int] = None
  series: Any = None


# The sequences of a split: their numbers of timesteps T; a function from an
# index to a float32 array `[T, D]`; D; and the mean of the inputs, `[D]`.
Sequences = collections.namedtuple(
    "Sequences", ["lengths", "read", "width", "mean"], defaults=[None])


def in_memory(arrays, mean):
  """The `Sequences` of a list of arrays `[T, D]`."""
  return Sequences(
      list(map(len, arrays)), lambda index: arrays[index].astype(np.float32),
      len(mean), mean)


def batches(sequences, batch_size, num_parallel_calls=DEFAULT_PARALLELISM,
            shuffle=False, repeat=False, options=None,
            prefetch_batches=MAX_PREFETCHED_BATCHES):
  """Batches a `Sequences`, as described in `datasets.create_pianoroll_dataset`.

  `prefetch_batches`, two at most, are prepared ahead; the mean may be None.
  """
  options = options or Options()
  mean = sequences.mean
  if mean is not None:
    mean = tf.constant(mean, tf.float32, name="train_mean")
  if options.max_length is not None:
    sequences = cut(sequences, options.max_length)
  indices = index_dataset(
      sequences.lengths, batch_size,
      options.order or (SHUFFLED if shuffle else IN_FILE), repeat, options.skip,
      options.seed)
  dataset = map_numpy(indices, sequences.read, tf.float32,
                      [None, sequences.width], num_parallel_calls)

  @_do_not_convert
  def add_inputs_and_length(sequence):
    inputs = sequence[:-1]
    if options.input_dropout:
      # A resumed run zeros other entries.
      seed = None if options.seed is None else options.seed + options.skip
      inputs = tf.nn.dropout(inputs, rate=options.input_dropout, seed=seed)
    inputs -= 0. if mean is None else mean
    if options.max_length is None:
      inputs = tf.pad(inputs, [[1, 0], [0, 0]])
    else:
      sequence = sequence[1:]
    return inputs, sequence, tf.shape(sequence)[0]

  @_do_not_convert
  def to_time_major(inputs, targets, lengths):
    return (tf.transpose(inputs, [1, 0, 2]), tf.transpose(targets, [1, 0, 2]),
            lengths)

  dataset = dataset.map(add_inputs_and_length)
  # A static batch size makes training a third faster.
  dataset = dataset.padded_batch(
      batch_size, tf.compat.v1.data.get_output_shapes(dataset),
      drop_remainder=repeat)
  return next_element(dataset.map(to_time_major), prefetch_batches) + (mean,)


def index_dataset(lengths, batch_size, order, repeat, skip, seed):
  """Makes a `tf.data.Dataset` of the indices of sequences, int64, in order."""
  assert order in ORDERS and (repeat or order != BUCKETED), order
  indices = np.arange(len(lengths), dtype=np.int64)
  if order == SORTED:
    indices = indices[np.argsort(lengths, kind="stable")]
  dataset = tf.data.Dataset.from_tensor_slices(indices)
  if order in (SHUFFLED, BUCKETED):
    dataset = dataset.shuffle(len(indices), seed=seed)
  if repeat:  # After shuffling, so that epochs do not mix.
    dataset = dataset.repeat()
  if order == BUCKETED:
    dataset = _bucket(dataset, lengths, batch_size, seed)
  return dataset.skip(skip)


def _bucket(indices, lengths, batch_size, seed):
  """Sorts windows of the stream by length, and shuffles their batches."""
  lengths = tf.constant(lengths, tf.int64)

  @_do_not_convert
  def to_batches(window):
    order = tf.argsort(tf.gather(lengths, window), stable=True)
    return tf.reshape(tf.gather(window, order), [-1, batch_size])

  batched = indices.batch(_BATCHES_PER_WINDOW * batch_size).map(to_batches)
  return batched.unbatch().shuffle(_BATCHES_PER_WINDOW, seed=seed).unbatch()


def cut(sequences, max_length):
  """Cuts sequences evenly into the fewest pieces of at most `max_length`.

  A piece is read as `[T + 1, D]`, after the observation before it, or the mean.
  """
  pieces = []
  for index, length in enumerate(sequences.lengths):
    num_pieces = -(-length // max_length)
    edges = np.arange(num_pieces + 1) * length // num_pieces
    pieces.extend(zip([index] * num_pieces, edges[:-1], edges[1:]))
  mean = 0. if sequences.mean is None else sequences.mean
  before_first = np.full([1, sequences.width], mean, np.float32)

  def read(number):
    index, start, end = pieces[number]
    sequence = sequences.read(index)
    if start:
      return sequence[start - 1:end]
    return np.concatenate([before_first, sequence[:end]])

  return sequences._replace(
      lengths=[end - start for _, start, end in pieces], read=read)


def map_numpy(dataset, function, dtype, shape, num_parallel_calls=None):
  """Maps a function over scalars; for its `UserError` see `find_user_error`."""
  def call(element):
    try:
      return function(element), b""
    except UserError as error:
      return np.empty([0] * len(shape), dtype.as_numpy_dtype), str(error)

  @_do_not_convert
  def call_in_graph(element):
    result, problem = tf.numpy_function(call, [element], [dtype, tf.string])
    # Raising an exception would work, but TensorFlow logs its stack trace.
    is_good = tf.debugging.Assert(tf.equal(problem, ""), [problem])
    with tf.control_dependencies([is_good]):
      result = tf.identity(result)
    result.set_shape(shape)
    return result

  return dataset.map(call_in_graph, num_parallel_calls)


def find_user_error(error):
  """The `UserError` that made a dataset fail with an OpError, or None."""
  found = re.search(r"assertion failed: \[(--dataset_path=.*)\]",
                    error.message)
  # TensorFlow escapes what is not ASCII, byte by byte.
  return found and UserError(
      found.group(1).encode("ascii").decode("unicode_escape")
      .encode("latin1").decode("utf-8", "replace"))


def next_element(dataset, prefetch_batches=MAX_PREFETCHED_BATCHES):
  """The Tensors that hold the next element of a dataset at each run."""
  return tf.compat.v1.data.make_one_shot_iterator(dataset.prefetch(
      min(prefetch_batches, MAX_PREFETCHED_BATCHES))).get_next()
