"""All datasets: pianorolls, poses, series, speech and synthetic chains.

Every `create_*_dataset` returns Tensors that hold the next batch each time they
are run, time-major: T is the longest sequence of the batch, B the batch size, D
the size of an observation. They raise `tf.errors.OutOfRangeError` after the
last batch. A bad file is refused before any op is made.
"""

import os

import numpy as np
import tensorflow as tf

from fivo.data import batching
from fivo.data import series_info
from fivo.data.batching import DEFAULT_PARALLELISM
from fivo.formats import pianorolls
from fivo.formats import pickled_splits
from fivo.formats import series
from fivo.formats import tfrecords
from fivo.system import errors
from fivo.system.errors import UserError

ROUND_TRANSITION, STANDARD_TRANSITION = TRANSITION_TYPES = ["round", "standard"]
SQUARED_OBSERVATION, ABS_OBSERVATION, STANDARD_OBSERVATION = (
    OBSERVATION_TYPES) = ["squared", "abs", "standard"]
_TRANSITIONS = {STANDARD_TRANSITION: lambda z: z, ROUND_TRANSITION: np.round}
_OBSERVATIONS = {STANDARD_OBSERVATION: lambda z: z,
                 SQUARED_OBSERVATION: np.square, ABS_OBSERVATION: np.abs}
_SAMPLE_TYPE = np.dtype("<f4")  # Of speech.


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
    num_parallel_calls: The number of sequences that are prepared in parallel;
      it does not change their order.
    shuffle: Whether each epoch is a new permutation of the split.
    repeat: Whether to repeat without end, in batches that may span two epochs,
      so that B is static. Otherwise the last batch may be smaller.
    min_note: The lowest MIDI note.
    max_note: The highest MIDI note.
    options: None, or a `batching.Options`.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`, D = max_note - min_note + 1: the
      targets minus the mean, one step later, with zeros first; zero past the
      end of each sequence.
    targets: A float32 Tensor `[T, B, D]` of zeros and ones; zero past the end.
    lengths: An int32 Tensor `[B]`.
    mean: A float32 Tensor `[D]`, constant: the file's train mean, with
      `options.octaves` that of all transpositions.

  Raises:
    UserError: If the file, its train mean or the split is missing or bad.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    contents = pianorolls.load(path)
    dense = pianorolls.dense_split(contents, split, path, min_note, max_note)
    mean = pianorolls.get_mean(contents, path, max_note - min_note + 1)
  if options and options.octaves:
    means = pianorolls.add_octaves([mean[np.newaxis]], options.octaves)
    mean = np.mean(means, axis=(0, 1))
    if repeat:
      dense = pianorolls.add_octaves(dense, options.octaves)
  return batching.batches(
      batching.in_memory(dense, mean), batch_size, num_parallel_calls, shuffle,
      repeat, options)


def create_human_pose_dataset(path, split, batch_size,
                              num_parallel_calls=DEFAULT_PARALLELISM,
                              shuffle=False, repeat=False, options=None):
  """Creates a dataset of a pose file, see `pickled_splits`.

  As `create_pianoroll_dataset`, but targets are real numbers, and the file
  determines D.
  """
  path = os.fsdecode(path)
  with errors.naming_flag("dataset_path"):
    arrays, mean = pickled_splits.read_poses(path, split)
  return batching.batches(
      batching.in_memory(arrays, mean), batch_size, num_parallel_calls, shuffle,
      repeat, options)


def create_series_dataset(path, split, batch_size,
                          num_parallel_calls=DEFAULT_PARALLELISM,
                          shuffle=False, repeat=False, options=None):
  """Creates a dataset of time series, as `create_pianoroll_dataset`.

  See `formats.series` of files. Real data is standardised, so the mean is zero.
  """
  path = os.fsdecode(path)
  info = options and options.series or series_info.read(path)
  with errors.naming_flag("dataset_path"):
    sequences, names = series.read_split(path, split)
    series_info.check_fits(path, split, sequences, names, info)
  sequences = batching.in_memory(
      list(map(info.standardize, sequences)),
      info.mean if info.is_binary else np.zeros_like(info.mean))
  return batching.batches(sequences, batch_size, num_parallel_calls, shuffle,
                          repeat, options)


def create_speech_dataset(path, batch_size, samples_per_timestep=200,
                          num_parallel_calls=DEFAULT_PARALLELISM,
                          prefetch_buffer_size=2048, shuffle=False,
                          repeat=False, options=None):
  """Creates a dataset of utterances, whose records are read when needed.

  Args:
    path: The path of a TFRecord file. Each record is the little-endian float32
      bytes of an utterance `[T, samples_per_timestep]`.
    batch_size: B, the number of utterances per batch.
    samples_per_timestep: D, the number of samples in a timestep.
    num_parallel_calls: The number of utterances that are read in parallel.
    prefetch_buffer_size: The number of batches to prepare ahead, at most two.
    shuffle: Whether each epoch is a new permutation of the records.
    repeat: Whether to repeat without end.
    options: None, or a `batching.Options`.

  Returns:
    inputs, targets, lengths: As from `create_pianoroll_dataset`, but no mean is
      subtracted.

  Raises:
    UserError: If the file is missing, empty or not a TFRecord file, or a record
      is not a positive number of timesteps long. A damaged record is found when
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


def create_speech_batches(path, split, batch_size, shuffle=False, repeat=False,
                          options=None):
  """`create_speech_dataset` with the signature of the others, and no mean."""
  del split  # The path is that of one split.
  options = options or batching.Options()
  return create_speech_dataset(
      path, batch_size, options.dimension or 200, shuffle=shuffle,
      repeat=repeat, options=options) + (None,)


def create_chain_graph_dataset(
    batch_size, num_timesteps, steps_per_observation=None, state_size=1,
    transition_variance=1., observation_variance=1.,
    transition_type="standard", observation_type="standard",
    fixed_observation=None, prefetch_buffer_size=2048, dtype="float32",
    model_consistent=False):
  """Creates an endless dataset of observations of Gaussian chains.

  A latent chain is z_t ~ N(f(z_{t-1}), transition_variance), and every
  `steps_per_observation`-th state is observed, x_t ~ N(g(z_t),
  observation_variance), where f and g are the transition and observation types.
  As in the original, z_0 ~ N(0, observation_variance) comes before the T states
  that can be observed: one transition more than `ghmm.GaussianHMM` has.

  The numbers come from `np.random.normal` on NumPy's global state: sequence by
  sequence, first z_0, then for each step z_t, and x_t if it is observed.

  Args:
    batch_size: B, the number of sequences per batch.
    num_timesteps: T, the number of transitions.
    steps_per_observation: The number of transitions before each observation,
      a whole number that divides `num_timesteps`. None: `num_timesteps`.
    state_size: The size of states and observations.
    transition_variance: The variance of a transition.
    observation_variance: The variance of an observation.
    transition_type: f: "standard", identity; "round", to the nearest integer.
    observation_type: g: "standard", identity; "squared"; "abs".
    fixed_observation: If not None, the value of all observations, instead of
      draws; broadcasts to `[T_obs, B, state_size]`.
    prefetch_buffer_size: The number of batches to draw ahead, at most two; with
      0 NumPy's global state advances only for batches that are requested.
    dtype: "float32" or "float64".
    model_consistent: Whether to draw from the model itself: the first state is
      N(0, transition_variance).

  Returns:
    observations: A Tensor `[T_obs, B, state_size]` of type `dtype`, where T_obs
      = num_timesteps / steps_per_observation, new at each run.
    lengths: An int32 Tensor `[B]`, each T_obs.

  Raises:
    ValueError: If `steps_per_observation` does not divide `num_timesteps`.
  """
  if steps_per_observation is None:
    steps_per_observation = num_timesteps
  if num_timesteps % steps_per_observation or steps_per_observation % 1:
    raise ValueError("steps_per_observation=%s must divide num_timesteps=%s"
                     % (steps_per_observation, num_timesteps))
  steps_per_observation = int(steps_per_observation)
  dtype = tf.as_dtype(dtype)
  num_observations = num_timesteps // steps_per_observation
  shape = [num_observations, batch_size, state_size]
  lengths = tf.fill([batch_size], num_observations)
  if fixed_observation is not None:
    return tf.constant(
        np.broadcast_to(fixed_observation, shape), dtype), lengths

  def draw_batch(_):
    return _draw_batch(
        shape, steps_per_observation, _TRANSITIONS[transition_type],
        np.sqrt(transition_variance), _OBSERVATIONS[observation_type],
        np.sqrt(observation_variance), model_consistent
    ).astype(dtype.as_numpy_dtype)

  endless = tf.data.Dataset.from_tensors(0).repeat()
  observations = batching.next_element(
      batching.map_numpy(endless, draw_batch, dtype, shape),
      prefetch_buffer_size)
  return observations, lengths


def _draw_batch(shape, steps_per_observation, transition, transition_scale,
                observation, observation_scale, starts_at_zero):
  """Draws a float64 array of observations of shape `[T_obs, B, state_size]`."""
  num_observations, batch_size, state_size = shape
  num_starts = 0 if starts_at_zero else 1
  # One call draws the same numbers as a call for each state and observation,
  # sequence by sequence, a hundred times faster.
  noise = np.random.normal(size=[
      batch_size, num_starts + num_observations * (steps_per_observation + 1),
      state_size])
  state = observation_scale * noise[:, :num_starts].sum(axis=1)
  noise = noise[:, num_starts:].reshape(
      [batch_size, num_observations, steps_per_observation + 1, state_size])
  observations = np.empty(shape)
  for index in range(num_observations):
    for step in range(steps_per_observation):
      state = transition(state) + transition_scale * noise[:, index, step]
    observations[index] = (
        observation(state) + observation_scale * noise[:, index, -1])
  return observations
