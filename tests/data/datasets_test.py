"""Tests of fivo.data.datasets: pianorolls and poses."""

import itertools
import pickle
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from fivo.data import batching
from fivo.data import datasets
from fivo.data import feeding
from fivo.system.errors import UserError

_MEAN = np.linspace(0., 1., 88)


def _write(tmp_path, train=(((60,),),), train_mean=_MEAN):
  path = tmp_path / "data.pkl"
  path.write_bytes(pickle.dumps(dict(train=train, train_mean=train_mean), 2))
  return str(path)


def _numbered_sequences(count):
  """Sequences of 1 to 3 steps; the notes of the first say which it is."""
  return [[tuple(21 + bit for bit in range(10) if (i + 1) >> bit & 1)]
          + [(60,)] * (i % 3) for i in range(count)]


def _batches(path, num_batches=None, graph_seed=None, batch_size=4,
             create=datasets.create_pianoroll_dataset, **kwargs):
  """Runs a dataset of its own graph; returns its batches."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(graph_seed)
    tensors = create(path, "train", batch_size, **kwargs)
    return list(itertools.islice(
        feeding.batches(session, tensors), num_batches))


def _stream(*args, seed=None, skip=0, **kwargs):
  """Which of `_numbered_sequences` a dataset gives, in order."""
  options = batching.Options(seed=seed, skip=skip)
  firsts = [targets[0, :, :10] for _, targets, _, _ in _batches(
      *args, options=options, **kwargs)]
  return [int(first.dot(2 ** np.arange(10))) - 1
          for batch in firsts for first in batch]


def final_length(growing):
  """The length of a list once the threads that prefetch have come to rest."""
  length = -1
  while len(growing) > length:
    length = len(growing)
    time.sleep(0.1)
  return length


def test_sparse_pianoroll_to_dense():
  pianoroll = [(0, 1), (1, 1), (), (0,)]  # The original counted a note twice.
  dense, num_timesteps = datasets.sparse_pianoroll_to_dense(pianoroll, 0, 2)
  assert (num_timesteps, dense.dtype) == (4, np.float64)
  assert dense.tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]


class TestBatches:

  def test_values(self, tmp_path):
    sequences = [[(78,), (), (79, 80)], [(79,)], [(80,), (78, 78)]]
    mean = np.array([0.25, 0.5, 0.75])
    path = _write(tmp_path, sequences, mean)
    first, second = _batches(path, batch_size=2, min_note=78, max_note=80)
    inputs, targets, lengths, actual_mean = first
    assert [x.dtype for x in first] == [
        np.float32, np.float32, np.int32, np.float32]
    np.testing.assert_array_equal(actual_mean, mean)
    np.testing.assert_array_equal(lengths, [3, 1])
    np.testing.assert_array_equal(
        targets[:, 0], [[1, 0, 0], [0, 0, 0], [0, 1, 1]])
    np.testing.assert_array_equal(
        inputs[:, 0], [[0, 0, 0], [.75, -.5, -.75], [-.25, -.5, -.75]])
    np.testing.assert_array_equal(
        targets[:, 1], [[0, 1, 0], [0, 0, 0], [0, 0, 0]])
    # Zero past the end, not what follows the last target.
    np.testing.assert_array_equal(inputs[:, 1], np.zeros([3, 3]))
    np.testing.assert_array_equal(second[1][:, 0], [[0, 0, 1], [1, 0, 0]])

  def test_octaves(self, tmp_path):
    path = _write(tmp_path, [[(21, 60), (98,)], [(61,)]])
    test, train = (_batches(path, 6, batch_size=1, options=batching.Options(
        octaves=1), repeat=repeat) for repeat in (False, True))
    notes = [[tuple(21 + np.flatnonzero(chord)) for chord in targets[:, 0]]
             for _, targets, _, _ in train]
    assert notes == [[(33, 72), ()], [(21, 60), (98,)], [(48,), (86,)],
                     [(73,)], [(61,)], [(49,)]]
    assert len(test) == 2
    mean = np.convolve(_MEAN, [1 / 3, *np.zeros(11)] * 2 + [1 / 3], "same")
    np.testing.assert_allclose([test[0][3], train[0][3]], [mean, mean], 1e-6)

  @pytest.mark.parametrize("repeat", [False, True])
  def test_static_shapes(self, tmp_path, repeat):
    # An unknown batch size makes training a third slower.
    path = _write(tmp_path, [[(60, 64, 67)] * 10000])
    with tf.Graph().as_default() as graph:
      inputs, targets, lengths, mean = datasets.create_pianoroll_dataset(
          path, "train", 3, repeat=repeat)
      np.testing.assert_array_equal(
          tensor_util.constant_value(mean), _MEAN.astype(np.float32))
    batch_size = 3 if repeat else None
    assert inputs.shape.as_list() == [None, batch_size, 88]
    assert targets.shape.as_list() == [None, batch_size, 88]
    assert lengths.shape.as_list() == [batch_size]
    # The data is no part of the graph.
    assert graph.as_graph_def().ByteSize() < 50000


class TestOrder:

  def test_order_of_the_file(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(50))
    assert _stream(path, num_parallel_calls=1) == list(range(50))
    sizes = [batch[2].shape[0] for batch in _batches(path)]
    assert sizes == 12 * [4] + [2]  # The partial batch comes last.
    # Repeating fills batches across epochs.
    assert _stream(path, 13, repeat=True) == [*range(50), 0, 1]

  def test_defect_first_epoch_missed_a_third(self, tmp_path):
    # The original repeated before it shuffled: 172 of JSB's 229 sequences were
    # in the first 229.
    path = _write(tmp_path, _numbered_sequences(229))
    stream = _stream(path, 230, shuffle=True, repeat=True, seed=1)
    epochs = [stream[start:start + 229] for start in range(0, 916, 229)]
    for epoch in epochs:
      assert sorted(epoch) == list(range(229))
    # All orders are new: the probability of a false alarm is below 1e-400.
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert list(range(229)) not in epochs

  def test_seed(self, tmp_path):
    # The probability of a false alarm is 1 / 60!. Zero is a seed too.
    path = _write(tmp_path, _numbered_sequences(60))
    first, same, other, unseeded, by_graph, same_by_graph = [
        _stream(path, 40, graph_seed, shuffle=True, seed=seed,
                num_parallel_calls=calls)
        for seed, calls, graph_seed in (
            (0, 12, None), (0, 1, None), (4, 12, None), (None, 12, None),
            (None, 12, 5), (None, 12, 5))]
    assert first == same and by_graph == same_by_graph
    assert len({tuple(s) for s in (first, other, unseeded, by_graph)}) == 4

  def test_defect_resumed_run_replayed_its_data(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(17))
    kwargs = dict(graph_seed=7, shuffle=True, repeat=True, batch_size=1)
    stream = _stream(path, 60, **kwargs)
    assert _stream(path, 10, skip=50, **kwargs) == stream[50:]


def test_defect_prefetched_as_many_batches_as_sequences():
  # 476 MB on JSB at batch size 4. Here: two batches that are ready, one in the
  # making, and what the workers hold in their hands.
  made = []
  sequences = batching.Sequences(
      [1] * 229, lambda _: made.append(1) or np.zeros([1, 2], np.float32), 2)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    # To skip a long stream makes nothing either.
    batch = batching.batches(
        sequences, 4, num_parallel_calls=2, repeat=True,
        options=batching.Options(skip=100040))
    for step in (1, 2):
      session.run(batch[:3])
      ahead = final_length(made) - 4 * step
      assert ahead <= 4 * (batching.MAX_PREFETCHED_BATCHES + 1) + 2 * 2


def test_poses(tmp_path):
  rng = np.random.RandomState(1)
  sequences = [rng.normal(size=[length, 3]).astype(">f4") for length in (4, 1)]
  mean = np.array([0.5, -1., 2.])
  (inputs, targets, lengths, actual_mean), = _batches(
      _write(tmp_path, sequences, mean),
      create=datasets.create_human_pose_dataset)
  np.testing.assert_array_equal(actual_mean, mean)
  assert lengths.tolist() == [4, 1]
  np.testing.assert_array_equal(targets[:, 0], sequences[0])
  assert not targets[1:, 1].any() and not inputs[1:, 1].any()
  np.testing.assert_allclose(inputs[1:, 0], sequences[0][:-1] - mean, rtol=1e-6)


@pytest.mark.parametrize("create", [
    datasets.create_pianoroll_dataset, datasets.create_human_pose_dataset])
def test_bad_file_before_any_op(tmp_path, create):
  path = _write(tmp_path, train=[[()]], train_mean=None)
  with tf.Graph().as_default() as graph:
    with pytest.raises(UserError, match="^--dataset_path=" + path):
      create(path, "train", 4)
    assert not graph.get_operations()


def test_names_that_old_code_uses():
  assert callable(datasets.create_chain_graph_dataset)
  assert datasets.DEFAULT_PARALLELISM == 12
  assert datasets.OBSERVATION_TYPES == [
      datasets.SQUARED_OBSERVATION, datasets.ABS_OBSERVATION,
      datasets.STANDARD_OBSERVATION] == ["squared", "abs", "standard"]
  assert datasets.TRANSITION_TYPES == [
      datasets.ROUND_TRANSITION, datasets.STANDARD_TRANSITION] == [
          "round", "standard"]
