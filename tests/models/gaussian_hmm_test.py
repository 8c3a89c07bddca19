"""Tests of the Gaussian HMM and its filters against dense algebra in NumPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from fivo.models import gaussian_hmm
from tests.models import joint_gaussian
from tests.models.joint_gaussian import data
from tests.models.joint_gaussian import run

NUM_STEPS = 4
STEPS = range(NUM_STEPS)
BATCH = 3
TOLERANCES = {tf.float32: 2e-5, tf.float64: 1e-10}
each_length = pytest.mark.parametrize(
    "num_steps, dtype", [(1, tf.float32), (4, tf.float64)])


def _model(num_steps=NUM_STEPS, dtype=tf.float64):
  return gaussian_hmm.GaussianHMM(
      num_steps, dtype=dtype, **joint_gaussian.parameters(num_steps)._asdict())


def _loop(fn, num_steps, dtype=tf.float64):
  """`fn(t)` for each t of a `tf.while_loop`, a list of Tensors."""
  _, ta = tf.while_loop(
      lambda t, _: t < num_steps, lambda t, ta: (t + 1, ta.write(t, fn(t))),
      (0, tf.TensorArray(dtype, num_steps, infer_shape=False)))
  return [ta.read(t) for t in range(num_steps)]


# Each distribution against the dense joint Gaussian ---------------------------


@each_length
def test_filtering_and_smoothing(num_steps, dtype):
  """The latter given the observations from t on, or those of all steps."""
  model = _model(num_steps, dtype)
  z, xs = data(BATCH), data(num_steps, BATCH)
  steps = range(num_steps)
  filtering = [joint_gaussian.proposal(num_steps, t, z, xs[t:t + 1])
               for t in steps]
  smoothing = [joint_gaussian.proposal(num_steps, t, z, xs[t:]) for t in steps]
  dists = ([model.filtering(t, z, xs[t]) for t in steps] +
           [model.smoothing(t, z, xs[t:]) for t in steps] +
           [model.smoothing(t, z, xs) for t in steps])
  np.testing.assert_allclose(
      run([[dist.mean(), dist.variance()] for dist in dists]),
      filtering + smoothing + smoothing, rtol=TOLERANCES[dtype],
      atol=TOLERANCES[dtype])


@each_length
def test_lookahead(num_steps, dtype):
  model = _model(num_steps, dtype)
  z, xs = data(BATCH), data(num_steps, BATCH)
  dists = [model.lookahead(t, z) for t in range(num_steps)]
  actual = run([
      [dist.mean(), dist.covariance(),
       dist.log_prob(xs[t:].T.astype(dtype.as_numpy_dtype))]
      for t, dist in enumerate(dists)])
  tolerance = TOLERANCES[dtype]
  for t, (mean, cov, log_prob) in enumerate(actual):
    expected = joint_gaussian.conditional(
        num_steps, list(range(num_steps + t, 2 * num_steps)), t, z, xs[:0])
    means = expected.mean.T
    np.testing.assert_allclose(mean, means, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        cov, np.broadcast_to(expected.covariance, cov.shape),
        rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(log_prob, [
        scipy.stats.multivariate_normal(m, expected.covariance).logpdf(x)
        for m, x in zip(means, xs[t:].T)], rtol=tolerance)


@each_length
def test_joint_gaussian(num_steps, dtype):
  model = _model(num_steps, dtype)
  xs = data(num_steps, BATCH).astype(dtype.as_numpy_dtype)
  z, x, zx, log_prob, likelihood = run([
      model.sigma_z, model.sigma_x, model.sigma_zx,
      model.obs_dist.log_prob(xs.T), model.likelihood(xs)])
  assert z.dtype == likelihood.dtype == dtype.as_numpy_dtype
  np.testing.assert_allclose(
      np.block([[z, zx], [zx.T, x]]), joint_gaussian.covariance(num_steps),
      rtol=TOLERANCES[dtype])
  expected = joint_gaussian.log_likelihoods(num_steps, xs)
  np.testing.assert_allclose(log_prob, expected, rtol=TOLERANCES[dtype])
  np.testing.assert_allclose(likelihood, expected, rtol=TOLERANCES[dtype])


@each_length
def test_filtered_and_smoothed(num_steps, dtype):
  xs = data(num_steps, BATCH)
  model = _model(num_steps, dtype)
  joint = joint_gaussian.covariance(num_steps)
  actual = run([model.filtered(xs), model.smoothed(xs)])
  for (means, variances), num_seen in zip(
      actual, [lambda t: t + 1, lambda t: num_steps]):
    assert means.shape == (num_steps, BATCH)
    assert variances.shape == (num_steps,)
    for t in range(num_steps):
      seen = range(num_steps, num_steps + num_seen(t))
      expected = joint_gaussian.condition(
          joint, [t], list(seen), xs[:num_seen(t)])
      np.testing.assert_allclose(
          means[t], expected.mean[0], rtol=TOLERANCES[dtype])
      np.testing.assert_allclose(
          variances[t], expected.covariance[0, 0], rtol=TOLERANCES[dtype])


# Parameters ------------------------------------------------------------------


def test_scalars_mean_all_timesteps():
  xs = data(3, 2)
  scalars = gaussian_hmm.GaussianHMM(3, 0.5, 2., -0.7, 1.5, dtype=tf.float64)
  lists = gaussian_hmm.GaussianHMM(
      3, [0.5] * 3, (2., 2., 2.), np.array([-0.7, -0.7]), [1.5] * 3,
      dtype=tf.float64)
  first, second, mean = run([
      scalars.likelihood(xs), lists.likelihood(xs),
      gaussian_hmm.GaussianHMM(1, dtype=tf.float64).emission(0, 0.1).mean()])
  np.testing.assert_array_equal(first, second)
  assert mean == 0.1  # Python floats keep the digits of float64.


def test_variables_placeholders_and_lists_of_tensors():
  """All kinds give the figures of numbers; shapes may be unknown."""
  params = joint_gaussian.parameters(NUM_STEPS)
  z, xs = data(BATCH), data(NUM_STEPS, BATCH)
  unknown = tf.compat.v1.placeholder(tf.float64)
  model = gaussian_hmm.GaussianHMM(
      NUM_STEPS,
      transition_variances=tf.compat.v1.get_variable(
          "v", initializer=params.transition_variances),
      emission_variances=unknown,
      transition_weights=[tf.constant(w) for w in params.transition_weights],
      emission_weights=tf.compat.v1.get_variable(
          "h", initializer=params.emission_weights, use_resource=True),
      dtype=tf.float64)
  results = [
      [m.likelihood(xs), m.smoothing(1, z, xs[1:]).mean(), *m.smoothed(xs),
       m.lookahead(1, z).log_prob(xs[1:].T), m.sigma_zx]
      for m in (model, _model())]
  for a, b in zip(*run(results, {unknown: params.emission_variances})):
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_gradients():
  """The Kalman filter's are the dense Gaussian's."""
  params = joint_gaussian.parameters(NUM_STEPS)
  placeholders = [tf.compat.v1.placeholder(tf.float64, value.shape)
                  for value in params]
  model = gaussian_hmm.GaussianHMM(NUM_STEPS, *placeholders, dtype=tf.float64)
  xs = data(NUM_STEPS, BATCH)
  gradients = [tf.gradients(value, placeholders) for value in (
      model.likelihood(xs), model.obs_dist.log_prob(xs.T))]
  for a, b in zip(*run(gradients, dict(zip(placeholders, params)))):
    np.testing.assert_allclose(a, b, rtol=1e-9)


def test_readable_per_timestep():
  params = joint_gaussian.parameters(NUM_STEPS)
  model = _model()
  for name, expected in params._asdict().items():
    series = getattr(model, name)
    assert len(series) == len(expected)
    steps = range(len(expected))
    values = run([
        [series[t] for t in steps], [series.read(t) for t in steps],
        _loop(series.read, len(expected)), series.stack(), list(series)])
    np.testing.assert_array_equal(values, [expected] * 5)


# What callers may pass -------------------------------------------------------


def test_shapes_of_latents():
  """Scalars, `[batch]`, `[N, batch]`, and None before the first step."""
  model = _model()
  xs = data(NUM_STEPS)
  for t, z in [(0, None), (1, 1.), (1, np.ones(1)), (1, np.ones([2, 5]))]:
    lookahead = model.lookahead(t, z)
    for dist in [model.transition(t, z), model.emission(1, z), lookahead,
                 model.filtering(t, z, 2.), model.smoothing(t, z, xs[t:])]:
      assert dist.batch_shape.as_list() == list(np.shape(0. if t == 0 else z))
    assert lookahead.event_shape.as_list() == [NUM_STEPS - t]


def test_kinds_of_observations():
  """Arrays, lists of Tensors, nested lists, other dtypes, unknown shapes."""
  model = _model()
  xs = data(NUM_STEPS, BATCH).astype(np.float32)
  unknown, column = [
      tf.compat.v1.placeholder(tf.float64, shape)
      for shape in (None, [None, None, None])]
  feed = {unknown: xs, column: xs[..., np.newaxis]}
  likelihoods, means = run([
      [model.likelihood(x) for x in (xs, unknown, column)],
      [model.smoothing(1, z, x).mean() for z, x in (
          (xs[0], xs[1:]), (xs[0], unknown[1:]), (xs[0], column[1:]),
          (tf.constant(xs[0]), [tf.constant(x) for x in xs[1:]]),
          (list(xs[0]), xs[1:].tolist()))]], feed)
  for values in (likelihoods, means):
    for value in values[1:]:
      np.testing.assert_allclose(value, values[0], rtol=1e-12)


def test_tensor_timesteps_in_a_loop():
  """Smoothing is given all observations, or only those from t on.

  The event shape `[T - t]` of `lookahead` comes out right at run time.
  """
  model = _model()
  z, xs = data(BATCH), tf.constant(data(NUM_STEPS, BATCH))

  def moments(t):
    dists = [model.transition(t, z), model.emission(t, z),
             model.filtering(t, z, tf.gather(xs, t)),
             model.smoothing(t, z, xs), model.smoothing(t, z, xs[t:])]
    return tf.stack([[dist.mean(), dist.variance()] for dist in dists])

  def log_prob(t):
    return model.lookahead(t, z).log_prob(tf.transpose(xs)[:, t:])

  moments, log_probs, means, shapes = run([
      [_loop(moments, NUM_STEPS), [moments(t) for t in STEPS]],
      [_loop(lambda t: log_prob(tf.cast(t, tf.int64)), NUM_STEPS),
       [log_prob(t) for t in STEPS]],
      _loop(lambda t: model.lookahead(t, z).mean(), NUM_STEPS),
      _loop(lambda t: model.lookahead(t, z).event_shape_tensor(), NUM_STEPS,
            tf.int32)])
  for in_loop, with_ints in (moments, log_probs):
    np.testing.assert_allclose(in_loop, with_ints, rtol=1e-12)
  assert [m.shape for m in means] == [(BATCH, NUM_STEPS - t) for t in STEPS]
  np.testing.assert_array_equal(shapes, [[NUM_STEPS - t] for t in STEPS])


# A thousand steps, where dense algebra in float32 would lose its digits -------


def test_likelihood_and_lookahead_of_long_sequences():
  params = joint_gaussian.parameters(1000)
  xs = data(1000, 2)
  expected = joint_gaussian.log_likelihoods(1000, xs)
  for dtype, tolerance in [(tf.float32, 1e-5), (tf.float64, 1e-11)]:
    model = gaussian_hmm.GaussianHMM(1000, dtype=dtype, **params._asdict())
    for actual in run([
        model.likelihood(xs), model.lookahead(0, None).log_prob(
            xs.T.astype(dtype.as_numpy_dtype))]):
      np.testing.assert_allclose(actual, expected, rtol=tolerance)


def test_exploding_chain():
  """Weights of 2 multiply to 1e301, but what is observed stays tame.

  The latents given the observations are near them.
  """
  xs = np.random.RandomState(0).normal(size=[1000, 2])
  models = [gaussian_hmm.GaussianHMM(1000, transition_weights=2., dtype=dtype)
            for dtype in (tf.float32, tf.float64)]
  results = run([[model.likelihood(xs), model.smoothed(xs)[0]]
                 for model in models])
  for single, double in zip(*results):
    np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-5)
  assert np.abs(results[1][1] - xs).max() < 10


# Samples ---------------------------------------------------------------------


def test_moments_of_samples():
  """The empirical second moments of (z, x) are the model's.

  Each of the 2T(2T+1)/2 = 36 moments of 50,000 draws has a standard error of at
  most sqrt((c_ii c_jj + c_ij^2) / 50,000). All 36, and the 8 means, lie within
  5 of theirs but for a chance of 44 * 6e-7 < 3e-5 over seeds.
  """
  num_draws = 50000
  latents, observations = run(
      _model(dtype=tf.float32).sample(num_draws, seed=3))
  assert latents.shape == observations.shape == (NUM_STEPS, num_draws)
  draws = np.concatenate([latents, observations]).astype(np.float64)
  covariance = joint_gaussian.covariance(NUM_STEPS)
  variances = np.diag(covariance)
  moment_errors = np.sqrt(
      (np.outer(variances, variances) + covariance ** 2) / num_draws)
  deviations = (draws.dot(draws.T) / num_draws - covariance) / moment_errors
  assert np.abs(deviations).max() < 5
  mean_deviations = draws.mean(axis=1) / np.sqrt(variances / num_draws)
  assert np.abs(mean_deviations).max() < 5
