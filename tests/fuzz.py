"""Strategies and settings that the fuzz tests share.

Hypothesis draws what an error may hide in: sizes, scales, and where a special
value lies. The many numbers in between come from NumPy, by a drawn seed, since
drawing each by itself would take longer than the tests. FIVO_LONG_TESTS=1 tries
fifty times as many examples.
"""

import os

import hypothesis
from hypothesis import strategies as st
import numpy as np

INF = float("inf")
NAN = float("nan")

_EXAMPLES_FACTOR = 50 if os.environ.get("FIVO_LONG_TESTS") == "1" else 1

SEEDS = st.integers(0, 2**32 - 1)
# Differences that vanish beside one; usual ones; those whose exp overflows;
# those whose sums are close to the largest float32.
SCALES = st.sampled_from([0., 1e-30, 1e-3, 1., 30., 1e4, 1e30])


def settings(max_examples):
  """Hypothesis' settings: the same examples in every run."""
  return hypothesis.settings(
      max_examples=max_examples * _EXAMPLES_FACTOR, deadline=None,
      derandomize=True, database=None,
      suppress_health_check=[hypothesis.HealthCheck.too_slow,
                             hypothesis.HealthCheck.data_too_large])


@st.composite
def log_weights(draw, shape, specials=(-INF,)):
  """Draws log weights of any scale, with special values among them.

  Args:
    draw: Hypothesis' way to draw.
    shape: The shape, `[..., B]` with the filters last.
    specials: The special values. One may fill a filter, or be a single entry.

  Returns:
    A float64 array.
  """
  rng = np.random.RandomState(draw(SEEDS))
  offset = draw(st.sampled_from([-1., 0., 1.])) * draw(SCALES)
  values = offset + draw(SCALES) * rng.normal(size=shape)
  for index, value in draw(st.lists(
      st.tuples(st.integers(0, 2**16), st.sampled_from(specials)),
      max_size=4)):
    if values.size:
      values.flat[index % values.size] = value
  if draw(st.booleans()):
    filter_index = draw(st.integers(0, shape[-1] - 1))
    values[..., filter_index] = draw(st.sampled_from(specials))
  return values


@st.composite
def filter_cases(draw, num_particles, specials=(-INF,)):
  """Draws what particle filters are to be run on.

  Args:
    draw: Hypothesis' way to draw.
    num_particles: N.
    specials: The special values among the weights.

  Returns:
    table: Log incremental weights `[T, N, B]`, whose padding is NaN or
      infinite.
    lengths: The lengths `[B]`, of which the largest is T; zero too.
    decisions: Which filters might resample, `[T, B]` bools.
  """
  lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=4))
  shape = [max(lengths), num_particles, len(lengths)]
  table = draw(log_weights(shape, specials))
  padding = draw(st.sampled_from([NAN, INF, -INF]))
  for b, length in enumerate(lengths):
    table[length:, :, b] = padding
  rng = np.random.RandomState(draw(SEEDS))
  decisions = rng.uniform(size=[shape[0], shape[2]]) < .5
  return table, np.array(lengths), decisions


def replay(table, lengths, resampled):
  """What the weights must be where the filters resampled as they did.

  Args:
    table: Log incremental weights `[T, N, B]`.
    lengths: The lengths `[B]`.
    resampled: Which filters resampled, `[T, B]` bools.

  Returns:
    log_z: An array `[B]`.
    log_weights: An array `[T, B, N]`.
    gradient: Of the sum of log Z in the table, `[T, N, B]`.
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
