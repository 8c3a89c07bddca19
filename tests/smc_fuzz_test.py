"""Properties of the particle filter for weights and lengths of any kind.

Each filter weighs its particles by a table that is fed, and its particles know
their rows, so that whatever the loop did can be done again in NumPy.
"""

import functools

import hypothesis
from hypothesis import strategies as st
import numpy as np
import tensorflow as tf

from fivo import smc
from tests import fuzz
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import unoptimized

# A graph for each of them.
_KINDS = [
    (1, "ess", "float32"), (3, "ess", "float32"), (3, "never", "float32"),
    (3, "always", "float32"), (3, "fed", "float32"), (2, "fed", "float64"),
    (1000, "ess", "float32")]


@st.composite
def _cases(draw, num_particles, specials):
  """Log incremental weights `[T, N, B]`, lengths, who resamples `[T, B]`."""
  lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
  shape = [max(lengths), num_particles, len(lengths)]
  table = draw(fuzz.log_weights(shape, specials))
  padding = draw(st.sampled_from([NAN, INF, -INF]))
  for b, length in enumerate(lengths):
    table[length:, :, b] = padding
  rng = np.random.RandomState(draw(fuzz.SEEDS))
  return table, np.array(lengths), rng.uniform(size=shape[::2]) < .5


def _replay(table, lengths, resampled):
  """What must come of a table `[T, N, B]`, by where filters resampled `[T, B]`.

  log Z `[B]`, log weights `[T, B, N]`, and the gradient of the sum of log Z by
  the table.
  """
  log_weights = np.zeros_like(table)
  gradient = np.zeros_like(table)
  log_z = np.zeros(len(lengths))
  for b, length in enumerate(lengths):
    start = 0
    for t in range(len(table)):
      if t < length:
        log_weights[t, :, b] = table[t, :, b]
      if t > start:
        log_weights[t, :, b] += log_weights[t - 1, :, b]
      if resampled[t, b] or t == len(table) - 1:
        log_average, shares = _log_average(log_weights[t, :, b])
        log_z[b] += log_average
        gradient[start:min(t + 1, length), :, b] = shares
        start = t + 1
  return log_z, np.transpose(log_weights, [0, 2, 1]), gradient


def _log_average(log_weights):
  """The log of the average weight, and each particle's share of the sum."""
  largest = log_weights.max()
  if not np.isfinite(largest):
    return largest, NAN
  weights = np.exp(np.float64(log_weights) - largest)
  return largest + np.log(weights.mean()), weights / weights.sum()


@functools.lru_cache(maxsize=None)
def _filters(num_particles, criterion, dtype):
  """A function of what `_cases` draws that runs filters, in one session."""
  with tf.Graph().as_default() as graph:
    table = tf.compat.v1.placeholder(dtype, [None, None])
    lengths = tf.compat.v1.placeholder(tf.int32, [None])
    decisions = tf.compat.v1.placeholder(tf.bool, [None, None])
    rows = tf.range(tf.shape(table)[1])

    def transition(state, t):
      # States of mixed dtype; the first float is that of the weights.
      if state is None:
        return [(tf.zeros_like(rows, tf.int64), rows),
                tf.cast(rows, table.dtype), {"bool": tf.equal(rows, 0)}]
      return table[t], [(state[0][0] + 1, rows)] + state[1:]

    result = smc.smc(
        transition, lengths, num_particles,
        (lambda log_weights, t: decisions[t]) if criterion == "fed" else
        getattr(smc, criterion + (
            "_criterion" if criterion == "ess" else "_resample_criterion")))
    fetches = dict(
        result._asdict(), ancestors=result.ancestors,
        rows=result.particle_states[0][1],
        gradient=tf.gradients(result.log_z_hat, table)[0])
    session = tf.compat.v1.Session(graph=graph, config=unoptimized())

  def run(table_, lengths_, decisions_):
    rows_shape = [len(table_), num_particles * len(lengths_)]
    values = session.run(fetches, {
        table: table_.reshape(rows_shape), lengths: lengths_,
        decisions: decisions_})
    for name in ("rows", "gradient"):
      values[name] = values[name].reshape(table_.shape)
    return values

  return run


def _assert_criterion(criterion, result, lengths, decisions):
  """Checks which filters resampled, but for an ESS of nearly N / 2."""
  runs = np.arange(len(decisions))[:, np.newaxis] < lengths
  resampled = result["resampled"]
  if criterion != "ess":
    chosen = {"never": False, "always": True, "fed": decisions}[criterion]
    np.testing.assert_array_equal(resampled, chosen & runs)
    return
  log_weights = result["log_weights"].astype(np.float64)
  weights = np.exp(log_weights - log_weights.max(axis=2, keepdims=True))
  share = (weights.sum(axis=2)**2 / (weights**2).sum(axis=2) /
           weights.shape[2])  # NaN where no weight is possible.
  clear = np.abs(share - .5) > 1e-4
  np.testing.assert_array_equal(
      resampled[clear], ((share <= .5) & runs)[clear])


def _assert_ancestors(result, resampled):
  """Checks that ancestors are of their filter, and none has weight zero."""
  ancestors, log_weights = result["ancestors"], result["log_weights"]
  batch_size, num_particles = log_weights.shape[1:]
  np.testing.assert_array_equal(  # Of the states, as they were moved.
      result["rows"], ancestors.transpose([0, 2, 1]) * batch_size + np.arange(
          batch_size))
  assert ((ancestors >= 0) & (ancestors < num_particles)).all()
  assert (ancestors[~resampled] == np.arange(num_particles)).all()
  of_ancestors = np.take_along_axis(log_weights, ancestors, axis=2)
  has_possible = (log_weights > -INF).any(axis=2)
  assert (of_ancestors[resampled & has_possible] > -INF).all()


@fuzz.settings(160)
@hypothesis.given(st.data(), st.sampled_from(_KINDS), st.booleans())
def test_filters_equal_their_replay(data, kind, all_are_numbers):
  """Weights, log Z, resampling, ancestors and gradient.

  A NaN makes log Z NaN; plus infinity makes it infinite or NaN. Neither touches
  another filter.
  """
  num_particles, criterion, dtype = kind
  table, lengths, decisions = data.draw(_cases(
      num_particles, [-INF] if all_are_numbers else [NAN, INF, -INF]))
  table = table.astype(dtype)
  result = _filters(*kind)(table, lengths, decisions)
  resampled = result["resampled"] > 0
  with np.errstate(invalid="ignore"):
    log_z, log_weights, gradient = _replay(table, lengths, resampled)
    if all_are_numbers:
      _assert_criterion(criterion, result, lengths, decisions)
      _assert_ancestors(result, resampled)
  np.testing.assert_array_equal(result["log_weights"], log_weights)
  assert result["log_z_hat"].dtype == dtype
  steps = result["final_particle_state"][0][0]
  np.testing.assert_array_equal(steps, np.full_like(steps, len(table)))
  for b, length in enumerate(lengths):
    increments = table[:length, :, b]
    if np.isnan(increments).any():
      assert np.isnan(result["log_z_hat"][b])
    elif (increments == INF).any():
      assert not result["log_z_hat"][b] < INF
    else:
      np.testing.assert_allclose(
          result["log_z_hat"][b], log_z[b], rtol=1e-5, atol=1e-5)
      if np.isfinite(log_z[b]):
        np.testing.assert_allclose(
            result["gradient"][:, :, b], gradient[:, :, b], atol=1e-5)
