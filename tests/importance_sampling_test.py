"""Tests of emissions that are weighed after the loop."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from tests.models import recurrent_test
from tests.smc_test import evaluate


class _InLoop(object):
  """A model that weighs its emissions in the loop, as any other does."""

  def __init__(self, model):
    self.zero_state = model.zero_state
    self.set_tiled_observations = model.set_tiled_observations
    self.propose_and_weight = model.propose_and_weight


def _bound_and_gradients(kind, proposal_type, emission, wrap):
  """The bound, its weights and its gradients, of the same random numbers."""
  def compute():
    model = recurrent_test.create(
        kind, emission, proposal_type=proposal_type, random_seed=3,
        initializers={"w": tf.compat.v1.glorot_uniform_initializer(seed=4),
                      "b": tf.compat.v1.zeros_initializer()})
    bound = bounds.iwae(
        wrap(model), recurrent_test.observations(), recurrent_test.LENGTHS,
        num_samples=5)
    gradients = tf.gradients(
        tf.reduce_sum(bound.log_p_hat), tf.compat.v1.trainable_variables())
    return [bound.log_p_hat, bound.log_weights] + list(
        bound.final_state) + gradients

  return evaluate(compute, seed=5)


@pytest.mark.parametrize("kind, proposal_type, emission", [
    ("vrnn", "filtering", "bernoulli"), ("vrnn", "prior", "normal"),
    ("srnn", "smoothing", "normal")])
def test_equals_weighing_in_the_loop(kind, proposal_type, emission):
  arguments = kind, proposal_type, emission
  for value, expected in zip(
      _bound_and_gradients(*arguments, wrap=lambda model: model),
      _bound_and_gradients(*arguments, wrap=_InLoop)):
    for one, other in zip(tf.nest.flatten(value), tf.nest.flatten(expected)):
      np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [[0, 0, 0], [2, 0, 3]])
def test_batches_of_unknown_size(lengths):
  """Longer than their longest sequence, and maybe empty."""
  values = recurrent_test.observations()

  def compute():
    model = recurrent_test.create("vrnn")
    observations = [
        tf.compat.v1.placeholder_with_default(
            x, [None, None, recurrent_test.DATA]) for x in values]
    bound = bounds.iwae(
        model, observations, tf.compat.v1.placeholder_with_default(
            lengths, [None]), num_samples=2)
    return bound.log_p_hat, bound.log_weights

  log_p_hat, log_weights = evaluate(compute)
  assert log_weights.shape == (max(lengths), 3, 2)
  assert log_p_hat[1] == 0.
  assert (log_p_hat != 0.).tolist() == [n > 0 for n in lengths]
  if max(lengths):
    np.testing.assert_array_equal(log_weights[2:, 0], log_weights[1:2, 0])


def test_a_tilt_is_weighed_in_the_loop():
  assert recurrent_test.create("srnn").weighs_emissions_later
  assert not recurrent_test.create("srnn", use_tilt=True).weighs_emissions_later
