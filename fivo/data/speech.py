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
    batch_size: As all below, see `datasets.create_pianoroll_dataset`.
    samples_per_timestep: D, the number of samples in a timestep.
    num_parallel_calls: The number of utterances that are read at a time.
    prefetch_buffer_size: The number of batches to prepare ahead, at most two.
    shuffle: Whether each epoch is a new permutation of the records.
    repeat: Whether to go on without end.
    options: None, or a `batching.Options`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets one step later, with zeros
      first; zero past the end of each utterance.
    targets: A float32 Tensor `[T, B, D]`, zero past the end of each utterance.
    lengths: An int32 Tensor `[B]`.

  Raises:
    UserError: If the file is missing, empty or not a TFRecord file, or a record
      is not a positive number of timesteps long. A damaged record is found as
      the Tensors are run: see `batching.find_user_error`.
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
    with errors.naming_flag("dataset_path"):
      record = tfrecords.read_record(path, index, offsets[index])
      samples = np.frombuffer(record, _SAMPLE_TYPE)
      for wrong in np.flatnonzero(~np.isfinite(samples))[:1]:
        raise UserError("%s: record %d: sample %d is %s, not a finite number"
                        % (path, index, wrong, samples[wrong]))
    return samples.reshape([-1, samples_per_timestep])

  sequences = batching.Sequences(
      sizes // timestep, read_targets, samples_per_timestep)
  return batching.batches(
      sequences, batch_size, num_parallel_calls, shuffle, repeat, options,
      prefetch_buffer_size)[:3]
