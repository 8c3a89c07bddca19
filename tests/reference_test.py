"""The original code's figures, to float precision.

`reference_figures.json` says how the original computed them. They hold only
while the bounds draw their random numbers by the same operations in the same
order as the original.
"""

import json
import os

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.models import base
from fivo.models import srnn
from fivo.models import vrnn

_FILE = os.path.join(os.path.dirname(__file__), "reference_figures.json")
_ORIGINAL_FILE = os.path.join(
    os.path.dirname(__file__), "..", "..", "shared", "reference",
    "figures.json")
_SEED = 1234

pytestmark = pytest.mark.default_session

with open(_FILE) as stream:
  _REFERENCE = json.load(stream)

_CREATE = {"vrnn": vrnn.create_vrnn, "srnn": srnn.create_srnn}
_EMISSIONS = {
    "normal": base.ConditionalNormalDistribution,
    "bernoulli": base.ConditionalBernoulliDistribution
}


def compute(name, parallel_iterations=1):
  """The arrays of a key of the figures, "model/emission/bound"."""
  kind, emission, bound = name.split("/")
  sizes = dict(_REFERENCE["how"]["sizes_" + kind])
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(_SEED)
    model = _CREATE[kind](
        sizes.pop("data_size"), sizes.pop("latent_size"), _EMISSIONS[emission],
        # What tf.contrib.layers calls Xavier's.
        initializers={"w": tf.compat.v1.glorot_uniform_initializer(_SEED),
                      "b": tf.compat.v1.zeros_initializer()},
        random_seed=_SEED, **sizes)
    inputs, targets = [
        tf.random.uniform([7, 2, 3], seed=_SEED) for _ in range(2)]
    result = bounds.create_bound(
        bound, model, (inputs, targets), tf.constant([7, 4]), num_samples=4,
        parallel_iterations=parallel_iterations, random_seed=_SEED)
    with tf.compat.v1.Session() as session:
      session.run(tf.compat.v1.global_variables_initializer())
      return session.run(result._asdict())


def assert_reproduces(result, name):
  for key, expected in _REFERENCE["figures"][name].items():
    np.testing.assert_allclose(
        result[key], expected, rtol=1e-5, err_msg=name + "/" + key)


@pytest.mark.parametrize("name", sorted(_REFERENCE["figures"]))
def test_figures(name):
  assert_reproduces(compute(name), name)


def test_figures_do_not_depend_on_parallel_iterations():
  name = "vrnn/normal/fivo"
  assert_reproduces(compute(name, parallel_iterations=30), name)


@pytest.mark.skipif(
    not os.path.exists(_ORIGINAL_FILE), reason="no original figures")
def test_the_copy_is_faithful():
  with open(_ORIGINAL_FILE) as original:
    assert json.load(original)["figures"] == _REFERENCE["figures"]
