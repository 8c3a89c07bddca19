"""Tests of the Gaussian HMM with a proposal."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from fivo import bounds
from fivo import smc
from fivo.models import ghmm
from tests.models import joint_gaussian
from tests.models.joint_gaussian import data
from tests.models.joint_gaussian import run

NUM_STEPS = 4
STEPS = range(NUM_STEPS)
BATCH = 3
LENGTHS = [NUM_STEPS] * BATCH


def _trainable(proposal_type, num_steps=NUM_STEPS, dtype=tf.float32, seed=0,
               model_class=ghmm.TrainableGaussianHMM):
  return model_class(
      num_steps, proposal_type, dtype=dtype, random_seed=1,
      **joint_gaussian.parameters(num_steps, seed)._asdict())


def _propose_all(model, xs, num_steps):
  """Log weights `[T, batch]` and latents `[T, batch]`, without `smc`."""
  model.set_observations(xs, None)
  state = model.zero_state(xs.shape[1])
  log_weights, states = [], []
  for t in range(num_steps):
    log_weight, state = model.propose_and_weight(state, t)
    log_weights.append(log_weight)
    states.append(state)
  return tf.stack(log_weights), tf.stack(states)


# Exact proposals -------------------------------------------------------------


@pytest.mark.parametrize("proposal_type, num_seen", [
    ("prior", lambda t: 0), ("true-filtering", lambda t: 1),
    ("true-smoothing", lambda t: NUM_STEPS - t)])
def test_weights_are_prior_times_likelihood_over_proposal(
    proposal_type, num_seen):
  """Recomputed in NumPy from the drawn latents and the true proposal."""
  model = _trainable(proposal_type, dtype=tf.float64)
  params = joint_gaussian.parameters(NUM_STEPS)
  xs = data(NUM_STEPS, BATCH)
  log_weights, zs = run(_propose_all(model, xs, NUM_STEPS))
  norm = scipy.stats.norm
  z_prev = np.zeros(BATCH)
  for t in STEPS:
    weight = params.transition_weights[t - 1] if t else 0.
    proposal = joint_gaussian.proposal(
        NUM_STEPS, t, z_prev, xs[t:t + num_seen(t)])
    expected = (
        norm(weight * z_prev, np.sqrt(params.transition_variances[t])
            ).logpdf(zs[t]) +
        norm(params.emission_weights[t] * zs[t],
             np.sqrt(params.emission_variances[t])).logpdf(xs[t]) -
        norm(proposal.mean, np.sqrt(proposal.covariance)).logpdf(zs[t]))
    np.testing.assert_allclose(log_weights[t], expected, rtol=1e-9)
    z_prev = zs[t]


@pytest.mark.parametrize("dtype, tolerance", [
    (tf.float32, 2e-5), (tf.float64, 1e-10)])
def test_true_smoothing_makes_iwae_exact(dtype, tolerance):
  """Every trajectory has the log weight log p(x), whatever pads x.

  In the original a NaN in the padding spread.
  """
  xs = data(NUM_STEPS, NUM_STEPS)
  lengths = np.arange(1, NUM_STEPS + 1, dtype=np.int32)
  expected = []
  for b, length in enumerate(lengths):
    expected.extend(joint_gaussian.log_likelihoods(
        NUM_STEPS, xs[:length, b:b + 1]))
    xs[length:, b] = np.nan
  bound = bounds.iwae(_trainable("true-smoothing", dtype=dtype),
                      tf.constant(xs, dtype), lengths, num_samples=5)
  log_p_hat, log_weights = run([bound.log_p_hat, bound.log_weights])
  np.testing.assert_allclose(log_p_hat, expected, rtol=tolerance)
  np.testing.assert_allclose(
      log_weights[-1], np.tile(np.array(expected)[:, None], [1, 5]),
      rtol=tolerance)


@pytest.mark.filterwarnings("ignore:Converting sparse")
def test_true_smoothing_has_the_gradient_of_the_likelihood():
  """Through the loop, to parameters that are variables.

  Every weight is the likelihood, whatever the noise.
  """
  variables = [
      tf.compat.v1.get_variable(name, initializer=value) for name, value in
      sorted(joint_gaussian.parameters(NUM_STEPS)._asdict().items())]
  model = ghmm.TrainableGaussianHMM(
      NUM_STEPS, "true-smoothing", random_seed=1, dtype=tf.float64,
      **{v.op.name: v for v in variables})
  xs = tf.constant(data(NUM_STEPS, BATCH))
  gradients = [tf.gradients(value, variables) for value in (
      bounds.iwae(model, xs, LENGTHS, num_samples=2).log_p_hat,
      model.likelihood(xs))]
  for actual, expected in zip(*run(gradients)):
    np.testing.assert_allclose(actual, expected, rtol=1e-8)


# What old code calls and overrides --------------------------------------------


def test_attributes():
  """Even if nothing is known of the shapes.

  A message is the mean over the variance of z_t given z_{t-1} = 0 and all
  observations from t on.
  """
  model = _trainable("prior", dtype=tf.float64)
  xs = data(NUM_STEPS, BATCH)
  placeholder = tf.compat.v1.placeholder(tf.float64)
  model.set_observations(placeholder, [NUM_STEPS, NUM_STEPS, 1])
  messages, observations, batch_size = run(
      [[model.messages.read(t) for t in STEPS], model.observations,
       model.batch_size], {placeholder: xs})
  assert batch_size == BATCH
  np.testing.assert_array_equal(observations[:, :2], xs[:, :2])
  assert observations[0, 2] == xs[0, 2] and not observations[1:, 2].any()
  for t in STEPS:
    mean, variance = joint_gaussian.proposal(
        NUM_STEPS, t, np.zeros(2), xs[t:, :2])
    np.testing.assert_allclose(messages[t][:2], mean / variance, rtol=1e-9)
  params = joint_gaussian.parameters(NUM_STEPS)
  np.testing.assert_allclose(
      [m[2] for m in messages],
      [params.emission_weights[0] * xs[0, 2] / params.emission_variances[0],
       0., 0., 0.], rtol=1e-12)


class _Raised(object):
  """A distribution whose log density is 1 nat too high."""

  def __init__(self, dist):
    self._dist = dist
    self.sample = dist.sample

  def log_prob(self, x):
    return self._dist.log_prob(x) + 1.


@pytest.mark.parametrize("name, gain", [
    ("transition", 1), ("emission", 1), ("proposal", -1),
    ("propose_and_weight", 1), ("set_observations", 0)])
def test_overrides_are_what_runs(name, gain):
  """They add 1 nat to something at every step, or double the observations."""

  def override(self, *args):
    original = getattr(ghmm.TrainableGaussianHMM, name)
    if name == "set_observations":
      return original(self, 2 * args[0], args[1])
    result = original(self, *args)
    if name == "propose_and_weight":
      return result[0] + 1., result[1]
    return _Raised(result)

  model = _trainable("true-smoothing", dtype=tf.float64, model_class=type(
      "Own", (ghmm.TrainableGaussianHMM,), {name: override}))
  xs = data(NUM_STEPS, BATCH)
  result = bounds.fivo(model, tf.constant(xs), LENGTHS)
  np.testing.assert_allclose(
      run(result.log_p_hat),
      gain * NUM_STEPS + joint_gaussian.log_likelihoods(
          NUM_STEPS, xs if gain else 2 * xs), rtol=1e-10)


# What crashed in the original -------------------------------------------------


@pytest.mark.parametrize("num_steps, dtype, proposal_type", [
    (1, tf.float64, "smoothing"), (3, tf.float32, "filtering"),
    (1, tf.float64, "true-smoothing"), (1, tf.float32, "true-filtering")])
def test_one_step_one_sequence_float64_and_relaxed_resampling(
    num_steps, dtype, proposal_type):
  model = _trainable(proposal_type, num_steps, dtype)
  xs = tf.constant(data(num_steps, 1, 1), dtype)
  results = [
      bounds.elbo(model, xs, [num_steps]).log_p_hat,
      bounds.fivo(model, xs, [num_steps], num_samples=3,
                  resampling_criterion=smc.always_resample_criterion,
                  resampling_type="relaxed", random_seed=1).log_p_hat]
  for log_p_hat in run(results):
    assert log_p_hat.shape == (1,)
    assert log_p_hat.dtype == dtype.as_numpy_dtype
    assert np.isfinite(log_p_hat).all()


@pytest.mark.parametrize("proposal_type", ["smoothing", "true-smoothing"])
def test_unknown_static_shapes_and_padding(proposal_type):
  """Known shapes or not, zeros or NaN: the same bound and gradients.

  The batch is of fewer steps than the model has.
  """
  model = _trainable(proposal_type)
  xs = data(3, BATCH).astype(np.float32)
  lengths = np.array([3, 1, 2], np.int32)
  past_end = np.arange(3)[:, np.newaxis] >= lengths
  unknown_xs = tf.compat.v1.placeholder(tf.float32, [None, None, 1])
  unknown_lengths = tf.compat.v1.placeholder(tf.int32, [None])
  results = []
  for x, length in ((tf.constant(np.where(past_end, 0., xs), tf.float32),
                     tf.constant(lengths)), (unknown_xs, unknown_lengths)):
    log_p_hat = bounds.iwae(model, x, length, num_samples=2).log_p_hat
    results.append([log_p_hat, tf.gradients(
        log_p_hat, tf.compat.v1.trainable_variables() or [log_p_hat])])
  known, unknown = run(results, {
      unknown_xs: np.where(past_end, np.nan, xs)[..., np.newaxis],
      unknown_lengths: lengths})
  np.testing.assert_allclose(unknown[0], known[0], rtol=1e-5)
  for gradient, known_gradient in zip(unknown[1], known[1]):
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, known_gradient, rtol=1e-4, atol=1e-5)


# Learned proposals -----------------------------------------------------------


def _load_true_proposal(sess, num_steps, num_seen_fn):
  """Loads the learned proposal's variables with the true conditionals.

  The coefficient of each input is the brute-force mean for a unit input.
  """
  joint = joint_gaussian.covariance(num_steps)
  values = {v.op.name: v for v in tf.compat.v1.trainable_variables()}
  for t in range(num_steps):
    givens = ([t - 1] if t else []) + [
        num_steps + s for s in range(t, t + num_seen_fn(t))]
    moments = joint_gaussian.condition(joint, [t], givens, np.eye(len(givens)))
    values["proposal_w_%d" % t].load(moments.mean.T, sess)
    values["proposal_log_variance_%d" % t].load(
        np.log(moments.covariance[0]), sess)


@pytest.mark.parametrize("proposal_type, num_steps, num_seen_fn", [
    ("filtering", NUM_STEPS, lambda t: 1),
    ("smoothing", NUM_STEPS, lambda t: NUM_STEPS - t),
    ("smoothing", 1, lambda t: 1)])
def test_can_express_the_true_conditionals(
    proposal_type, num_steps, num_seen_fn):
  """With the true coefficients, the learned proposal is the true one."""
  xs = tf.constant(data(num_steps, BATCH))
  log_weights = [
      bounds.iwae(_trainable(name, num_steps, tf.float64), xs,
                  [num_steps] * BATCH, num_samples=2).log_weights
      for name in (proposal_type, "true-" + proposal_type)]
  # Golden figures need exactly one draw `[N*B]` per step and model.
  draws = [op for op in tf.compat.v1.get_default_graph().get_operations()
           if op.type == "RandomStandardNormal"]
  assert [(op.get_attr("seed2"), op.outputs[0].shape.as_list())
          for op in draws] == [(1, [2 * BATCH])] * 2
  # The true proposal has nothing to learn.
  assert len(tf.compat.v1.trainable_variables()) == 3 * num_steps
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    _load_true_proposal(sess, num_steps, num_seen_fn)
    learned, true = sess.run(log_weights)
  np.testing.assert_allclose(learned, true, rtol=1e-9)


def test_learned_smoothing_converges_to_the_posterior():
  """Adam on the ELBO closes the gap to 1e-3 nats per timestep.

  Seeds are fixed; of eight others, all gave gaps below 3e-4. The average over
  10,000 fresh sequences adds little noise, for near the optimum every weight is
  close to p(x).
  """
  num_steps, batch_size, num_tests = 3, 128, 10000
  model = _trainable("smoothing", num_steps, seed=1)
  _, xs = model.sample(batch_size, seed=1)
  loss = -tf.reduce_mean(
      bounds.elbo(model, xs, [num_steps] * batch_size).log_p_hat) / num_steps
  global_step = tf.compat.v1.train.get_or_create_global_step()
  learning_rate = tf.compat.v1.train.exponential_decay(
      0.1, global_step, 100, 0.6)
  train_op = tf.compat.v1.train.AdamOptimizer(learning_rate).minimize(
      loss, global_step=global_step)
  _, test_xs = model.sample(num_tests, seed=2)
  gap = tf.reduce_mean(model.likelihood(test_xs) - bounds.elbo(
      model, test_xs, [num_steps] * num_tests).log_p_hat) / num_steps
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    first_gap = sess.run(gap)
    for _ in range(800):
      sess.run(train_op)
    last_gap = sess.run(gap)
  assert first_gap > 0.05
  assert abs(last_gap) < 1e-3
