"""Tests of the multilayer perceptron against Sonnet's."""

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from fivo.models import mlp

_INITIALIZERS = {
    "w": tf.compat.v1.glorot_uniform_initializer(seed=1),
    "b": tf.compat.v1.random_normal_initializer(seed=2)
}


def _run(module_class, **kwargs):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.set_random_seed(1)
    module = module_class([5, 4, 2], name="net", **kwargs)
    x = tf.constant(np.random.RandomState(0).normal(size=[6, 3]), tf.float32)
    y = module(x)
    module(x)  # Shares its variables.
    variables = tf.compat.v1.trainable_variables()
    gradients = tf.gradients(tf.reduce_sum(tf.square(y)), variables)
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run([y, gradients]), {
        v.op.name: v.shape.as_list() for v in variables}


def test_values_gradients_and_names():
  ours, our_variables = _run(mlp.MLP, initializers=_INITIALIZERS)
  theirs, their_variables = _run(snt.nets.MLP, initializers=_INITIALIZERS)
  assert our_variables == their_variables
  assert our_variables["net/linear_1/w"] == [5, 4]
  for x, y in zip(tf.nest.flatten(ours), tf.nest.flatten(theirs)):
    np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-6)


def test_default_initializer_is_sonnets():
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    mlp.MLP([500])(tf.zeros([1, 400]))
    session.run(tf.compat.v1.global_variables_initializer())
    w = session.run(tf.compat.v1.trainable_variables()[0])
  # A Normal of standard deviation .05, cut at two of them.
  assert .98 * .1 < np.abs(w).max() <= .1
  assert np.std(w) == pytest.approx(.05 * .88, rel=.01)
