"""Speech datasets: TFRecord files of raw samples."""

import os

import numpy as np

from fivo.data import batching
from fivo.formats import tfrecords
from fivo.system import errors
from fivo.system.errors import UserError

_SAMPLE_TYPE = np.dtype("<f4")


def create_speech_dataset(path, batch_size, samples_per_timestep=200,
                          num_parallel_calls=batching.DEFAULT_PARALLELISM,
                          prefetch_buffer_size=2048, shuffle=False,
                          repeat=False, options=None):
  """Creates a dataset of utterances, whose records are read in their turn.

  Args:
    path: The path of a TFRecord file. Each record is the little-endian float32
      bytes of an utterance `[T, samples_per_timestep]`.
    batch_size: B, the number of utterances per batch.
    samples_per_timestep: D, the number of samples in a timestep.
    num_parallel_calls: How many utterances are read at a time; their order
      stays.
    prefetch_buffer_size: How many batches to prepare ahead, at most two.
    shuffle: Whether each epoch is a new permutation of the records.
    repeat: Whether to go on without end: batches run on from one epoch to the
      next, so that all are full and B is static.
    options: None, or a `batching.Options`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets one step later, with zeros
      first; zero past the end of each utterance.
    targets: A float32 Tensor `[T, B, D]`, zero past the end of each utterance.
    lengths: An int32 Tensor `[B]`.

  Raises:
    UserError: If the file is missing, empty or not a TFRecord file, if a record
      is not a positive number of timesteps long, or an argument is out of its
      range. A damaged record is found when it is read: running the Tensors
      raises a `tf.errors.InvalidArgumentError`, of which
      `batching.find_user_error` makes a `UserError`.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    offsets, sizes = tfrecords.index_records(path)
    timestep = samples_per_timestep * _SAMPLE_TYPE.itemsize
    for index in np.flatnonzero((sizes == 0) | (sizes % timestep != 0))[:1]:
      raise UserError(
          "%s: record %d has %d bytes; must be a multiple of %d: timesteps of "
          "%d float32 samples, at least one" % (
              path, index, sizes[index], timestep, samples_per_timestep))

  def read_targets(index):
    samples = _read_samples(path, index, offsets[index])
    return samples.reshape([-1, samples_per_timestep])

  sequences = batching.Sequences(
      sizes // timestep, read_targets, samples_per_timestep)
  return batching.batches(
      sequences, batch_size, num_parallel_calls, shuffle, repeat, options,
      prefetch_buffer_size)[:3]


def _read_samples(path, index, offset):
  """Returns the samples of one record, a float32 array, or raises."""
  with errors.naming_flag("dataset_path"):
    record = tfrecords.read_record(path, index, offset)
    samples = np.frombuffer(record, _SAMPLE_TYPE)
    for wrong in np.flatnonzero(~np.isfinite(samples))[:1]:
      raise UserError("%s: record %d: sample %d is %s, not a finite number"
                      % (path, index, wrong, samples[wrong]))
  return samples
