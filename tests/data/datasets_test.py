"""Tests of fivo.data.datasets: pianorolls."""

import os
import pickle
import time

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import tensor_util

from fivo.data import batching
from fivo.data import datasets
from fivo.formats import pianorolls
from fivo.system.errors import UserError

_MEAN = np.linspace(0., 1., 88)


def _write(tmp_path, train=(((60,),),), train_mean=_MEAN, **others):
  path = str(tmp_path / "rolls.pkl")
  with open(path, "wb") as stream:
    pickle.dump(dict(others, train=train, train_mean=train_mean), stream,
                protocol=2)
  return path


def _numbered_sequences(count):
  """Sequences of 1 to 3 steps; the notes of the first say which it is."""
  return [[tuple(21 + bit for bit in range(10) if (i + 1) >> bit & 1)]
          + [(60,)] * (i % 3) for i in range(count)]


def _numbers(targets):
  """Which of `_numbered_sequences` are in a batch."""
  return (targets[0, :, :10].dot(2 ** np.arange(10)) - 1).astype(int).tolist()


def _batches(path, num_batches=None, graph_seed=None, split="train",
             batch_size=4, **kwargs):
  """Runs a dataset of its own graph; returns its batches."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(graph_seed)
    tensors = datasets.create_pianoroll_dataset(
        path, split, batch_size, **kwargs)
    batches = []
    while num_batches is None or len(batches) < num_batches:
      try:
        batches.append(session.run(tensors))
      except tf.errors.OutOfRangeError:
        break
    return batches


def _stream(*args, **kwargs):
  """The numbers of the sequences of a dataset, in order."""
  return [number for _, targets, _, _ in _batches(*args, **kwargs)
          for number in _numbers(targets)]


def final_length(growing):
  """The length of a list once the threads that prefetch have come to rest."""
  length = -1
  while len(growing) > length:
    length = len(growing)
    time.sleep(0.1)
  return length


class TestSparsePianorollToDense:

  @pytest.mark.parametrize("pianoroll, expected", [
      ([(0, 1), (1, 0), (), (1,), (), ()],
       [[1, 1], [1, 1], [0, 0], [0, 1], [0, 0], [0, 0]]),
      ([(), (), (0,)], [[0, 0], [0, 0], [1, 0]]),
      ([()], [[0, 0]]),
      ([[np.int64(1)]], [[0, 1]]),
  ])
  def test_values(self, pianoroll, expected):
    dense, num_timesteps = datasets.sparse_pianoroll_to_dense(pianoroll, 0, 2)
    assert num_timesteps == len(pianoroll)
    assert dense.dtype == np.float64
    np.testing.assert_array_equal(dense, expected)

  def test_defect_note_listed_twice_was_two(self):
    dense, _ = datasets.sparse_pianoroll_to_dense([(60, 60)], 59, 3)
    assert dense.tolist() == [[0., 1., 0.]]

  @pytest.mark.parametrize("note", [20, 23, -1, 21.5])
  def test_defect_note_out_of_range_was_raw_exception(self, note):
    with pytest.raises(UserError, match="step 1: note %s " % note):
      datasets.sparse_pianoroll_to_dense([(21,), (note,)], 21, 2)

  def test_empty(self):
    dense, num_timesteps = datasets.sparse_pianoroll_to_dense([], 21, 88)
    assert (dense.shape, num_timesteps) == ((0, 88), 0)


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
    inputs, targets, lengths, _ = second
    np.testing.assert_array_equal(lengths, [2])
    np.testing.assert_array_equal(targets[:, 0], [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(inputs[:, 0], [[0, 0, 0], [-.25, -.5, .25]])

  def test_defaults_are_the_keys_of_a_piano(self, tmp_path):
    batch, = _batches(_write(tmp_path, [[(21,)], [(108,)]]))
    assert np.argwhere(batch[1]).tolist() == [[0, 0, 0], [0, 1, 87]]

  @pytest.mark.parametrize("repeat", [False, True])
  def test_static_shapes(self, tmp_path, repeat):
    # An unknown batch size makes training a third slower.
    path = _write(tmp_path)
    with tf.Graph().as_default():
      inputs, targets, lengths, mean = datasets.create_pianoroll_dataset(
          path, "train", 3, repeat=repeat)
    batch_size = 3 if repeat else None
    assert inputs.shape.as_list() == [None, batch_size, 88]
    assert targets.shape.as_list() == [None, batch_size, 88]
    assert lengths.shape.as_list() == [batch_size]
    assert mean.shape.as_list() == [88]

  def test_mean_is_constant(self, tmp_path):
    path = _write(tmp_path)
    with tf.Graph().as_default():
      mean = datasets.create_pianoroll_dataset(path, "train", 1)[-1]
      np.testing.assert_array_equal(
          tensor_util.constant_value(mean), _MEAN.astype(np.float32))

  def test_partial_batch_comes_last(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(10))
    sizes = [batch[2].shape[0] for batch in _batches(path)]
    assert sizes == [4, 4, 2]

  def test_repeating_fills_batches_across_epochs(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(3))
    assert _stream(path, 2, repeat=True) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert _stream(path, 1, repeat=True, batch_size=7) == [0, 1, 2, 0, 1, 2, 0]

  def test_data_is_no_part_of_the_graph(self, tmp_path):
    path = _write(tmp_path, [[(60, 64, 67)] * 100000])
    with tf.Graph().as_default() as graph:
      datasets.create_pianoroll_dataset(path, "train", 1)
    assert graph.as_graph_def().ByteSize() < 50000


class TestOrder:

  def test_order_of_the_file(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(50))
    assert _stream(path) == list(range(50))
    assert _stream(path, num_parallel_calls=1) == list(range(50))

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

  def test_shuffling_covers_the_whole_set(self, tmp_path):
    # With a buffer of the size of a few batches, late sequences could not be
    # first. P(none of the first 20 is from the last half) < 1e-6.
    path = _write(tmp_path, _numbered_sequences(200))
    stream = _stream(path, shuffle=True, seed=2)
    assert sorted(stream) == list(range(200))
    assert max(stream[:20]) >= 100

  def test_same_seed_same_order(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(60))
    streams = [
        _stream(path, 40, shuffle=True, repeat=True, seed=seed,
                num_parallel_calls=calls)
        for seed, calls in ((3, 12), (3, 12), (3, 1), (4, 12))]
    assert streams[0] == streams[1] == streams[2]
    assert streams[0] != streams[3]

  def test_seed_zero_is_a_seed(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(60))
    first, second = (_stream(path, shuffle=True, seed=0) for _ in range(2))
    assert first == second

  def test_graph_seed_is_the_default(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(60))
    first, second, other = (
        _stream(path, shuffle=True, graph_seed=seed) for seed in (5, 5, 6))
    assert first == second != other

  def test_without_a_seed_orders_differ(self, tmp_path):
    # The probability of a false alarm is 1 / 60!.
    path = _write(tmp_path, _numbered_sequences(60))
    assert _stream(path, shuffle=True) != _stream(path, shuffle=True)

  @pytest.mark.parametrize("skip", [1, 8, 17, 50])
  @pytest.mark.parametrize("seeds", [{"seed": 7}, {"graph_seed": 7}])
  def test_defect_resumed_run_replayed_its_data(self, tmp_path, skip, seeds):
    path = _write(tmp_path, _numbered_sequences(17))
    kwargs = dict(seeds, shuffle=True, repeat=True, batch_size=1)
    stream = _stream(path, 90, **kwargs)
    assert _stream(path, 90 - skip, skip=skip, **kwargs) == stream[skip:]

  def test_skipping_is_cheap(self, tmp_path, monkeypatch):
    path = _write(tmp_path, _numbered_sequences(40))
    decoded = []
    decode = pianorolls.decode
    monkeypatch.setattr(
        pianorolls, "decode",
        lambda *args: decoded.append(1) or decode(*args))
    kwargs = dict(shuffle=True, repeat=True, batch_size=1, seed=1)
    with_skip = _stream(path, 1, skip=100040, **kwargs)
    assert len(decoded) < 40
    assert with_skip[0] in range(40)

  def test_skip_without_repeat(self, tmp_path):
    path = _write(tmp_path, _numbered_sequences(6))
    assert _stream(path, skip=4) == [4, 5]
    assert _stream(path, skip=6) == []


class TestMemory:

  def test_defect_prefetched_as_many_batches_as_sequences(
      self, tmp_path, monkeypatch):
    # 476 MB on JSB at batch size 4. Here: the batch that is asked for, two that
    # are ready, one in the making, and what the workers hold in their hands.
    path = _write(tmp_path, _numbered_sequences(229))
    decoded = []
    decode = pianorolls.decode
    monkeypatch.setattr(
        pianorolls, "decode",
        lambda *args: decoded.append(1) or decode(*args))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      batch = datasets.create_pianoroll_dataset(
          path, "train", 4, repeat=True, num_parallel_calls=2)
      for step in (1, 2):
        session.run(batch)
        ahead = final_length(decoded) - 4 * step
        assert ahead <= 4 * (batching.MAX_PREFETCHED_BATCHES + 1) + 2 * 2

  def test_split_is_held_as_bits(self, tmp_path):
    contents = {"train": [[(60, 64, 67)] * 1000] * 3}
    encoded = pianorolls.encode_split(contents, "train", "p")
    assert sum(x.nbytes for x in encoded) == 3 * 1000 * 11


class TestErrors:

  @pytest.mark.parametrize("contents, kwargs, words", [
      ({}, {"split": "trian"}, "has no split 'trian', only 'train'"),
      ({"test": []}, {"split": "test"}, "split 'test' has no sequences"),
      ({"test": [[(60,)], []]}, {"split": "test"},
       "split 'test', sequence 1 has length 0"),
      ({"train": [[(60,)], [(), (20, 60)]]}, {},
       "split 'train', sequence 1, step 1: note 20 is outside [21, 108]"),
      ({"train": [[(60,)]]}, {"min_note": 61, "max_note": 148},
       "note 60 is outside [61, 148]"),
      ({"train_mean": np.full([88], np.nan)}, {}, "train_mean[0] is nan"),
      ({"train_mean": np.zeros([88])}, {"min_note": 20},
       "train_mean has shape [88], not [89]"),
  ])
  def test_bad_file_before_any_op(self, tmp_path, contents, kwargs, words):
    path = _write(tmp_path, **contents)
    with tf.Graph().as_default() as graph:
      with pytest.raises(UserError) as error:
        datasets.create_pianoroll_dataset(
            path, batch_size=4, **dict({"split": "train"}, **kwargs))
      assert not graph.get_operations()
    assert str(error.value).startswith("--dataset_path=%s: " % path)
    assert words in str(error.value)

  def test_missing_mean_names_the_command(self, tmp_path):
    path = str(tmp_path / "rolls.pkl")
    pianorolls.save(path, {"train": [[(60,)]]})
    with pytest.raises(UserError, match=(
        "calculate_pianoroll_mean.py --in_file=" + path)):
      datasets.create_pianoroll_dataset(path, "train", 4)

  @pytest.mark.parametrize("name", ["missing.pkl", ""])
  def test_missing_file(self, tmp_path, name):
    path = os.path.join(str(tmp_path), name) if name else ""
    with pytest.raises(UserError, match="--dataset_path=%s: no such" % path):
      datasets.create_pianoroll_dataset(path, "train", 4)

  @pytest.mark.parametrize("kwargs, words", [
      ({"batch_size": 0}, "batch_size=0: must be an integer of at least 1"),
      ({"batch_size": 1.5}, "batch_size=1.5"),
      ({"skip": -1}, "skip=-1: must be an integer of at least 0"),
      ({"num_parallel_calls": 0}, "num_parallel_calls=0"),
      ({"min_note": 60, "max_note": 59}, "max_note=59"),
      ({"min_note": -1}, "min_note=-1"),
  ])
  def test_bad_arguments(self, tmp_path, kwargs, words):
    path = _write(tmp_path)
    with tf.Graph().as_default(), pytest.raises(UserError) as error:
      datasets.create_pianoroll_dataset(
          path, "train", **dict({"batch_size": 4}, **kwargs))
    assert words in str(error.value)

  def test_other_errors_are_not_taken_for_the_users(self):
    error = tf.errors.InvalidArgumentError(None, None, "assertion failed: [x]")
    assert batching.find_user_error(error) is None


def test_other_datasets_are_here():
  assert callable(datasets.create_speech_dataset)
  assert callable(datasets.create_chain_graph_dataset)
  assert datasets.DEFAULT_PARALLELISM == 12
  assert datasets.OBSERVATION_TYPES == [
      datasets.SQUARED_OBSERVATION, datasets.ABS_OBSERVATION,
      datasets.STANDARD_OBSERVATION] == ["squared", "abs", "standard"]
  assert datasets.TRANSITION_TYPES == [
      datasets.ROUND_TRANSITION, datasets.STANDARD_TRANSITION] == [
          "round", "standard"]
