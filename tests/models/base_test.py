"""Tests of the model interface and the conditional distributions."""

import inspect

import numpy as np
import pytest
import sonnet as snt
import tensorflow as tf

from fivo.models import base
from tests.smc_test import new_session

_X = np.random.RandomState(0).normal(size=[4, 2]).astype(np.float32)
_Y = np.random.RandomState(1).normal(size=[4, 3]).astype(np.float32)
_MU = np.random.RandomState(2).normal(size=[4, 5]).astype(np.float32)


def variables_of(session):
  """The values of all variables by name, set to something random first."""
  rng = np.random.RandomState(7)
  variables = tf.compat.v1.global_variables()
  for variable in variables:
    variable.load(
        .5 * rng.normal(size=variable.shape.as_list()), session)
  return {v.op.name: session.run(v) for v in variables}


def mlp(variables, name, x, activation=lambda x: np.maximum(x, 0.)):
  """A multilayer perceptron with one hidden layer, in NumPy."""
  hidden = activation(x @ variables[name + "/linear_0/w"] +
                      variables[name + "/linear_0/b"])
  return (hidden @ variables[name + "/linear_1/w"] +
          variables[name + "/linear_1/b"])


def softplus(x):
  return np.log1p(np.exp(x))


@pytest.mark.parametrize("sigma_min", [0., .8])
@pytest.mark.parametrize("raw_sigma_bias", [.25, -1.])
def test_conditional_normal(sigma_min, raw_sigma_bias):
  with new_session() as session:
    dist = base.ConditionalNormalDistribution(
        5, [6], sigma_min=sigma_min, raw_sigma_bias=raw_sigma_bias, name="p")
    p = dist(tf.constant(_X), tf.constant(_Y))
    mu, sigma = dist.condition([tf.constant(_X), tf.constant(_Y)])
    variables = variables_of(session)
    results = session.run([p.mean(), p.stddev(), mu, sigma])
  outputs = mlp(variables, "p_fcnet", np.concatenate([_X, _Y], axis=1))
  expected_sigma = np.maximum(softplus(outputs[:, 5:] + raw_sigma_bias),
                              sigma_min)
  for result, expected in zip(
      results, [outputs[:, :5], expected_sigma] * 2):
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
  assert (expected_sigma == sigma_min).any() == (sigma_min > 0.)
  assert dist.size == 5


def test_conditional_normal_ignores_the_proposals_options():
  """It can stand in for a proposal."""
  with tf.Graph().as_default():
    dist = base.ConditionalNormalDistribution(5, [6])
    assert dist(tf.constant(_X), prior_mu=tf.constant(_MU)).batch_shape == [
        4, 5]


@pytest.mark.parametrize("bias_init", [
    0., 2.5, -1, np.arange(5., dtype=np.float32),
    lambda: tf.constant(np.arange(5.), tf.float32)
])
def test_conditional_bernoulli(bias_init):
  with new_session() as session:
    bias = bias_init() if callable(bias_init) else bias_init
    dist = base.ConditionalBernoulliDistribution(
        5, [6], bias_init=bias, name="p")
    p = dist(tf.constant(_X), tf.constant(_Y))
    logits = dist.condition([tf.constant(_X), tf.constant(_Y)])
    variables = variables_of(session)
    results = session.run([p.logits, logits, bias + tf.zeros([5])])
  expected = results[2] + mlp(
      variables, "p_fcnet", np.concatenate([_X, _Y], axis=1))
  np.testing.assert_allclose(results[0], expected, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(results[1], expected, rtol=1e-5, atol=1e-6)
  assert dist.size == 5


@pytest.mark.parametrize("smoothing", [False, True])
def test_approximate_posterior_corrects_the_prior(smoothing):
  with new_session() as session:
    dist = base.NormalApproximatePosterior(
        5, [6], smoothing=smoothing, name="q")
    if smoothing:
      q = dist(tf.constant(_X), prior_mu=tf.constant(_MU),
               smoothing_tensors=[tf.constant(_Y)])
    else:
      q = dist(tf.constant(_X), tf.constant(_Y), prior_mu=tf.constant(_MU))
    variables = variables_of(session)
    mu, sigma = session.run([q.mean(), q.stddev()])
  outputs = mlp(variables, "q_fcnet", np.concatenate([_X, _Y], axis=1))
  np.testing.assert_allclose(mu, outputs[:, :5] + _MU, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(
      sigma, softplus(outputs[:, 5:] + .25), rtol=1e-5, atol=1e-6)


def test_smoothing_changes_no_argument():
  """It extended a tuple: 'tuple' object has no attribute 'extend'."""
  with tf.Graph().as_default():
    dist = base.NormalApproximatePosterior(5, [6], smoothing=True)
    tensors, more = [tf.constant(_X)], [tf.constant(_Y)]
    for given in (tensors, tuple(tensors)):
      dist.condition(given, tf.constant(_MU), smoothing_tensors=more)
    assert len(tensors) == 1
    assert len(more) == 1


@pytest.mark.parametrize("distribution_class", [
    base.ConditionalNormalDistribution, base.ConditionalBernoulliDistribution,
    base.NormalApproximatePosterior
])
def test_options_of_the_mlp(distribution_class):
  kwargs = {}
  if distribution_class is base.NormalApproximatePosterior:
    kwargs["prior_mu"] = tf.constant(0.)
  with new_session() as session:
    kwargs = {name: tf.zeros([4, 2]) for name in kwargs}
    dist = distribution_class(
        2, (3, 4), hidden_activation_fn=tf.nn.tanh, initializers={
            "w": tf.compat.v1.constant_initializer(.5),
            "b": tf.compat.v1.constant_initializer(-.25)})
    p = dist(tf.constant(_X), **kwargs)
    session.run(tf.compat.v1.global_variables_initializer())
    result = session.run(
        p.logits if hasattr(p, "logits") else p.mean())
    variables = {v.op.name: v.shape.as_list()
                 for v in tf.compat.v1.trainable_variables()}
  name = ("conditional_bernoulli_distribution_fcnet"
          if distribution_class is base.ConditionalBernoulliDistribution else
          "conditional_normal_distribution_fcnet")
  out = 2 if distribution_class is base.ConditionalBernoulliDistribution else 4
  assert variables == {
      name + "/linear_0/w": [2, 3], name + "/linear_0/b": [3],
      name + "/linear_1/w": [3, 4], name + "/linear_1/b": [4],
      name + "/linear_2/w": [4, out], name + "/linear_2/b": [out]}
  hidden = np.tanh(_X.sum(axis=1) * .5 - .25)
  hidden = np.tanh(3 * hidden * .5 - .25)
  np.testing.assert_allclose(
      result, np.tile((4 * hidden * .5 - .25)[:, np.newaxis], [1, 2]),
      rtol=1e-4)


def test_defaults_are_the_contracts():
  def parameters(cls):
    return [(p.name, p.default) for p in inspect.signature(
        cls).parameters.values() if p.default is not p.empty]

  normal = [("sigma_min", 0.), ("raw_sigma_bias", .25),
            ("hidden_activation_fn", tf.nn.relu), ("initializers", None)]
  name = [("name", "conditional_normal_distribution")]
  assert parameters(base.ConditionalNormalDistribution) == normal + name
  assert parameters(base.NormalApproximatePosterior) == normal + [
      ("smoothing", False)] + name
  assert parameters(base.ConditionalBernoulliDistribution) == normal[2:] + [
      ("bias_init", 0.), ("name", "conditional_bernoulli_distribution")]
  assert base.NonstationaryLinearDistribution is not None


@pytest.mark.parametrize("shape", [
    [5, 4, 2], [None, 4, 2], [5, None, 2], [None, None, 2]])
def test_encode_all(shape):
  x = np.random.RandomState(0).normal(size=[5, 4, 2]).astype(np.float32)
  with new_session() as session:
    encoder = snt.nets.MLP([3, 6], name="encoder")
    inputs = tf.compat.v1.placeholder(tf.float32, shape)
    encoded = base.encode_all(inputs, encoder)
    assert encoded.shape.as_list() == shape[:2] + [6]
    variables = variables_of(session)
    result = session.run(encoded, {inputs: x})
  for t in range(5):
    np.testing.assert_allclose(
        result[t], mlp(variables, "encoder", x[t]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [[3, 2], [None, 2], [None, None]])
def test_ta_for_tensor(shape):
  x = np.arange(6.).reshape([3, 2])
  with new_session() as session:
    tensor = tf.compat.v1.placeholder(tf.float64, shape)
    ta = base.ta_for_tensor(tensor, clear_after_read=False)
    reads = [ta.read(2), ta.read(0), ta.read(2), ta.size()]
    results = session.run(reads, {tensor: x})
  np.testing.assert_array_equal(results[0], x[2])
  np.testing.assert_array_equal(results[1], x[0])
  np.testing.assert_array_equal(results[2], x[2])
  assert results[3] == 3


def test_the_interface_must_be_implemented():
  class Incomplete(base.ELBOTrainableSequenceModel):

    def zero_state(self, batch_size, dtype):
      return None

  with pytest.raises(TypeError, match="abstract"):
    Incomplete()  # pylint: disable=abstract-class-instantiated


class _Recorder(base.ELBOTrainableSequenceModel):
  """A model that remembers what it was given."""

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size], dtype)

  def set_observations(self, observations, seq_lengths):
    self.observations = observations
    self.seq_lengths = seq_lengths

  def propose_and_weight(self, state, t):
    return state, state


class _Duck(object):
  set_observations = _Recorder.set_observations


@pytest.mark.parametrize("model_class", [_Recorder, _Duck])
def test_observations_are_tiled_for_any_model(model_class):
  model = model_class()
  x = np.arange(6.).reshape([3, 2])
  with new_session() as session:
    base.set_particle_observations(
        model, {"x": tf.constant(x)}, tf.constant([3, 1]), 2)
    result, lengths = session.run([model.observations, model.seq_lengths])
  np.testing.assert_array_equal(result["x"], np.concatenate([x, x], axis=1))
  np.testing.assert_array_equal(lengths, [3, 1, 3, 1])
