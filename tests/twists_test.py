"""Tests of SIXO: twisted targets, and how a twist is learned."""

import types

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from fivo import bounds
from fivo import runners
from fivo import smc
from fivo import twists
from fivo.models import base
from fivo.models import ghmm
from fivo.models import mlp
from tests.models import joint_gaussian
from tests.models import recurrent_test
from tests.smc_test import evaluate
from tests.smc_test import new_session

_ONE_AT_THE_END = dict(emission_weights=[0., 0., 0., 0., 0., 2.])


def _model(num_steps=6, proposal_type="true-smoothing", twist="optimal",
           **kwargs):
  parameters = dict(
      joint_gaussian.parameters(num_steps, 0)._asdict(), **kwargs)
  return ghmm.TrainableGaussianHMM(
      num_steps, proposal_type, dtype=tf.float64, random_seed=1, twist=twist,
      **parameters)


def _gaps(create_bound, model, batch_size, **kwargs):
  """The exact log likelihood less a bound, `[batch_size]`."""
  _, xs = model.sample(batch_size, seed=2)
  bound = create_bound(
      model, xs, [model.num_timesteps] * batch_size, random_seed=3, **kwargs)
  return model.likelihood(xs) - bound.log_p_hat


class OwnModel(base.ELBOTrainableSequenceModel):
  """z_t ~ N(z_{t-1} / 2, 1), drawn from that, and x_t ~ N(z_t, a^2)."""

  def __init__(self):
    self.scale = tf.compat.v1.get_variable("scale", initializer=1.)
    self.twist = mlp.MLP([4, 1], name="twist")

  def zero_state(self, batch_size, dtype):
    return tf.zeros([batch_size, 1], dtype)

  def propose_and_weight(self, state, t):
    z = state / 2 + tf.random.normal(tf.shape(state), seed=5)
    emission = tfp.distributions.Normal(z, self.scale)
    return emission.log_prob(self.observations_ta[1].read(t))[:, 0], z

  def log_twist(self, state, t):
    x_next = self.observations_ta[1].read(
        tf.minimum(t + 1, self.max_seq_len - 1))
    return self.twist(tf.concat([state, x_next], axis=1))[:, 0]

  def sample_step(self, state, inputs, t):
    z = state / 2 + tf.random.normal(tf.shape(state))
    return z, z + self.scale * tf.random.normal(tf.shape(z))


# The bound --------------------------------------------------------------------


@pytest.mark.parametrize("num_samples, kwargs", [
    (1, {}), (16, _ONE_AT_THE_END)])
def test_optimal_twist_is_exact(num_samples, kwargs):
  """With the smoothing proposal all weights are equal, so nothing is lost.

  FIVO with the same proposal is not exact: it resamples by what has been seen.
  """
  options = dict(num_samples=num_samples, batch_size=20,
                 resampling_criterion=smc.always_resample_criterion)
  sixo, fivo = evaluate(lambda: [
      _gaps(bound, _model(**kwargs), **options)
      for bound in (bounds.sixo, bounds.fivo)], seed=1)
  np.testing.assert_allclose(sixo, np.zeros([20]), atol=1e-9)
  assert num_samples == 1 or np.abs(fivo).max() > .1


def test_optimal_twist_of_shorter_sequences():
  """r = 1 at each sequence's own end, and past it."""
  def exact_and_bound():
    model = _model(num_steps=6)
    shorter = ghmm.GaussianHMM(
        4, dtype=tf.float64, **{
            name: values[:4 - (name == "transition_weights")] for name, values
            in joint_gaussian.parameters(6, 0)._asdict().items()})
    _, xs = model.sample(5, seed=2)
    return shorter.likelihood(xs[:4]), bounds.sixo(
        model, xs, [4, 6, 4, 6, 4], num_samples=3).log_p_hat
  exact, log_p_hat = evaluate(exact_and_bound, seed=1)
  np.testing.assert_allclose(log_p_hat[::2], exact[::2], atol=1e-9)


def test_any_twist_leaves_the_estimate_unbiased():
  """Z_hat / Z has mean one; the largest of standard errors is about .02."""
  def ratios():
    model = _model(num_steps=3, proposal_type="true-filtering")
    model.log_twist = lambda state, t: tf.sin(3 * state) + tf.cast(
        t, state.dtype)
    return tf.exp(-_gaps(
        bounds.sixo, model, batch_size=20000, num_samples=3,
        resampling_criterion=smc.always_resample_criterion))
  values = evaluate(ratios, seed=1)
  standard_error = values.std() / np.sqrt(len(values))
  assert abs(values.mean() - 1) < 4 * standard_error
  assert standard_error < .03


def test_twist_cancels_without_resampling():
  """Both bounds are of the same noise."""
  xs = np.linspace(.5, 2.5, 15).reshape([5, 3, 1]).astype(np.float32)

  def build(name):
    model = OwnModel()
    model.log_twist = lambda state, t: 2 * state[:, 0] ** 2
    return bounds.create_bound(
        name, model, (xs, xs), [5, 2, 4], num_samples=4, random_seed=3,
        resampling_criterion=smc.never_resample_criterion)

  sixo, fivo = [evaluate(lambda name=name: build(name), seed=7)
                for name in ("sixo", "fivo")]
  np.testing.assert_allclose(sixo.log_p_hat, fivo.log_p_hat, rtol=1e-5)
  assert np.abs(sixo.log_weights - fivo.log_weights)[:3].max() > .1


def test_all_bounds_with_a_twist():
  with new_session(seed=1) as session:
    model = _model(num_steps=4)
    _, xs = model.sample(20, seed=2)
    values, exact = session.run([
        bounds.all_bounds(
            model, xs, [4] * 20, num_samples=4, has_twist=True,
            resampling_criterion=smc.always_resample_criterion),
        model.likelihood(xs)])
  assert values._fields == ("elbo", "iwae", "fivo", "sixo")
  np.testing.assert_allclose(values.sixo, exact, atol=1e-9)
  np.testing.assert_allclose(values.iwae, exact, atol=1e-9)
  assert np.abs(values.fivo - exact).max() > .01


# Learning ---------------------------------------------------------------------


def test_learned_twist_can_be_the_density_ratio():
  """With the right parameters its logit is log p(x_{t+1:T} | z_t) / p(...)."""
  with new_session() as session:
    model, optimal = _model(twist="learned"), _model()
    z, xs = model.sample(4, seed=2)
    identity = tf.eye(6, dtype=tf.float64)
    optimal.set_observations(identity, None)
    # At z = 1 and -1, r = exp(-a z^2 / 2 + b z); b of unit observations is w.
    plus, minus = [tf.stack([
        optimal.log_twist(sign * tf.ones([6], tf.float64), t)
        for t in range(6)]) for sign in (1., -1.)]
    weights, precisions = (plus - minus) / 2, -(plus + minus)[:, :1]
    variances = tf.linalg.diag_part(model.sigma_z)[:, tf.newaxis]
    values = {
        "w": weights, "raw_precision": tf.math.log(tf.math.expm1(precisions)),
        "k": variances / (1 + variances * precisions),
        "c": tf.math.log1p(variances * precisions) / 2}
    for variable in tf.compat.v1.trainable_variables():
      assert twists.is_of_twist(variable)
    session.run(tf.compat.v1.global_variables_initializer())
    session.run([
        v.assign(values[v.op.name.split("/")[-1]])
        for v in tf.compat.v1.trainable_variables()
        if v.op.name.split("/")[-1] in values])
    model.set_observations(xs, None)
    logits = tf.stack([model.log_twist(z[t], t) for t in range(5)])
    expected = []
    for t in range(1, 6):
      # Against the distribution of x_t, ..., x_{T-1} whatever came before.
      to_come = tf.transpose(xs[t:])
      marginal = tfp.distributions.MultivariateNormalFullCovariance(
          covariance_matrix=model.sigma_x[t:, t:])
      expected.append(model.lookahead(t, z[t - 1]).log_prob(to_come) -
                      marginal.log_prob(to_come))
    found, expected = session.run([logits, expected])
  np.testing.assert_allclose(found, expected, atol=1e-9)


def test_density_ratio_estimation_approaches_the_optimal_twist():
  """The gap is at most a fifth of FIVO's with the same, exact, proposal."""
  with new_session(seed=1) as session:
    model = _model(num_steps=4, twist="learned")
    loss = twists.density_ratio_loss(model, *model.sample(200), [4] * 200)
    train_op = tf.compat.v1.train.AdamOptimizer(.05).minimize(loss)
    gaps = [tf.reduce_mean(_gaps(
        bound, model, batch_size=2000, num_samples=4,
        resampling_criterion=smc.always_resample_criterion))
            for bound in (bounds.sixo, bounds.fivo)]
    session.run(tf.compat.v1.global_variables_initializer())
    before = session.run(gaps[0])
    for _ in range(400):
      session.run(train_op)
    sixo, fivo = session.run(gaps)
  assert sixo < .2 * fivo
  assert sixo < .2 * before


# The VRNN and the SRNN --------------------------------------------------------


def test_simulate():
  """Inputs are the targets, centred and one step later."""
  mean = np.array([.1, .2, .3], np.float32)

  def build():
    model = recurrent_test.create("vrnn", use_twist=True)
    drawn = twists.simulate(model, 2, tf.constant(5), recurrent_test.DATA, mean)
    loss = twists.density_ratio_loss(model, *drawn)
    return drawn, tf.gradients(
        loss, [v for v in tf.compat.v1.trainable_variables()
               if twists.is_of_twist(v)])

  (states, (inputs, targets), _), gradients = evaluate(build, seed=1)
  assert states.rnn_state.h.shape == (5, 2, recurrent_test.HIDDEN)
  np.testing.assert_allclose(inputs[0], np.zeros([2, 3]), atol=1e-7)
  np.testing.assert_allclose(inputs[1:], targets[:-1] - mean, atol=1e-6)
  # Of two layers and an LSTM.
  assert len(gradients) == 6 and all(np.abs(g).max() > 0 for g in gradients)


@pytest.mark.parametrize("kind", ["vrnn", "srnn"])
def test_twist_of_a_recurrent_model_sees_all_that_is_to_come(kind):
  with new_session(seed=1) as session:
    model = recurrent_test.create(  # Of so many ReLUs, some are alive.
        kind, use_twist=True, random_seed=4, fcnet_hidden_sizes=[50])
    inputs, targets = recurrent_test.observations()
    held = tf.constant(targets + .5)
    model.set_observations((inputs, held), recurrent_test.LENGTHS)
    log_r = model.log_twist(model.zero_state(3, tf.float32), tf.constant(1))
    gradient, = tf.gradients(log_r, held)
    session.run(tf.compat.v1.global_variables_initializer())
    seen = np.abs(session.run(gradient)).max(axis=2) > 0
  # Lengths 4, 2 and 3: after step 1, the second has nothing to come.
  np.testing.assert_array_equal(seen[:, [0, 2]], [
      [False, False], [False, False], [True, True], [True, False]])


def test_a_twist_changes_no_other_variable():
  """Nor does its reverse network share any with the smoothing proposal's."""
  names = []
  for use_twist in (False, True):
    with tf.Graph().as_default():
      model = recurrent_test.create(
          "vrnn", use_twist=use_twist, proposal_type="smoothing")
      create = bounds.sixo if use_twist else bounds.fivo
      create(model, recurrent_test.observations(), recurrent_test.LENGTHS)
      names.append(tf.compat.v1.trainable_variables())
  assert not any(twists.is_of_twist(v) for v in names[0])
  assert [v.op.name for v in names[0]] == [
      v.op.name for v in names[1] if not twists.is_of_twist(v)]
  names = [v.op.name for v in names[1]]
  assert sum(n.startswith("twist_rnn/") for n in names) == 2
  assert sum(n.startswith("rnn/") for n in names) > 0


# A model of one's own ---------------------------------------------------------


def _create_own(config, split, shuffle, repeat):
  x = tf.random.normal([5, config.batch_size, 1])
  return x, x, tf.fill([config.batch_size], 5), OwnModel(), None


@pytest.mark.parametrize("twist", ["dre", "joint"])
def test_own_model_takes_part_by_one_method(tmp_path, twist):
  config = types.SimpleNamespace(
      logdir=str(tmp_path), bound="sixo", twist=twist, batch_size=3,
      max_steps=2)
  runners.run_train(config, _create_own)
  reader = tf.compat.v1.train.load_checkpoint(str(tmp_path))
  assert reader.get_tensor("twist/linear_0/w/Adam").any()
  assert reader.get_tensor("global_step") == 2
