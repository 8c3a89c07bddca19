"""Exact and statistical tests of the autoregressive emission."""

import itertools

import numpy as np
import pytest
from scipy import stats
import tensorflow as tf

from fivo.models import autoregressive

_CONDITIONS = np.array([[.5, -1.], [0., 2.]], np.float32)
# How often, in seeds, a right sampler fails.
_ERROR_RATE = 1e-4


class _Emission(object):
  """A distribution of random weights, and what it computes of a condition."""

  def __init__(self, size, hidden_layer_sizes=(3,), bias_init=0.25):
    self._x = tf.compat.v1.placeholder(tf.float32, [None, size])
    self._condition = tf.compat.v1.placeholder(tf.float32, [None, 2])
    distribution = autoregressive.ConditionalAutoregressiveDistribution(
        size, hidden_layer_sizes, bias_init=bias_init, name="notes")(
            *tf.split(self._condition, 2, axis=1))
    self._log_probs = distribution.log_prob(self._x)
    self._samples = distribution.sample(seed=3)
    self._session = tf.compat.v1.Session()
    rng = np.random.RandomState(1)
    self.weights = {}
    for variable in tf.compat.v1.trainable_variables():
      value = rng.normal(size=variable.shape)
      self.weights[variable.op.name] = value
      variable.load(value, self._session)

  def log_probs(self, x, condition):
    """The log probability of each entry of rows x, given one condition."""
    return self._session.run(self._log_probs, {
        self._x: x, self._condition: np.tile(condition, [len(x), 1])})

  def samples(self, num_rows, condition):
    return self._session.run(self._samples, {
        self._condition: np.tile(condition, [num_rows, 1])})


def _all(size):
  """All observations, `[2 ** size, size]`."""
  return np.array(list(itertools.product([0, 1], repeat=size)), np.float32)


@pytest.mark.parametrize("size, hidden_layer_sizes, bias_init", [
    (5, [3], .25), (6, [4, 2], .25), (1, [3], .25), (2, [], .25),
    (3, [3], -1e3)])
def test_probabilities_sum_to_one(size, hidden_layer_sizes, bias_init):
  emission = _Emission(size, hidden_layer_sizes, bias_init)
  for condition in _CONDITIONS:
    log_probs = emission.log_probs(_all(size), condition)
    assert log_probs.shape == (2 ** size, size)
    np.testing.assert_allclose(
        np.exp(log_probs.sum(axis=1)).sum(), 1., rtol=1e-5)
    assert log_probs.min() > -autoregressive.MAX_LOGIT - 1e-3


def _conditional_log_prob(weights, lower, entry, condition, bias):
  """log p(x_i | x_1, ..., x_{i-1}, c), from the equations, unit by unit."""
  i = len(lower)
  features = np.maximum(condition @ weights["notes_fcnet/linear_0/w"] +
                        weights["notes_fcnet/linear_0/b"], 0.)
  w, b = [weights["notes_made/hidden/" + name] for name in "wb"]
  v, d = [weights["notes_made/logits/" + name] for name in "wb"]
  size = v.shape[1]
  logit = (bias + d[i] + lower @ v[len(b):len(b) + i, i] +
           features @ v[len(b) + size:, i])
  for k, bias_of_unit in enumerate(b):
    num_read = 1 + k % (size - 1)
    if num_read <= i:
      logit += v[k, i] * max(
          0., lower[:num_read] @ w[:num_read, k] + features @ w[size:, k] +
          bias_of_unit)
  logit = np.clip(logit, -15., 15.)
  return -np.logaddexp(0., -logit if entry else logit)


def test_conditionals_agree_with_numpy():
  bias = np.linspace(-1., 1., 5)
  emission = _Emission(5, bias_init=bias)
  for condition in _CONDITIONS:
    expected = [
        [_conditional_log_prob(
            emission.weights, x[:i], x[i], condition, bias[i])
         for i in range(5)] for x in _all(5)]
    np.testing.assert_allclose(
        emission.log_probs(_all(5), condition), expected, rtol=1e-4, atol=1e-5)


def test_samples_have_the_probabilities():
  """By chi-square."""
  emission = _Emission(4)
  for condition in _CONDITIONS:
    samples = emission.samples(20000, condition)
    assert samples.dtype == np.float32
    counts = np.array([(samples == x).all(axis=1).sum() for x in _all(4)])
    assert counts.sum() == 20000
    expected = 20000 * np.exp(
        emission.log_probs(_all(4), condition).sum(axis=1))
    # The test is of cells that may be expected to hold five at least.
    rare = expected < 5.
    counts, expected = [
        np.append(x[~rare], x[rare].sum()) for x in (counts, expected)]
    statistic = ((counts - expected) ** 2 / expected).sum()
    assert stats.chi2.sf(
        statistic, len(counts) - 1) > _ERROR_RATE / len(_CONDITIONS)


def test_samples_settle_in_the_last_pass():
  """Each entry copies the one below it, and the first is as good as one."""
  emission = autoregressive.ConditionalAutoregressiveDistribution(
      7, [2], initializers={"w": tf.compat.v1.zeros_initializer()},
      bias_init=np.array([50.] + [-50.] * 6), name="chain")
  sample = emission(tf.zeros([3, 1])).sample(seed=1)
  with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    weights = np.zeros([8 + 7 + 2, 7])
    weights[8 + np.arange(6), 1 + np.arange(6)] = 100.
    tf.compat.v1.trainable_variables("chain_made/logits/w")[0].load(
        weights, session)
    np.testing.assert_array_equal(session.run(sample), np.ones([3, 7]))
