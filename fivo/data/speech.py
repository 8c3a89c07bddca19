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
  """Creates a dataset of utterances.

  Only where each record lies in the file is held in memory (70 KB for TIMIT's
  train set of 0.8 GB); records are read when it is their turn.

  Args:
    path: The path of a TFRecord file. Each record is the little-endian float32
      bytes of an utterance `[T, samples_per_timestep]`.
    batch_size: B, the number of utterances per batch.
    samples_per_timestep: D, the number of samples in a timestep.
    num_parallel_calls: How many utterances are read at a time. Does not change
      their order.
    prefetch_buffer_size: How many batches to prepare ahead; more than two are
      not, since more would take memory and save no time.
    shuffle: Whether each epoch is a new permutation of the records, rather than
      in the order of the file.
    repeat: Whether to go on without end. Then batches run on from one epoch to
      the next, so that all are full and B is static. Otherwise the last batch
      holds what is left.
    options: None, or a `batching.Options`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets one step later, with zeros
      first; zero past the end of each utterance.
    targets: A float32 Tensor `[T, B, D]`, zero past the end of each utterance.
    lengths: An int32 Tensor `[B]`.

  Raises:
    UserError: If the file is missing, empty or not a TFRecord file, if a record
      is not a positive number of timesteps long, or an argument is out of its
      range. A record whose samples are damaged or not finite is found when it
      is read: running the Tensors then raises
      `tf.errors.InvalidArgumentError`, whose message names the file and the
      record; `batching.find_user_error` makes a `UserError` of it.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    offsets, sizes = tfrecords.index_records(path)
    _check_sizes(path, sizes, samples_per_timestep)

  def read_targets(index):
    samples = _read_samples(path, index, offsets[index])
    return samples.reshape([-1, samples_per_timestep])

  sequences = batching.Sequences(
      sizes // (samples_per_timestep * _SAMPLE_TYPE.itemsize), read_targets,
      samples_per_timestep)
  return batching.batches(
      sequences, batch_size, num_parallel_calls, shuffle, repeat, options,
      prefetch_buffer_size)[:3]


def _check_sizes(path, sizes, samples_per_timestep):
  """Raises a `UserError` unless all records are whole timesteps."""
  bytes_per_timestep = samples_per_timestep * _SAMPLE_TYPE.itemsize
  wrong = np.flatnonzero((sizes == 0) | (sizes % bytes_per_timestep != 0))
  if wrong.size:
    index = wrong[0]
    raise UserError(
        "%s: record %d has %d bytes; must be a multiple of %d: timesteps of %d "
        "float32 samples, at least one"
        % (path, index, sizes[index], bytes_per_timestep,
           samples_per_timestep))


def _read_samples(path, index, offset):
  """Returns the samples of one record, a float32 array, or raises."""
  with errors.naming_flag("dataset_path"):
    record = tfrecords.read_record(path, index, offset)
    samples = np.frombuffer(record, _SAMPLE_TYPE)
    if not np.isfinite(samples).all():
      wrong = np.flatnonzero(~np.isfinite(samples))[0]
      raise UserError("%s: record %d: sample %d is %s, not a finite number"
                      % (path, index, wrong, samples[wrong]))
  return samples
