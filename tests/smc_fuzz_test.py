"""Properties of the particle filter for weights and lengths of any kind.

Each filter weighs its particles by a table that is fed, and its particles know
their rows, so that whatever the loop did can be done again in NumPy.
"""

import functools

import hypothesis
from hypothesis import strategies as st
import numpy as np
import pytest
import tensorflow as tf

from fivo import smc
from tests import fuzz
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import unoptimized

_DTYPES = {"float32": tf.float32, "float64": tf.float64}
# A graph for each of them.
_KINDS = [(num_particles, criterion, dtype)
          for num_particles, criteria, dtype in [
              (1, ("ess", "fed"), "float32"),
              (3, ("ess", "never", "always", "fed"), "float32"),
              (2, ("ess", "fed"), "float64"),
              (1000, ("ess",), "float32")]
          for criterion in criteria]
_FETCHES = ("log_z_hat", "log_weights", "resampled", "ancestors", "num_steps",
            "gradient")


class _Filters(object):
  """Particle filters of unknown sizes in a session of their own."""

  def __init__(self, num_particles, criterion, dtype):
    with tf.Graph().as_default() as graph:
      dtype = _DTYPES[dtype]
      self._increments = tf.compat.v1.placeholder(dtype, [None, None])
      self._lengths = tf.compat.v1.placeholder(tf.int32, [None])
      self._decisions = tf.compat.v1.placeholder(tf.bool, [None, None])
      result = smc.smc(
          self._transition, self._lengths, num_particles,
          self._criterion(criterion), loop_fn=self._record_ancestors)
      (steps, _), _, _ = result.final_particle_state
      self._fetches = [
          result.log_z_hat, result.log_weights, result.resampled,
          result.final_loop_state.stack()[1:], steps,
          tf.gradients(result.log_z_hat, self._increments)[0]]
      self._session = tf.compat.v1.Session(graph=graph, config=unoptimized())

  def _transition(self, state, t):
    """States of mixed dtype; the first float is that of the weights."""
    rows = tf.range(tf.shape(self._increments)[1])
    if state is None:
      return [(tf.zeros_like(rows, tf.int64), rows),
              tf.cast(rows, self._increments.dtype),
              {"bool": tf.equal(rows, 0),
               "matrix": tf.zeros([tf.size(rows), 2], tf.float16)}]
    (steps, _), *others = state
    return self._increments[t], [(steps + 1, rows)] + others

  def _criterion(self, name):
    if name == "fed":
      return lambda log_weights, t: self._decisions[t]
    return {"ess": smc.ess_criterion, "never": smc.never_resample_criterion,
            "always": smc.always_resample_criterion}[name]

  def _record_ancestors(self, loop_state, unused_args, state, *args):
    if loop_state is None:
      # No array is empty: an empty one has no shape.
      return tf.TensorArray(tf.int32, 1, dynamic_size=True).write(
          0, tf.range(tf.shape(self._increments)[1]))
    return loop_state.write(args[-1] + 1, state[0][1])

  def run(self, table, lengths, decisions):
    """Runs the filters.

    Args:
      table: Log incremental weights `[T, N, B]`.
      lengths: The lengths `[B]`, of which the largest is T.
      decisions: Which filters resample at which step by the fed criterion,
        `[T, B]` bools.

    Returns:
      A dict of arrays; "ancestors" are rows `[T, N, B]`.
    """
    num_steps, num_particles, batch_size = table.shape
    values = dict(zip(_FETCHES, self._session.run(self._fetches, {
        self._increments: table.reshape(
            [num_steps, num_particles * batch_size]),
        self._lengths: lengths, self._decisions: decisions})))
    for name in ("ancestors", "gradient"):
      values[name] = values[name].reshape(table.shape)
    return values


_filters = functools.lru_cache(maxsize=None)(_Filters)


def _effective_sample_size(log_weights):
  """Of an array `[T, B, N]`, `[T, B]`; NaN where no weight is possible."""
  weights = np.exp(np.float64(log_weights) -
                   log_weights.max(axis=2, keepdims=True))
  return weights.sum(axis=2)**2 / (weights**2).sum(axis=2)


def _assert_criterion(criterion, result, lengths, decisions):
  """Checks which filters resampled, but for an ESS of nearly N / 2."""
  runs = np.arange(len(decisions))[:, np.newaxis] < lengths
  resampled = result["resampled"]
  if criterion == "ess":
    num_particles = result["log_weights"].shape[2]
    ess = _effective_sample_size(result["log_weights"])
    clear = np.abs(ess / num_particles - .5) > 1e-4
    expected = (ess <= num_particles / 2.) & runs
    np.testing.assert_array_equal(resampled[clear], expected[clear])
  else:
    chosen = {"never": False, "always": True, "fed": decisions}[criterion]
    np.testing.assert_array_equal(resampled, chosen & runs)


def _assert_ancestors(result, resampled, batch_size):
  """Checks that ancestors are in their filter, and none has weight zero."""
  ancestors = result["ancestors"]
  num_particles = ancestors.shape[1]
  particles, filters = ancestors // batch_size, ancestors % batch_size
  assert ((particles >= 0) & (particles < num_particles)).all()
  np.testing.assert_array_equal(
      filters, np.broadcast_to(np.arange(batch_size), filters.shape))
  kept = particles.transpose([0, 2, 1])
  np.testing.assert_array_equal(
      kept[~resampled], np.broadcast_to(
          range(num_particles), kept[~resampled].shape))
  log_weights = result["log_weights"]
  of_ancestors = np.take_along_axis(log_weights, kept, axis=2)
  has_possible = (log_weights > -INF).any(axis=2)
  assert (of_ancestors[resampled & has_possible] > -INF).all()


@fuzz.settings(150)
@hypothesis.given(st.data(), st.sampled_from(_KINDS))
def test_filters_equal_their_replay(data, kind):
  """Weights, log Z, resampling, ancestors and gradient."""
  num_particles, criterion, dtype = kind
  table, lengths, decisions = data.draw(fuzz.filter_cases(num_particles))
  table = table.astype(dtype)
  result = _filters(*kind).run(table, lengths, decisions)
  resampled = result["resampled"] > 0
  with np.errstate(invalid="ignore"):
    log_z, log_weights, gradient = fuzz.replay(table, lengths, resampled)
    _assert_criterion(criterion, result, lengths, decisions)
  np.testing.assert_array_equal(result["log_weights"], log_weights)
  np.testing.assert_allclose(result["log_z_hat"], log_z, rtol=1e-5, atol=1e-5)
  assert not np.isnan(result["log_z_hat"]).any()
  assert result["log_z_hat"].dtype == dtype
  np.testing.assert_array_equal(
      result["num_steps"], np.full([num_particles * len(lengths)], len(table)))
  _assert_ancestors(result, resampled, len(lengths))
  finite = np.isfinite(log_z)
  np.testing.assert_allclose(
      result["gradient"][:, :, finite], gradient[:, :, finite], atol=1e-5)


@fuzz.settings(60)
@hypothesis.given(st.data(), st.sampled_from(_KINDS))
def test_weights_that_are_no_numbers_are_never_silent(data, kind):
  """NaN makes log Z NaN; plus infinity makes it infinite or NaN.

  Neither touches another filter.
  """
  num_particles, _, dtype = kind
  table, lengths, decisions = data.draw(
      fuzz.filter_cases(num_particles, [NAN, INF, -INF]))
  table = table.astype(dtype)
  result = _filters(*kind).run(table, lengths, decisions)
  with np.errstate(invalid="ignore"):
    log_z, log_weights, gradient = fuzz.replay(
        table, lengths, result["resampled"] > 0)
  np.testing.assert_array_equal(result["log_weights"], log_weights)
  for b, length in enumerate(lengths):
    increments = table[:length, :, b]
    if np.isnan(increments).any():
      assert np.isnan(result["log_z_hat"][b])
    elif (increments == INF).any():
      assert not result["log_z_hat"][b] < INF
    else:
      assert result["log_z_hat"][b] == pytest.approx(
          log_z[b], rel=1e-5, abs=1e-5)
      if np.isfinite(log_z[b]):
        np.testing.assert_allclose(
            result["gradient"][:, :, b], gradient[:, :, b], atol=1e-5)


def test_defect_empty_sequences_alone_had_no_shape():
  """An empty TensorArray has none where the batch size is not known."""
  table = np.zeros([0, 3, 2], np.float32)
  result = _filters(3, "ess", "float32").run(
      table, [0, 0], np.zeros([0, 2], bool))
  np.testing.assert_array_equal(result["log_z_hat"], [0., 0.])
  assert result["log_weights"].shape == (0, 2, 3)
  assert result["resampled"].shape == (0, 2)
