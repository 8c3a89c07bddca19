"""Tests of what criteria are called; tests/smc_test.py has the others."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import smc
from fivo.resampling import criteria
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
      evaluate(lambda: criterion(tf.constant(np.log(weights)), 0)), expected)


def test_never_is_the_criterion_that_the_filter_knows():
  assert criteria.by_name("never") is smc.never_resample_criterion
