"""Tests of the diagnostics of particle filters."""

import numpy as np
import tensorflow as tf

from fivo import diagnostics
from tests.smc_test import evaluate


def test_by_hand():
  """Two filters of four particles: one that dies out, one that stays."""
  log_weights = np.log([
      [[1., 1., 1., 1.], [2., 1., 1., 1.]],
      [[1., 0.5, 1e-9, 1e-9], [1., 1., 1., 1.]],
      [[3., 1., 1., 1.], [1., 1., 1., 1.]]])
  resampled = np.array([[0., 0.], [1., 0.], [1., 0.]])
  own = [0, 1, 2, 3]
  ancestors = np.array([[own, own], [[0, 0, 1, 0], own], [[0, 1, 3, 3], own]],
                       np.int32)
  result = evaluate(lambda: diagnostics.diagnose(
      *map(tf.constant, (log_weights, resampled, ancestors)))._asdict())
  weights = np.exp(log_weights)
  weights /= weights.sum(axis=2, keepdims=True)
  np.testing.assert_allclose(result["ess"], 1. / (weights ** 2).sum(axis=2))
  np.testing.assert_array_equal(result["resampled"], resampled)
  np.testing.assert_allclose(
      result["log_weight_variance"], log_weights.var(axis=2))
  np.testing.assert_array_equal(
      result["num_ancestors"], [[4, 4], [2, 4], [3, 4]])
  np.testing.assert_array_equal(result["num_roots"], [[4, 4], [2, 4], [1, 4]])
