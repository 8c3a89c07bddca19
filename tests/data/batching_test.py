"""Tests of the order of sequences and of batching."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import batching
from fivo.data import feeding

_LENGTHS = np.random.RandomState(0).permutation(np.arange(1, 41)) * 3


def _indices(count, order, repeat=True, skip=0, seed=3, batch_size=4):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(1)
    dataset = batching.index_dataset(
        _LENGTHS, batch_size, order, repeat, skip, seed)
    index = tf.compat.v1.data.make_one_shot_iterator(dataset).get_next()
    return [session.run(index) for _ in range(count)]


def test_sorted():
  indices = _indices(40, batching.SORTED, repeat=False)
  assert sorted(indices) == list(range(40))
  assert (np.diff(_LENGTHS[np.array(indices)]) > 0).all()


def test_bucketed():
  indices = _indices(40 * 64, batching.BUCKETED)
  # A bound's expectation over the stream is that of uniform batches. What is
  # still in the shuffling buffer, two windows at most, may be missing.
  assert abs(np.bincount(indices, minlength=40) - 64).max() <= 4
  # It saves padding.
  bucketed, uniform = (
      _LENGTHS[np.array(stream)].reshape([-1, 4]).max(axis=1)
      for stream in (indices, _indices(40 * 64, batching.SHUFFLED)))
  assert uniform.sum() * 4 > 1.3 * _LENGTHS.sum() * 64
  assert bucketed.sum() * 4 < 1.1 * _LENGTHS.sum() * 64
  # Batches come in random order.
  assert .3 < np.mean(np.diff(bucketed) > 0) < .7


@pytest.mark.parametrize("order", [batching.SHUFFLED, batching.BUCKETED])
def test_skip_continues_the_stream(order):
  whole = _indices(300, order)
  assert _indices(100, order, skip=200) == whole[200:]
  assert _indices(300, order, seed=4) != whole


def _batches(sequences, mean, num_batches=None, **options):
  """Batches of one sequence each, as lists of arrays without padding."""
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tensors = batching.batches(
        batching.Sequences([len(x) for x in sequences], sequences.__getitem__,
                           2, mean),
        batch_size=1, repeat=num_batches is not None,
        options=batching.Options(**options))
    return [[x[:, 0] for x in batch[:2]] for batch in itertools.islice(
        feeding.batches(session, tensors[:2]), num_batches)]


@pytest.mark.parametrize("mean", [[.25, .5], None])
def test_pieces_are_the_sequence(mean):
  """Their inputs too: only the first of all has nothing before it."""
  random = np.random.RandomState(1)
  sequences = [random.rand(n, 2).astype(np.float32) for n in (7, 2)]
  whole = _batches(sequences, mean)
  pieces = _batches(sequences, mean, max_length=3)
  assert [len(targets) for _, targets in pieces] == [2, 2, 3, 2]
  for i in range(2):  # Inputs and targets.
    np.testing.assert_array_equal(
        np.concatenate([piece[i] for piece in pieces]),
        np.concatenate([sequence[i] for sequence in whole]))


def test_input_dropout():
  ones = [np.ones([2000, 2], np.float32)]
  runs = [_batches(ones, [.25, .5], 2, input_dropout=.2, seed=5)
          for _ in range(2)]
  for inputs, targets in runs[0]:
    assert targets.all()
    assert not inputs[0].any()  # There is nothing before the first.
    is_dropped = inputs[1:] == [-.25, -.5]
    assert (is_dropped | (inputs[1:] == [1., .75])).all()
    # 3998 draws: the standard error is 0.0063.
    assert abs(is_dropped.mean() - .2) < 4 * .0063
    assert abs((is_dropped[:, 0] == is_dropped[:, 1]).mean() - .68) < .04
  np.testing.assert_array_equal(*runs)
  assert (runs[0][0][0] != runs[0][1][0]).any()
