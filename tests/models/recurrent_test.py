"""Tests of what the VRNN and the SRNN share, and what their tests share.

`NumpyModel` is an implementation of both models, written from the equations
alone, that the steps of the real ones are compared with.
"""

import collections
import contextlib
import functools
import inspect
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo import smc
from fivo.models import base
from fivo.models import srnn
from fivo.models import vrnn
from tests.models.base_test import mlp
from tests.models.base_test import softplus
from tests.models.base_test import variables_of
from tests.models.joint_gaussian import run

CREATE = {"vrnn": vrnn.create_vrnn, "srnn": srnn.create_srnn}
EMISSIONS = {
    "normal": base.ConditionalNormalDistribution,
    "bernoulli": base.ConditionalBernoulliDistribution,
    "autoregressive": base.ConditionalAutoregressiveDistribution
}
each_kind = pytest.mark.parametrize("kind", sorted(CREATE))

# All different, so that nothing can be taken for anything else.
DATA, LATENT, HIDDEN = 3, 2, 4
SIZES = dict(rnn_hidden_size=HIDDEN, fcnet_hidden_sizes=[5],
             encoded_data_size=6, encoded_latent_size=7)
LENGTHS = [4, 2, 3]


def create(kind, emission="normal", **kwargs):
  """A model of different small sizes."""
  options = dict(SIZES, **kwargs)
  return CREATE[kind](DATA, LATENT, EMISSIONS[emission], **options)


def observations(seed=0, length=4, batch_size=3, dtype=np.float32):
  """Inputs, and targets that suit both emissions."""
  rng = np.random.RandomState(seed)
  shape = [length, batch_size, DATA]
  return (rng.normal(size=shape).astype(dtype),
          rng.randint(2, size=shape).astype(dtype))


@contextlib.contextmanager
def given_noise(noise):
  """Lets each draw of a Normal use the next array of `noise`."""
  pending = list(noise)

  def sample(self, *unused_args, **unused_kwargs):
    return self.loc + self.scale * pending.pop(0)

  def normal(*unused_args, **unused_kwargs):
    return tf.constant(pending.pop(0))

  with mock.patch.object(tfp.distributions.Normal, "sample", sample):
    with mock.patch.object(tf.random, "normal", normal):
      yield


def normal_log_prob(x, mu, sigma):
  return np.sum(-.5 * ((x - mu) / sigma)**2 - np.log(sigma) -
                .5 * np.log(2. * np.pi), axis=1)


def sigmoid(x):
  return 1. / (1. + np.exp(-x))


NumpyState = collections.namedtuple("NumpyState", "cell hidden encoded")


class NumpyModel(object):
  """The VRNN and the SRNN in NumPy, for rows of sequences of given lengths."""

  def __init__(self, kind, variables, emission="normal", proposal="filtering",
               tilt=False, raw_sigma_bias=.25, sigma_min=0.,
               emission_bias_init=0.):
    self._kind = kind
    self._variables = {k: v.astype(np.float64) for k, v in variables.items()}
    self._emission = emission
    self._proposal = proposal
    self._has_tilt = tilt
    self._raw_sigma_bias = raw_sigma_bias
    self._sigma_min = sigma_min
    self._bias = emission_bias_init
    self.used = set()  # The names of the variables that a run has read.

  def zero_state(self, num_rows):
    return NumpyState(np.zeros([num_rows, HIDDEN]),
                      np.zeros([num_rows, HIDDEN]), np.zeros([num_rows, 7]))

  def run(self, inputs, targets, lengths, noise):
    """The incremental weights `[T, rows]` and the states, step by step."""
    state = self.zero_state(len(lengths))
    summaries = self._summaries(inputs, targets, lengths)
    weights, states, previous_tilt = [], [], np.zeros(len(lengths))
    for t in range(len(inputs)):
      context, state = self._advance(inputs[t], state)
      mu, sigma = self._normal("prior_fcnet", context)
      q_mu, q_sigma = mu, sigma
      if self._proposal != "prior":
        q_mu, q_sigma = self._normal(
            "approximate_posterior_fcnet", context + [summaries[t]])
        q_mu = q_mu + mu
      z = q_mu + q_sigma * noise[t]
      state = state._replace(encoded=self._mlp("latent_encoder", [z]))
      weight = normal_log_prob(z, mu, sigma) - normal_log_prob(
          z, q_mu, q_sigma) + self._log_emission(
              "generative_fcnet", [state.encoded, state.hidden], targets[t])
      if self._has_tilt:
        has_next = t + 1 < np.array(lengths)
        tilt = np.where(has_next, self._log_emission(
            "tilt_fcnet", [state.hidden, state.encoded],
            targets[min(t + 1, len(targets) - 1)]), 0.)
        weight += tilt - previous_tilt
        previous_tilt = tilt
      weights.append(weight)
      states.append(state)
    return np.array(weights), states

  def sample_step(self, state, inputs, noise, emission_noise):
    """A step of the generative model; the emission is Normal."""
    context, state = self._advance(inputs, state)
    mu, sigma = self._normal("prior_fcnet", context)
    state = state._replace(
        encoded=self._mlp("latent_encoder", [mu + sigma * noise]))
    mu, raw = np.split(self._mlp(
        "generative_fcnet", [state.encoded, state.hidden]), 2, axis=1)
    return state, mu + softplus(raw + .25) * emission_noise

  def _mlp(self, name, tensors):
    self.used.update(
        "%s/linear_%d/%s" % (name, i, kind) for i in range(2) for kind in "wb")
    return mlp(self._variables, name, np.concatenate(tensors, axis=1))

  def _normal(self, name, tensors):
    mu, raw = np.split(self._mlp(name, tensors), 2, axis=1)
    return mu, np.maximum(softplus(raw + self._raw_sigma_bias),
                          self._sigma_min)

  def _log_emission(self, name, tensors, x):
    outputs = self._mlp(name, tensors)
    if self._emission == "bernoulli":
      logits = outputs + self._bias
      return np.sum(x * logits - softplus(logits), axis=1)
    # The emission has its own defaults: 0 and 0.25.
    mu, raw = np.split(outputs, 2, axis=1)
    return normal_log_prob(x, mu, softplus(raw + .25))

  def _lstm(self, scope, x, cell, hidden):
    """Gates in the order of TensorFlow's LSTMCell; a forget bias of one."""
    names = [scope + "lstm_cell/" + name for name in ("kernel", "bias")]
    self.used.update(names)
    kernel, bias = [self._variables[name] for name in names]
    gates = np.concatenate([x, hidden], axis=1) @ kernel + bias
    i, j, f, o = np.split(gates, 4, axis=1)
    cell = cell * sigmoid(f + 1.) + sigmoid(i) * np.tanh(j)
    return cell, sigmoid(o) * np.tanh(cell)

  def _advance(self, inputs, state):
    """What the prior is conditioned on, and the state with the new h."""
    encoded = self._mlp("data_encoder", [inputs])
    if self._kind == "vrnn":
      cell, hidden = self._lstm(
          "", np.concatenate([encoded, state.encoded], axis=1), state.cell,
          state.hidden)
      context = [hidden]
    else:
      cell, hidden = self._lstm(
          "forward_rnn/", encoded, state.cell, state.hidden)
      context = [hidden, state.encoded]
    return context, state._replace(cell=cell, hidden=hidden)

  def _summaries(self, inputs, targets, lengths):
    """What the proposal reads of the targets, `[T, rows, ...]`."""
    encoded = [self._mlp("data_encoder", [x]) for x in targets]
    if self._proposal != "smoothing":
      return encoded
    scope = "rnn/"
    if self._kind == "srnn":
      scope, state = "reverse_rnn/", self.zero_state(len(lengths))
      for t, x in enumerate(inputs):
        _, state = self._advance(x, state)
        encoded[t] = np.concatenate([state.hidden, encoded[t]], axis=1)
    summaries = np.zeros([len(targets), len(lengths), HIDDEN])
    for row, length in enumerate(lengths):
      cell, hidden = np.zeros([1, HIDDEN]), np.zeros([1, HIDDEN])
      for t in reversed(range(length)):
        cell, hidden = self._lstm(
            scope, encoded[t][row:row + 1], cell, hidden)
        summaries[t, row] = hidden[0]
    return summaries


def run_by_hand(model, xs, lengths, noise):
  """The incremental weights and states of each step, without the filter."""
  model.set_observations(
      tuple(tf.constant(x) for x in xs), tf.constant(lengths))
  state = model.zero_state(len(lengths), tf.as_dtype(xs[0].dtype))
  weights, states = [], []
  with given_noise(noise):
    for t in range(len(xs[0])):
      weight, state = model.propose_and_weight(state, tf.constant(t))
      weights.append(weight)
      states.append(state)
  return weights, states


# Steps against NumPy's --------------------------------------------------------


def assert_states_agree(state, expected, row=slice(None)):
  """Compares a state with a `NumpyState`."""
  for x, y in ((state.rnn_state.c, expected.cell),
               (state.rnn_state.h, expected.hidden),
               (state.latent_encoded, expected.encoded)):
    np.testing.assert_allclose(x[row], y[row], rtol=1e-9, atol=1e-9)


@each_kind
@pytest.mark.parametrize("emission,proposal,tilt,options", [
    ("normal", "prior", False, {}),
    ("normal", "filtering", True, {"sigma_min": .9, "raw_sigma_bias": -.5}),
    ("bernoulli", "filtering", False, {"emission_bias_init": -1.5}),
    ("normal", "smoothing", False, {}),
    ("bernoulli", "smoothing", True, {}),
])
def test_steps_agree_with_numpy(kind, emission, proposal, tilt, options):
  """Weights and states, with given noise and sequences of mixed lengths."""
  xs = observations(dtype=np.float64)
  noise = np.random.RandomState(5).normal(size=[4, 3, LATENT])
  model = create(kind, emission, proposal_type=proposal, use_tilt=tilt,
                 **options)
  steps = run_by_hand(model, xs, LENGTHS, noise)
  with tf.compat.v1.Session() as session:
    variables = variables_of(session)
    weights, states = session.run(steps)
  reference = NumpyModel(kind, variables, emission, proposal, tilt, **options)
  expected_weights, expected_states = reference.run(*xs, LENGTHS, noise)
  assert reference.used == set(variables), "named as in checkpoints"
  for row, length in enumerate(LENGTHS):
    for t in range(length):
      np.testing.assert_allclose(
          weights[t][row], expected_weights[t, row], rtol=1e-9)
      assert_states_agree(states[t], expected_states[t], row)
      np.testing.assert_array_equal(states[t].rnn_out, states[t].rnn_state.h)


@each_kind
def test_sampling_goes_on_where_the_filter_ended(kind):
  """The SRNN's state after a prefix was still zero in the original."""
  xs = observations(dtype=np.float64)
  next_inputs = np.random.RandomState(8).normal(size=[3, DATA])
  noise = np.random.RandomState(5).normal(size=[5, 3, LATENT])
  emission_noise = np.random.RandomState(6).normal(size=[3, DATA])
  model = create(kind)
  _, states = run_by_hand(model, xs, [4] * 3, noise[:4])
  num_variables = len(tf.compat.v1.global_variables())
  with given_noise([noise[4], emission_noise]):
    step = model.sample_step(states[-1], tf.constant(next_inputs), 4)
  assert len(tf.compat.v1.global_variables()) == num_variables
  with tf.compat.v1.Session() as session:
    variables = variables_of(session)
    new_state, x_t = session.run(step)
  reference = NumpyModel(kind, variables)
  _, expected_states = reference.run(*xs, [4] * 3, noise)
  expected, expected_x = reference.sample_step(
      expected_states[-1], next_inputs, noise[4], emission_noise)
  assert_states_agree(new_state, expected)
  np.testing.assert_allclose(x_t, expected_x, rtol=1e-9, atol=1e-9)


# Values and gradients --------------------------------------------------------


@pytest.mark.parametrize("kind,proposal,emission,tilt", [
    # Every pair of options occurs.
    ("vrnn", "prior", "normal", True),
    ("vrnn", "filtering", "bernoulli", False),
    ("vrnn", "smoothing", "normal", False),
    ("srnn", "prior", "bernoulli", False),
    ("srnn", "filtering", "normal", True),
    ("srnn", "smoothing", "bernoulli", True),
    ("srnn", "filtering", "autoregressive", True),
])
def test_bound_and_gradients(kind, proposal, emission, tilt):
  """Every variable gets a finite gradient, whatever padding holds.

  Masks that multiply let a NaN in padding through, if not to the bound then to
  the gradient.
  """
  xs = observations()
  model = create(kind, emission, proposal_type=proposal, use_tilt=tilt,
                 random_seed=1)
  fed = [tf.compat.v1.placeholder(tf.float32, [4, 3, DATA]) for _ in xs]
  result = bounds.fivo(
      model, tuple(fed), tf.constant(LENGTHS), num_samples=3,
      resampling_criterion=smc.always_resample_criterion, random_seed=1,
      parallel_iterations=1)
  variables = tf.compat.v1.trainable_variables()
  gradients = tf.gradients(result.log_p_hat, variables + fed)
  assert [v.op.name for v, g in zip(variables, gradients) if g is None] == []
  initialize = tf.compat.v1.global_variables_initializer()
  # Two sessions of one graph draw the same noise.
  results = []
  for padding in (0., np.nan):
    for x in xs:
      for b, length in enumerate(LENGTHS):
        x[length:, b] = padding
    with tf.compat.v1.Session() as session:
      session.run(initialize)
      results.append(session.run(
          [result.log_p_hat, gradients], dict(zip(fed, xs))))
  assert np.isfinite(results[1][0]).all()
  np.testing.assert_array_equal(results[0][0], results[1][0])
  for variable, clean, padded in zip(variables + fed, *[r[1] for r in results]):
    assert np.isfinite(padded).all(), variable.op.name
    assert padded.any(), variable.op.name
    np.testing.assert_allclose(clean, padded, rtol=1e-4, atol=1e-6)


def set_variables(session, scale=.5):
  """Sets all variables to something random, the same for every dtype."""
  for i, variable in enumerate(tf.compat.v1.global_variables()):
    rng = np.random.RandomState(i)
    variable.load(scale * rng.normal(size=variable.shape.as_list()), session)


@each_kind
def test_gradient_agrees_with_finite_differences(kind):
  """Of the whole bound, along a random direction, in double precision.

  The noise is the same each time, and ancestors are locally constant.
  """
  model = create(kind, proposal_type="smoothing", use_tilt=True, random_seed=1)
  bound = tf.reduce_sum(bounds.fivo(
      model, observations(dtype=np.float64), LENGTHS, num_samples=3,
      resampling_criterion=smc.always_resample_criterion,
      random_seed=1).log_p_hat)
  variables = tf.compat.v1.trainable_variables()
  rng = np.random.RandomState(9)
  directions = [rng.normal(size=v.shape.as_list()) for v in variables]
  slope = tf.add_n([
      tf.reduce_sum(gradient * direction) for gradient, direction in zip(
          tf.gradients(bound, variables), directions)])
  step = tf.compat.v1.placeholder(tf.float64, [])
  move = [v.assign_add(step * direction)
          for v, direction in zip(variables, directions)]
  results = []
  for size in (-1e-6, 0., 1e-6):
    with tf.compat.v1.Session() as session:
      set_variables(session)
      session.run(move, {step: size})
      results.append(session.run([bound, slope]))
  difference = (results[2][0] - results[0][0]) / 2e-6
  assert abs(difference) > 1e-2
  assert results[1][1] == pytest.approx(difference, rel=1e-5)


# Samples ---------------------------------------------------------------------


@pytest.mark.parametrize("emission", sorted(EMISSIONS))
@each_kind
def test_sample_step(kind, emission):
  """In a loop, as the runner does; x_t has the dtype of the inputs."""
  model = create(kind, emission)
  size = tf.compat.v1.placeholder_with_default(50, [])
  state = model.zero_state(size, tf.float32)
  new_state, x_t = model.sample_step(state, tf.zeros([size, DATA]), 0)
  rnn_state, latent_encoded = new_state  # As old code unpacks it.
  assert rnn_state.c.shape[1] == HIDDEN and latent_encoded.shape[1] == 7
  tf.nest.assert_same_structure(model.sampling_state(state), new_state)
  _, x_t = model.sample_step(
      prev_state=new_state, inputs=x_t - .5, unused_t=tf.constant(1))
  assert x_t.dtype == tf.float32
  sample = run(x_t)
  assert sample.shape == (50, DATA)
  binary = np.isin(sample, [0., 1.])
  assert not binary.any() if emission == "normal" else binary.all()
  assert len(np.unique(sample, axis=0)) > 1


@pytest.mark.parametrize("module, name", [(vrnn, "VRNN"), (srnn, "SRNN")])
def test_state_of_the_generative_model(module, name):
  """The untrainable classes have states without rnn_out."""
  trainable = create(name.lower())
  model = getattr(module, name)(
      trainable.rnn_cell, trainable.data_encoder, trainable.latent_encoder,
      trainable._transition, trainable._emission, random_seed=1)
  state = model.zero_state(2, tf.float32)
  new_state, x_t = model.sample_step(state, tf.zeros([2, DATA]), 0)
  assert type(state) is type(new_state) is getattr(module, name + "State")
  assert type(trainable.zero_state(2, tf.float32)) is getattr(
      module, "Trainable%sState" % name)
  assert x_t.shape.as_list() == [2, DATA]


# The factory -----------------------------------------------------------------


@pytest.mark.parametrize("create_fn", [vrnn.create_vrnn, srnn.create_srnn])
def test_signature_is_the_contracts(create_fn):
  assert create_fn.__name__ in ("create_vrnn", "create_srnn")
  assert str(inspect.signature(create_fn)).startswith(
      "(data_size, latent_size, emission_class, rnn_hidden_size=None, "
      "fcnet_hidden_sizes=None, encoded_data_size=None, "
      "encoded_latent_size=None, sigma_min=0.0, raw_sigma_bias=0.25, "
      "emission_bias_init=0.0, use_tilt=False, proposal_type='filtering', "
      "initializers=None, random_seed=None, emission_sigma_min=None")


@pytest.mark.parametrize("emission_bias_init, wrap", [
    (1.5, lambda x: x), (0, functools.partial),
    (lambda: tf.constant([0., 1., 2.]), functools.partial),
    # A wrapper with any signature.
    (np.arange(3., dtype=np.float32), lambda x: lambda **kwargs: x(**kwargs))])
def test_emission_bias(emission_bias_init, wrap):
  """For the emission and the tilt: it is the data's mean."""
  bias = (emission_bias_init() if callable(emission_bias_init)
          else emission_bias_init)
  model = vrnn.create_vrnn(
      DATA, LATENT, wrap(base.ConditionalBernoulliDistribution),
      emission_bias_init=bias, use_tilt=True)
  zeros = tf.zeros([1, LATENT])
  emission, tilt, expected = run(
      [model._emission(zeros, zeros).logits, model._tilt(zeros, zeros).logits,
       bias + tf.zeros([1, DATA])])
  np.testing.assert_array_equal(emission, expected)
  np.testing.assert_array_equal(tilt, expected)


@pytest.mark.parametrize("emission_class, default", [
    (base.ConditionalNormalDistribution, .25),
    (functools.partial(
        base.ConditionalNormalDistribution, raw_sigma_bias=-9.), -9.)])
def test_emission_sigma_min(emission_class, default):
  """A floor under the emission's scale; by default there is none.

  Neither sigma_min nor raw_sigma_bias reach the emission, as old checkpoints
  expect.
  """
  zeros = tf.zeros([1, LATENT])
  scales = []
  for sigma_min in (None, 2.):
    model = vrnn.create_vrnn(
        DATA, LATENT, emission_class, sigma_min=3., raw_sigma_bias=4.,
        emission_sigma_min=sigma_min, use_tilt=True)
    scales += [model._emission(zeros, zeros).scale[0, 0],
               model._tilt(zeros, zeros).scale[0, 0],
               model._transition(zeros).scale[0, 0]]
  default, prior = softplus(default), softplus(4.)
  np.testing.assert_allclose(
      run(scales), [default, default, prior, 2., 2., prior], rtol=1e-3)


@each_kind
def test_initializers(kind):
  """Of every MLP, and of the LSTM's kernel; its bias starts at zero."""
  model = create(kind, proposal_type="smoothing", use_tilt=True, initializers={
      "w": tf.compat.v1.constant_initializer(.125),
      "b": tf.compat.v1.constant_initializer(.25)})
  bounds.elbo(model, observations(), LENGTHS)
  expected = {"w": .125, "kernel": .125, "b": .25, "bias": 0.}
  values = run({v.op.name: v for v in tf.compat.v1.trainable_variables()})
  for name, value in values.items():
    assert (value == expected[name.split("/")[-1]]).all(), name


@each_kind
def test_default_initializers(kind):
  """Glorot's uniform for the weights, zeros for the biases."""
  bounds.elbo(create(kind, fcnet_hidden_sizes=[60]), observations(), LENGTHS)
  for value in run(tf.compat.v1.trainable_variables()):
    if value.ndim == 1:
      assert not value.any()
    else:
      limit = np.sqrt(6. / sum(value.shape))
      assert .9 * limit < np.abs(value).max() <= limit


@each_kind
def test_two_models_in_one_graph(kind):
  """They share no variable, and the second does not collide.

  Only smoothing takes the name of the reverse network: a filtering model before
  does not change a smoothing one's variables.
  """
  create(kind)
  counts, log_p_hats = [], []
  for _ in range(2):
    model = create(kind, proposal_type="smoothing", use_tilt=True)
    log_p_hats.append(bounds.elbo(model, observations(), LENGTHS).log_p_hat)
    counts.append(len(tf.compat.v1.trainable_variables()))
  assert counts[1] == 2 * counts[0]
  assert np.isfinite(run(log_p_hats)).all()
  names = {v.op.name for v in tf.compat.v1.global_variables()}
  assert {"vrnn": "rnn/lstm_cell/kernel",
          "srnn": "reverse_rnn/lstm_cell/kernel"}[kind] in names
