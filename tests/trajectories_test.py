"""Tests of ancestors, and of trajectories that are put together by them."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import resampling
from fivo import smc
from tests.smc_test import evaluate
from tests.smc_test import new_session
from tests.smc_test import rotate

_LENGTHS = [5, 2]


def _paths(state, t):
  """Particles that carry the way by which they came, `[N*B, T]`."""
  if state is None:
    return tf.zeros([6, 5])
  step = tf.one_hot(t, 5) * tf.cast(
      1 + 100 * t + tf.range(6)[:, tf.newaxis], tf.float32)
  return 3. * tf.sin(tf.cast(7 * t + tf.range(6), tf.float32)), state + step


def _run(criterion=smc.always_resample_criterion,
         resampling_fn=smc.multinomial_resampling):
  return smc.smc(_paths, _LENGTHS, 3, criterion, resampling_fn)


@pytest.mark.parametrize("criterion", [
    smc.always_resample_criterion, smc.ess_criterion,
    smc.never_resample_criterion])
def test_trajectories_are_the_ways_that_particles_carry(criterion):
  def build():
    result = _run(criterion)
    steps = tf.reduce_max(result.particle_states, axis=2)
    return (result.final_particle_state,
            smc.trajectories([steps], result.ancestors), result.resampled)

  paths, (trajectories,), resampled = evaluate(build, seed=1)
  np.testing.assert_array_equal(trajectories, paths.T)
  assert len(np.unique(paths, axis=0)) == 6 or resampled.any()


def test_ancestors():
  """Where a filter has not resampled, or has ended, each is its own."""
  def build():
    result = _run()
    return result.ancestors, result.particle_states, result.resampled

  ancestors, states, resampled = evaluate(build, seed=1)
  assert ancestors.dtype == np.int32
  assert ancestors.shape == (5, 2, 3)
  assert resampled.any()
  for t, b in np.ndindex(5, 2):
    if not resampled[t, b]:
      np.testing.assert_array_equal(ancestors[t, b], range(3))
    rows = 2 * ancestors[t, b] + b
    np.testing.assert_array_equal(
        states[t, b::2, t] % 100, (1 + rows) % 100)


@pytest.mark.parametrize("resampling_fn", [
    rotate, resampling.relaxed_resampling])
def test_no_ancestors_where_none_are_told(resampling_fn):
  with tf.Graph().as_default():
    assert _run(resampling_fn=resampling_fn).ancestors is None


def test_recording_costs_nothing_in_a_run_that_does_not_fetch_it():
  with new_session() as session:
    result = _run()
    names = []
    for fetches in (result.log_z_hat, [result.log_z_hat, result.ancestors,
                                       result.particle_states]):
      metadata = tf.compat.v1.RunMetadata()
      session.run(
          fetches, run_metadata=metadata, options=tf.compat.v1.RunOptions(
              output_partition_graphs=True))
      names.append([
          node.name for graph in metadata.partition_graphs
          for node in graph.node if node.op == "TensorArrayWriteV3"])
  assert len(names[1]) == len(names[0]) + 4, (
      "two arrays more, each with an entry before the loop")
