"""Properties of the bounds of models whose weights may be zero or no numbers.

A trajectory of the model here weighs what the observations say, so that the
bounds follow by hand.
"""

import functools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.models import base
from tests import fuzz
from tests.fuzz import NAN
from tests.smc_test import unoptimized

_NUM_SAMPLES = 3


class _TableModel(base.ELBOTrainableSequenceModel):
  """Particle n of sequence b weighs x[t, b, n] + parameter at step t."""

  def __init__(self, num_samples, parameter):
    self._num_samples = num_samples
    self._parameter = parameter
    self._observations = None

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def set_observations(self, observations, seq_lengths):
    self._observations = observations

  def propose_and_weight(self, state, t):
    rows = tf.range(tf.size(state))
    particles = rows // (tf.size(state) // self._num_samples)
    weights = tf.gather_nd(
        self._observations[t], tf.stack([rows, particles], axis=1))
    return self._parameter + weights, state


@functools.lru_cache(maxsize=None)
def _graph():
  """All bounds in one session, with Tensors of unknown sizes.

  Returns:
    A function of observations `[T, B, 3]` and lengths `[B]` that gives a dict
    of log p_hat `[B]` of every bound, a dict of the gradients of their sums in
    the model's parameter, and which filters FIVO resampled, `[T, B]`.
  """
  with tf.Graph().as_default() as graph:
    parameter = tf.constant(0.)
    data = [tf.compat.v1.placeholder(tf.float32, [None, None, None]),
            tf.compat.v1.placeholder(tf.int32, [None])]
    model = _TableModel(_NUM_SAMPLES, parameter)
    fivo = functools.partial(
        bounds.fivo, model, *data, num_samples=_NUM_SAMPLES, random_seed=1)
    result = fivo()
    log_p_hats = {
        "elbo": bounds.elbo(_TableModel(1, parameter), *data).log_p_hat,
        "iwae": bounds.iwae(model, *data, num_samples=_NUM_SAMPLES).log_p_hat,
        "fivo": result.log_p_hat,
        "relaxed": fivo(resampling_type="relaxed").log_p_hat}
    gradients = {name: tf.gradients(log_p_hat, parameter)[0]
                 for name, log_p_hat in log_p_hats.items()}
    log_p_hats["all"] = bounds.all_bounds(
        model, *data, num_samples=_NUM_SAMPLES, random_seed=1)
    fetches = log_p_hats, gradients, result.resampled
    session = tf.compat.v1.Session(graph=graph, config=unoptimized())
  return lambda *values: session.run(fetches, dict(zip(data, values)))


def _sums(table, lengths):
  """The log weights of whole trajectories, `[N, B]`."""
  return np.stack([table[:length, :, b].sum(axis=0)
                   for b, length in enumerate(lengths)], axis=1)


@fuzz.settings(100)
@hypothesis.given(fuzz.filter_cases(_NUM_SAMPLES))
def test_weights_of_zero(case):
  """Of one particle or of all: the bounds are right, never NaN."""
  table, lengths, _ = case
  table = table.astype(np.float32)
  log_p_hats, gradients, resampled = _graph()(
      table.transpose([0, 2, 1]), lengths)
  sums = _sums(table, lengths)
  fivo, _, _ = fuzz.replay(table, lengths, resampled > 0)
  iwae, _, _ = fuzz.replay(table, lengths, np.zeros_like(resampled))
  expected = {"elbo": sums[0], "iwae": iwae, "fivo": fivo, "relaxed": fivo,
              "all": (sums.mean(axis=0), iwae, fivo)}
  for name, values in expected.items():
    np.testing.assert_allclose(
        log_p_hats[name], values, rtol=1e-5, atol=1e-5, err_msg=name)
  for name, gradient in gradients.items():
    if np.isfinite(expected[name]).all():
      # The parameter adds to each step of all particles.
      assert gradient == pytest.approx(lengths.sum(), rel=1e-5), name


@fuzz.settings(50)
@hypothesis.given(fuzz.filter_cases(_NUM_SAMPLES, (NAN,)))
def test_nan_weights_make_the_bound_nan_and_no_other(case):
  table, lengths, _ = case
  log_p_hats, _, _ = _graph()(table.transpose([0, 2, 1]), lengths)
  is_nan = np.isnan(_sums(table, lengths))
  np.testing.assert_array_equal(np.isnan(log_p_hats["elbo"]), is_nan[0])
  for name in ("iwae", "fivo", "relaxed"):
    np.testing.assert_array_equal(
        np.isnan(log_p_hats[name]), is_nan.any(axis=0), err_msg=name)
  for log_p_hat in log_p_hats["all"]:
    np.testing.assert_array_equal(np.isnan(log_p_hat), is_nan.any(axis=0))


def test_defect_all_bounds_of_empty_sequences_were_an_index_error():
  log_p_hats, _, _ = _graph()(np.zeros([0, 2, _NUM_SAMPLES]), [0, 0])
  for log_p_hat in log_p_hats["all"]:
    np.testing.assert_array_equal(log_p_hat, [0., 0.])
