"""What the datasets share: the order of sequences, and padded batches.

A pipeline begins with the indices of the sequences, which cost nothing: a whole
set is shuffled, repeated and skipped as indices. Only then is a sequence made,
from memory or from disk. No more of them exist at a time than the workers hold
in their hands, plus two batches.
"""

import collections
import functools
import numbers
import re

import numpy as np
import tensorflow as tf

from fivo.system import errors
from fivo.system.errors import UserError

# How many sequences are made at a time by default, as in the original.
DEFAULT_PARALLELISM = 12

# One batch that is being used and one that is ready suffice to hide the
# pipeline behind a training step.
MAX_PREFETCHED_BATCHES = 2

# The orders in which a dataset gives its sequences: as in the file; a new
# permutation each epoch; that, with batches of similar lengths; by length.
IN_FILE, SHUFFLED, BUCKETED, SORTED = ORDERS = (
    "in_file", "shuffled", "bucketed", "sorted")

# Windows of 64 sequences at batches of 4 pad JSB by a twentieth, where uniform
# batches pad it by a third.
_BATCHES_PER_WINDOW = 16

# Nothing here needs AutoGraph. It takes 0.3 s, and it would rewrite and slow
# down NumPy functions that a pipeline calls.
_do_not_convert = tf.autograph.experimental.do_not_convert


class Training(collections.namedtuple("Training", (
    "max_length", "input_dropout"))):
  """What is done to sequences for training alone.

  Attributes:
    max_length: None, or the number of timesteps from which on sequences are cut
      into pieces, see `cut`. Each counts as a sequence then. The first input of
      a later piece is the observation before it; the mean stands for the one
      before the first, and dropout takes it for an observation.
    input_dropout: The probability with which a number of an input, before
      centring, becomes 0, independently of all others.
  """

  __slots__ = ()


Training.__new__.__defaults__ = (None, 0.)


def naming_dataset_path():
  """Puts the flag before a path with which a `UserError` begins."""
  return errors.naming_flag("dataset_path")


def check_at_least(minimum, **arguments):
  """Raises a `UserError` for an argument that is not an integer >= minimum."""
  for name, value in sorted(arguments.items()):
    if not isinstance(value, numbers.Integral) or value < minimum:
      raise UserError("%s=%r: must be an integer of at least %d"
                      % (name, value, minimum))


def default_order(shuffle):
  """The order that a dataset's argument `shuffle` stands for."""
  return SHUFFLED if shuffle else IN_FILE


def check_order(order):
  """Raises a `UserError` for an order that is none of `ORDERS`."""
  if order not in ORDERS:
    raise UserError("order=%r: must be one of %s" % (order, ", ".join(ORDERS)))


def index_dataset(lengths, batch_size, order, repeat, skip, seed):
  """Makes a dataset of the indices of sequences, in the order of their use.

  Args:
    lengths: An array, the length of each sequence.
    batch_size: B, the number of sequences per batch.
    order: One of `ORDERS`.
    repeat: Whether to go on without end.
    skip: How many sequences at the start of the stream to leave out: a resumed
      run continues its stream where it stopped.
    seed: The seed of the shuffling. None: the graph's, and without one each
      run has an order of its own.

  Returns:
    A `tf.data.Dataset` of int64 scalars.
  """
  check_at_least(0, skip=skip)
  check_at_least(1, batch_size=batch_size)
  check_order(order)
  if order == BUCKETED and not repeat:
    raise UserError("order=%r: needs repeat=True, whose windows are all full"
                    % order)
  indices = np.arange(len(lengths), dtype=np.int64)
  if order == SORTED:
    indices = indices[np.argsort(lengths, kind="stable")]
  dataset = tf.data.Dataset.from_tensor_slices(indices)
  if order in (SHUFFLED, BUCKETED):
    dataset = dataset.shuffle(len(indices), seed=seed)
  # Only after shuffling: otherwise epochs mix, and a third of the sequences is
  # not seen in the first one.
  if repeat:
    dataset = dataset.repeat()
  if order == BUCKETED:
    dataset = _bucket(dataset, lengths, batch_size, seed)
  return dataset.skip(skip)


def _bucket(indices, lengths, batch_size, seed):
  """Reorders indices so that the members of a batch are of similar length.

  Windows of the stream are sorted by length and cut into batches, whose order
  is shuffled. No sequence comes more or less often than before.

  Args:
    indices: A shuffled `tf.data.Dataset` of int64 scalars.
    lengths: An array, the length of each sequence.
    batch_size: B.
    seed: The seed of the shuffling, or None.

  Returns:
    A `tf.data.Dataset` of int64 scalars.
  """
  lengths = tf.constant(lengths, tf.int64)

  @_do_not_convert
  def to_batches(window):
    order = tf.argsort(tf.gather(lengths, window), stable=True)
    return tf.reshape(tf.gather(window, order), [-1, batch_size])

  batches = indices.batch(_BATCHES_PER_WINDOW * batch_size).map(to_batches)
  return batches.unbatch().shuffle(_BATCHES_PER_WINDOW, seed=seed).unbatch()


def map_numpy(dataset, function, dtype, shape, num_parallel_calls=None):
  """Maps a NumPy function over a dataset, in order.

  A `UserError` in the function fails the run that wants its result with a
  `tf.errors.InvalidArgumentError`, see `find_user_error`.

  Args:
    dataset: A `tf.data.Dataset` of scalars.
    function: A function of one scalar that returns an array.
    dtype: The type of the array, a `tf.DType`.
    shape: The static shape of the array, with None for what is not known.
    num_parallel_calls: How many elements are mapped at a time.

  Returns:
    A `tf.data.Dataset` of Tensors.
  """
  def call(element):
    try:
      return function(element), b""
    except UserError as error:
      return np.empty([0] * len(shape), dtype.as_numpy_dtype), str(error)

  @_do_not_convert
  def call_in_graph(element):
    result, problem = tf.numpy_function(call, [element], [dtype, tf.string])
    # An exception would do, but TensorFlow logs its stack trace.
    is_good = tf.debugging.Assert(tf.equal(problem, ""), [problem])
    with tf.control_dependencies([is_good]):
      result = tf.identity(result)
    result.set_shape(shape)
    return result

  if num_parallel_calls not in (None, tf.data.experimental.AUTOTUNE):
    check_at_least(1, num_parallel_calls=num_parallel_calls)
  return dataset.map(call_in_graph, num_parallel_calls)


def find_user_error(error):
  """Finds the `UserError` that made a dataset fail while it ran.

  Args:
    error: A `tf.errors.OpError`.

  Returns:
    A `UserError` with the one line that says what is wrong with the data, or
    None if the error has another cause.
  """
  found = re.search(r"assertion failed: \[(--dataset_path=.*)\]",
                    error.message)
  if found is None:
    return None
  # TensorFlow escapes what is not ASCII, byte by byte.
  message = found.group(1).encode("ascii").decode("unicode_escape")
  return UserError(message.encode("latin1").decode("utf-8", "replace"))


def sequence_batches(lengths, make_targets, width, mean, batch_size, order,
                     repeat, skip, seed,
                     num_parallel_calls=DEFAULT_PARALLELISM,
                     prefetch_batches=MAX_PREFETCHED_BATCHES, training=None):
  """Batches the sequences of a split: the path that all datasets take.

  Args:
    lengths: An array, the length of each sequence.
    make_targets: A function of the index of a sequence that returns it, a
      float32 array `[T, width]`, or raises a `UserError`.
    width: The size D of an observation.
    mean: See `shifted_batches`.
    batch_size: See `index_dataset`; likewise order, repeat, skip, seed.
    order: One of `ORDERS`.
    repeat: Whether to go on without end.
    skip: How many sequences at the start of the stream to leave out.
    seed: The seed of the shuffling, or None.
    num_parallel_calls: How many sequences are made at a time.
    prefetch_batches: See `shifted_batches`.
    training: None, or a `Training`.

  Returns:
    What `shifted_batches` returns.
  """
  training = training or Training()
  if training.max_length is not None:
    pieces = cut(lengths, training.max_length)
    lengths = pieces[:, 2] - pieces[:, 1]
    make_targets = functools.partial(
        _make_piece, make_targets, pieces,
        np.broadcast_to(tf.get_static_value(mean), [1, width]))
  indices = index_dataset(lengths, batch_size, order, repeat, skip, seed)
  targets = map_numpy(
      indices, make_targets, tf.float32, [None, width], num_parallel_calls)
  return shifted_batches(
      targets, mean, batch_size, repeat, prefetch_batches,
      with_previous=training.max_length is not None,
      input_dropout=training.input_dropout,
      dropout_seed=None if seed is None else seed + skip)


def cut(lengths, max_length):
  """Cuts sequences into the fewest pieces of at most so many timesteps.

  Args:
    lengths: An array, the length of each sequence.
    max_length: The largest length of a piece.

  Returns:
    An int64 array `[number of pieces, 3]`: the index of the sequence, and where
    in it a piece starts and ends. The lengths of a sequence's pieces differ by
    at most one timestep.
  """
  check_at_least(1, max_length=max_length)
  pieces = []
  for index, length in enumerate(lengths):
    num_pieces = -(-length // max_length)
    edges = np.arange(num_pieces + 1) * length // num_pieces
    pieces.extend(zip([index] * num_pieces, edges[:-1], edges[1:]))
  return np.array(pieces, np.int64)


def _make_piece(make_targets, pieces, before_first, index):
  """Makes a piece of a sequence, with the observation before it.

  Args:
    make_targets: A function of the index of a sequence that returns it.
    pieces: See `cut`.
    before_first: An array `[1, D]`, what to take for the observation before the
      first.
    index: The index of the piece.

  Returns:
    A float32 array `[T + 1, D]`.
  """
  sequence_index, start, end = pieces[index]
  sequence = make_targets(sequence_index)
  if start:
    return sequence[start - 1:end]
  return np.concatenate([before_first, sequence[:end]]).astype(np.float32)


def shifted_batches(targets, mean, batch_size, repeat,
                    prefetch_batches=MAX_PREFETCHED_BATCHES,
                    with_previous=False, input_dropout=0.,
                    dropout_seed=None):
  """Batches sequences, each with itself one step later as the input.

  Args:
    targets: A `tf.data.Dataset` of float32 Tensors `[T, D]`, D static.
    mean: A float32 Tensor `[D]` that is subtracted from the inputs, or 0.
    batch_size: B, the number of sequences per batch.
    repeat: Whether `targets` has no end. Then all batches are full and B is
      static. Otherwise the last batch holds what is left.
    prefetch_batches: How many batches to prepare ahead, at most
      `MAX_PREFETCHED_BATCHES`. A negative number stands for that.
    with_previous: Whether each sequence begins with an observation that is an
      input only.
    input_dropout: See `Training`.
    dropout_seed: The seed of what is dropped, or None.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: `targets` minus `mean`, one step
      later, with zeros first where there is nothing before; zero past the end
      of each sequence.
    targets: A float32 Tensor `[T, B, D]`, zero past the end of each sequence.
    lengths: An int32 Tensor `[B]`.
  """
  check_at_least(1, batch_size=batch_size)
  @_do_not_convert
  def add_inputs_and_length(sequence):
    inputs = sequence[:-1]
    if input_dropout:
      inputs *= tf.cast(tf.random.uniform(
          tf.shape(inputs), seed=dropout_seed) >= input_dropout, tf.float32)
    inputs -= mean
    if with_previous:
      sequence = sequence[1:]
    else:
      inputs = tf.pad(inputs, [[1, 0], [0, 0]])
    return inputs, sequence, tf.shape(sequence)[0]

  dataset = targets.map(add_inputs_and_length)
  # A static batch size makes training a third faster.
  dataset = dataset.padded_batch(
      batch_size, tf.compat.v1.data.get_output_shapes(dataset),
      drop_remainder=repeat)
  return next_element(dataset.map(_to_time_major), prefetch_batches)


def next_element(dataset, prefetch_batches=MAX_PREFETCHED_BATCHES):
  """Returns the Tensors that hold the next element of a dataset at each run."""
  if not 0 <= prefetch_batches <= MAX_PREFETCHED_BATCHES:
    prefetch_batches = MAX_PREFETCHED_BATCHES
  return tf.compat.v1.data.make_one_shot_iterator(
      dataset.prefetch(prefetch_batches)).get_next()


@_do_not_convert
def _to_time_major(inputs, targets, lengths):
  return (tf.transpose(inputs, [1, 0, 2]), tf.transpose(targets, [1, 0, 2]),
          lengths)
