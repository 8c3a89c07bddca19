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
def log_weights(draw, shape, specials):
  """Draws log weights of any scale, an array of a shape `[..., B]`.

  A special value may be a single entry, or fill a filter.
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
