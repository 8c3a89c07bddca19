"""Tests of the variational recurrent neural network."""

import os

import pytest
import tensorflow as tf

from fivo import bounds
from fivo.models import base
from fivo.models import vrnn
from tests.models import recurrent_test as common

_CHECKPOINT = os.path.join(
    os.path.dirname(__file__), "..", "..", "..", "shared", "reference",
    "vrnn_jsb_checkpoint")


@pytest.mark.parametrize("emission,proposal,tilt,options", [
    ("normal", "prior", False, {}),
    ("normal", "filtering", True, {"sigma_min": .9, "raw_sigma_bias": -.5}),
    ("bernoulli", "filtering", False, {"emission_bias_init": -1.5}),
    ("normal", "smoothing", False, {}),
    ("bernoulli", "smoothing", True, {}),
])
def test_steps_agree_with_numpy(emission, proposal, tilt, options):
  """Weights and states, with given noise and sequences of mixed lengths."""
  common.assert_steps_agree("vrnn", emission, proposal, tilt, **options)


def test_sampling_goes_on_where_the_filter_ended():
  common.assert_sampling_goes_on("vrnn")


_GENERATIVE = dict(
    common.lstm("", 6 + 7), **dict(
        common.layers("data_encoder", 3, 5, 6),
        **dict(common.layers("latent_encoder", 2, 5, 7),
               **dict(common.layers("prior_fcnet", 4, 5, 4),
                      **common.layers("generative_fcnet", 7 + 4, 5, 6)))))
_FILTERING = common.layers("approximate_posterior_fcnet", 4 + 6, 5, 4)
_SMOOTHING = dict(common.layers("approximate_posterior_fcnet", 4 + 4, 5, 4),
                  **common.lstm("rnn/", 6))
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
  assert common.shapes_of_variables("vrnn", run=True, **options) == expected


def test_variables_of_sampling_alone():
  """A model that is only sampled from restores from the same checkpoint."""
  assert common.shapes_of_variables("vrnn", run=False) == _GENERATIVE


@pytest.mark.skipif(not os.path.isdir(_CHECKPOINT), reason="no checkpoint")
def test_a_checkpoint_of_the_original_has_these_variables():
  saved = dict(tf.train.list_variables(_CHECKPOINT))
  with tf.Graph().as_default():
    model = vrnn.create_vrnn(88, 64, base.ConditionalBernoulliDistribution)
    xs = tf.zeros([2, 1, 88])
    bounds.elbo(model, (xs, xs), [2])
    for variable in tf.compat.v1.global_variables():
      assert saved[variable.op.name] == variable.shape.as_list()
