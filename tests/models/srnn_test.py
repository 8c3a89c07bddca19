"""Tests of the stochastic recurrent neural network."""

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from tests.models import recurrent_test as common
from tests.models.base_test import variables_of
from tests.smc_test import new_session


@pytest.mark.parametrize("emission,proposal,tilt,options", [
    ("normal", "prior", False, {}),
    ("normal", "filtering", True, {"sigma_min": .9, "raw_sigma_bias": -.5}),
    ("bernoulli", "filtering", False, {"emission_bias_init": -1.5}),
    ("normal", "smoothing", False, {}),
    ("bernoulli", "smoothing", True, {}),
])
def test_steps_agree_with_numpy(emission, proposal, tilt, options):
  """Weights and states, with given noise and sequences of mixed lengths."""
  common.assert_steps_agree("srnn", emission, proposal, tilt, **options)


def test_sampling_goes_on_where_the_filter_ended():
  """The RNN's state after a prefix was still zero in the original."""
  common.assert_sampling_goes_on("srnn")


def test_the_bounds_final_state_has_read_the_prefix():
  """The same of the state that comes out of the particle filter's loop."""
  xs = common.observations()
  with new_session() as session:
    model = common.create("srnn")
    final_state = bounds.fivo(model, xs, [4, 4, 4], num_samples=2).final_state
    variables = variables_of(session)
    final_state = session.run(final_state)
  _, states = common.NumpyModel("srnn", variables).run(
      *xs, [4, 4, 4], np.zeros([4, 3, common.LATENT]))
  for x, y in ((final_state.rnn_state.c, states[-1].cell),
               (final_state.rnn_state.h, states[-1].hidden),
               (final_state.rnn_out, states[-1].hidden)):
    # The network does not depend on the latents: all particles agree.
    np.testing.assert_allclose(x, np.tile(y, [2, 1]), rtol=1e-4, atol=1e-4)


_GENERATIVE = dict(
    common.lstm("forward_rnn/", 6), **dict(
        common.layers("data_encoder", 3, 5, 6),
        **dict(common.layers("latent_encoder", 2, 5, 7),
               **dict(common.layers("prior_fcnet", 4 + 7, 5, 4),
                      **common.layers("generative_fcnet", 7 + 4, 5, 6)))))
_FILTERING = common.layers("approximate_posterior_fcnet", 4 + 7 + 6, 5, 4)
_SMOOTHING = dict(
    common.layers("approximate_posterior_fcnet", 4 + 7 + 4, 5, 4),
    **common.lstm("reverse_rnn/", 4 + 6))
_TILT = common.layers("tilt_fcnet", 4 + 7, 5, 6)


@pytest.mark.parametrize("expected,options", [
    (_GENERATIVE, {"proposal_type": "prior"}),
    (dict(_GENERATIVE, **_FILTERING), {}),
    (dict(_GENERATIVE, **_SMOOTHING), {"proposal_type": "smoothing"}),
    (dict(_GENERATIVE, **dict(_FILTERING, **_TILT)), {"use_tilt": True}),
    (dict(_GENERATIVE, **dict(_SMOOTHING, **_TILT)),
     {"proposal_type": "smoothing", "use_tilt": True}),
])
def test_variables_are_the_checkpoints(expected, options):
  """Names and shapes, so that the original's checkpoints restore."""
  assert common.shapes_of_variables("srnn", run=True, **options) == expected


def test_variables_of_sampling_alone():
  """A model that is only sampled from restores from the same checkpoint."""
  assert common.shapes_of_variables("srnn", run=False) == _GENERATIVE


def test_the_recurrent_network_runs_before_the_filter():
  """Once per sequence, not once per particle."""
  with tf.Graph().as_default() as graph:
    bounds.fivo(common.create("srnn"), common.observations(), common.LENGTHS,
                num_samples=7)
    cells = [op for op in graph.get_operations()
             if op.type == "LSTMBlockCell"]
    assert len(cells) == 1
    assert cells[0].inputs[0].shape.as_list()[0] == len(common.LENGTHS)


def test_run_rnn_takes_what_has_been_encoded():
  """With observations set, it goes on with the same network."""
  encoded = np.random.RandomState(3).normal(size=[3, 6])
  with new_session() as session:
    model = common.create("srnn")
    model.set_observations(common.observations(dtype=np.float64),
                           common.LENGTHS)
    output, state = model.run_rnn(
        model.rnn_cell.zero_state(3, tf.float64), tf.constant(encoded))
    variables = variables_of(session)
    output, state = session.run([output, state])
  cell, hidden = common.NumpyModel("srnn", variables)._lstm(
      "forward_rnn/", encoded, *np.zeros([2, 3, common.HIDDEN]))
  np.testing.assert_allclose(output, hidden, rtol=1e-9)
  np.testing.assert_allclose(state.h, hidden, rtol=1e-9)
  np.testing.assert_allclose(state.c, cell, rtol=1e-9)
