"""Tests of resampling criteria."""

import inspect

import numpy as np
import pytest
import tensorflow as tf

from fivo import smc
from fivo.resampling import criteria
from tests.fuzz import INF
from tests.fuzz import NAN
from tests.smc_test import evaluate


@pytest.mark.parametrize("name, threshold, expected", [
    ("ess", .5, [False, False, True]), ("ess", .7, [False, True, True]),
    ("ess", 1., [True, True, True]), ("always", .5, [True] * 3),
    ("never", .5, [False] * 3)])
def test_by_name(name, threshold, expected):
  """Of four particles, effective sample sizes of 4, 2.67 and 1."""
  weights = np.array([[1., 1., 1.], [1., 1., 1e-9], [1., 2., 1e-9],
                      [1., 1e-9, 1e-9]])
  criterion = criteria.by_name(name, threshold)
  np.testing.assert_array_equal(
      evaluate(lambda: criterion(tf.constant(np.log(weights)), 3)), expected)


@pytest.mark.parametrize("weights, expected", [
    ([1., 1., 1., 1.], False), ([1., 1e-6, 1e-6, 1e-6], True),
    ([1., 1., 0., 0.], True),  # An ESS of exactly N / 2.
    ([1., 1., 1e-2, 0.], False), ([3.], False),
    # Two particles: that of FIVO is IWAE.
    ([1., np.exp(5.)], False), ([np.exp(-3.), 1.], False)])
@pytest.mark.parametrize("shift, dtype", [
    (0., np.float32), (1e4, np.float64), (-1e4, np.float32)])
def test_ess(weights, expected, shift, dtype):
  """Whatever the scale."""
  with np.errstate(divide="ignore"):
    log_weights = (np.log(weights) + shift)[:, np.newaxis].astype(dtype)
  assert evaluate(lambda: smc.ess_criterion(log_weights, 0)) == [expected]


@pytest.mark.parametrize("log_weights, expected", [
    (np.float32([[-INF, NAN, -INF, 0.], [-INF, 0., 0., 0.],
                 [-INF, 0., -INF, NAN]]), [False, False, True, False]),
    # The square of N overflows where N is 1000.
    (np.where(np.arange(1000)[:, np.newaxis] < [1000, 600, 400],
              np.float16(0.), np.float16(-INF)), [False, False, True])])
def test_ess_of_unusable_weights_or_half_precision(log_weights, expected):
  np.testing.assert_array_equal(
      evaluate(lambda: smc.ess_criterion(log_weights, 0)), expected)


def test_names_of_arguments():
  for criterion in (smc.ess_criterion, smc.never_resample_criterion,
                    smc.always_resample_criterion):
    assert list(inspect.signature(criterion).parameters)[:2] == [
        "log_weights", "unused_t"]
