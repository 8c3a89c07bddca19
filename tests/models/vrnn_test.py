"""Tests of the variational recurrent neural network alone."""

import os

import pytest
import tensorflow as tf

from fivo import bounds
from fivo.models import base
from fivo.models import vrnn

_CHECKPOINT = os.path.join(
    os.path.dirname(__file__), "..", "..", "..", "shared", "reference",
    "vrnn_jsb_checkpoint")


@pytest.mark.skipif(not os.path.isdir(_CHECKPOINT), reason="no checkpoint")
def test_a_checkpoint_of_the_original_has_these_variables():
  saved = dict(tf.train.list_variables(_CHECKPOINT))
  model = vrnn.create_vrnn(88, 64, base.ConditionalBernoulliDistribution)
  xs = tf.zeros([2, 1, 88])
  bounds.elbo(model, (xs, xs), [2])
  for variable in tf.compat.v1.global_variables():
    assert saved[variable.op.name] == variable.shape.as_list()
