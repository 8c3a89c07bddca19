"""Tests of the Gaussian HMM and its filters against dense algebra in NumPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from fivo.models import ghmm
from tests.models import joint_gaussian

NUM_STEPS = 4
BATCH = 3
DTYPES = (tf.float32, tf.float64)
TOLERANCES = {tf.float32: 2e-5, tf.float64: 1e-10}
LENGTHS_AND_DTYPES = ((1, tf.float32), (4, tf.float64))

_data = joint_gaussian.data


@pytest.fixture(autouse=True)
def fresh_graph():
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(1)
    yield


def _run(fetches, feed_dict=None):
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    return sess.run(fetches, feed_dict)


def _model(num_steps=NUM_STEPS, dtype=tf.float64):
  return ghmm.GaussianHMM(
      num_steps, dtype=dtype, **joint_gaussian.parameters(num_steps)._asdict())


def _assert_normals(dists, expected, tolerance):
  """Compares the moments of distributions `[batch]` with a list of them."""
  actual = _run([[dist.mean(), dist.variance()] for dist in dists])
  assert len(actual) == len(expected)
  np.testing.assert_allclose(
      actual, expected, rtol=tolerance, atol=tolerance)


def _loop(fn, num_steps, dtype=tf.float64):
  """`fn(t)` for each t of a `tf.while_loop`, a list of Tensors."""
  _, ta = tf.while_loop(
      lambda t, _: t < num_steps, lambda t, ta: (t + 1, ta.write(t, fn(t))),
      (0, tf.TensorArray(dtype, num_steps, infer_shape=False)))
  return [ta.read(t) for t in range(num_steps)]


class TestConditionals(object):
  """Each distribution against the dense joint Gaussian."""

  def test_transition_and_emission(self):
    model = _model()
    params = joint_gaussian.parameters(NUM_STEPS)
    z = _data(BATCH)
    dists, expected = [], []
    for t in range(NUM_STEPS):
      weight = params.transition_weights[t - 1] if t else 0.
      dists += [model.transition(t, z), model.emission(t, z)]
      expected += [
          (weight * z, np.full(BATCH, params.transition_variances[t])),
          (params.emission_weights[t] * z,
           np.full(BATCH, params.emission_variances[t]))]
    _assert_normals(dists, expected, TOLERANCES[tf.float64])

  @pytest.mark.parametrize("num_steps, dtype", LENGTHS_AND_DTYPES)
  def test_filtering_and_smoothing(self, num_steps, dtype):
    """The latter given the observations from t on, or those of all steps."""
    model = _model(num_steps, dtype)
    z, xs = _data(BATCH), _data(num_steps, BATCH)
    steps = range(num_steps)
    filtering = [joint_gaussian.proposal(num_steps, t, z, xs[t:t + 1])
                 for t in steps]
    smoothing = [joint_gaussian.proposal(num_steps, t, z, xs[t:])
                 for t in steps]
    _assert_normals(
        [model.filtering(t, z, xs[t]) for t in steps] +
        [model.smoothing(t, z, xs[t:]) for t in steps] +
        [model.smoothing(t, z, xs) for t in steps],
        filtering + smoothing + smoothing, TOLERANCES[dtype])

  @pytest.mark.parametrize("num_steps, dtype", LENGTHS_AND_DTYPES)
  def test_lookahead(self, num_steps, dtype):
    model = _model(num_steps, dtype)
    z, xs = _data(BATCH), _data(num_steps, BATCH)
    tolerance = TOLERANCES[dtype]
    for t in range(num_steps):
      dist = model.lookahead(t, z)
      expected = joint_gaussian.conditional(
          num_steps, list(range(num_steps + t, 2 * num_steps)), t, z, xs[:0])
      mean, cov, log_prob = _run(
          [dist.mean(), dist.covariance(),
           dist.log_prob(xs[t:].T.astype(dtype.as_numpy_dtype))])
      means = expected.mean.T
      np.testing.assert_allclose(mean, means, rtol=tolerance, atol=tolerance)
      np.testing.assert_allclose(
          cov, np.broadcast_to(expected.covariance, cov.shape),
          rtol=tolerance, atol=tolerance)
      np.testing.assert_allclose(log_prob, [
          scipy.stats.multivariate_normal(m, expected.covariance).logpdf(x)
          for m, x in zip(means, xs[t:].T)], rtol=tolerance)

  @pytest.mark.parametrize("num_steps, dtype", LENGTHS_AND_DTYPES)
  def test_joint_gaussian(self, num_steps, dtype):
    model = _model(num_steps, dtype)
    xs = _data(num_steps, BATCH).astype(dtype.as_numpy_dtype)
    z, x, zx, log_prob, likelihood = _run([
        model.sigma_z, model.sigma_x, model.sigma_zx,
        model.obs_dist.log_prob(xs.T), model.likelihood(xs)])
    assert z.dtype == likelihood.dtype == dtype.as_numpy_dtype
    np.testing.assert_allclose(
        np.block([[z, zx], [zx.T, x]]), joint_gaussian.covariance(num_steps),
        rtol=TOLERANCES[dtype])
    expected = joint_gaussian.log_likelihoods(num_steps, xs)
    np.testing.assert_allclose(log_prob, expected, rtol=TOLERANCES[dtype])
    np.testing.assert_allclose(likelihood, expected, rtol=TOLERANCES[dtype])

  @pytest.mark.parametrize("num_steps, dtype", LENGTHS_AND_DTYPES)
  def test_filtered_and_smoothed(self, num_steps, dtype):
    xs = _data(num_steps, BATCH)
    model = _model(num_steps, dtype)
    joint = joint_gaussian.covariance(num_steps)
    actual = _run([model.filtered(xs), model.smoothed(xs)])
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


class TestParameters(object):

  def test_scalars_mean_all_timesteps(self):
    xs = _data(3, 2)
    scalars = ghmm.GaussianHMM(3, 0.5, 2., -0.7, 1.5, dtype=tf.float64)
    lists = ghmm.GaussianHMM(
        3, [0.5] * 3, (2., 2., 2.), np.array([-0.7, -0.7]), [1.5] * 3,
        dtype=tf.float64)
    first, second = _run([scalars.likelihood(xs), lists.likelihood(xs)])
    np.testing.assert_array_equal(first, second)

  def test_python_floats_keep_float64(self):
    mean = _run(ghmm.GaussianHMM(1, dtype=tf.float64).emission(0, 0.1).mean())
    assert mean == 0.1

  def test_variables_placeholders_and_lists_of_tensors(self):
    """All kinds give the figures of numbers; shapes may be unknown."""
    params = joint_gaussian.parameters(NUM_STEPS)
    z, xs = _data(BATCH), _data(NUM_STEPS, BATCH)
    unknown = tf.compat.v1.placeholder(tf.float64)
    model = ghmm.GaussianHMM(
        NUM_STEPS,
        transition_variances=tf.compat.v1.get_variable(
            "v", initializer=params.transition_variances),
        emission_variances=unknown,
        transition_weights=[tf.constant(w) for w in params.transition_weights],
        emission_weights=tf.compat.v1.get_variable(
            "h", initializer=params.emission_weights, use_resource=True),
        dtype=tf.float64)
    actual, expected = [
        [m.likelihood(xs), m.smoothing(1, z, xs[1:]).mean(), m.smoothed(xs),
         m.lookahead(1, z).log_prob(xs[1:].T), m.sigma_zx]
        for m in (model, _model())]
    actual, expected = _run(
        [tf.nest.flatten(actual), tf.nest.flatten(expected)],
        {unknown: params.emission_variances})
    for a, b in zip(actual, expected):
      np.testing.assert_allclose(a, b, rtol=1e-12)

  def test_gradients(self):
    """The Kalman filter's are those of the dense Gaussian, and those of
    finite differences."""
    params = joint_gaussian.parameters(NUM_STEPS)
    placeholders = [tf.compat.v1.placeholder(tf.float64, value.shape)
                    for value in params]
    model = ghmm.GaussianHMM(NUM_STEPS, *placeholders, dtype=tf.float64)
    xs = _data(NUM_STEPS, BATCH)
    likelihood = tf.reduce_sum(model.likelihood(xs))
    gradients = [tf.gradients(value, placeholders) for value in (
        likelihood, model.obs_dist.log_prob(xs.T))]
    directions = joint_gaussian.parameters(NUM_STEPS, seed=1)
    step = 1e-6
    with tf.compat.v1.Session() as sess:
      filtered, dense = sess.run(gradients, dict(zip(placeholders, params)))
      above, below = [sess.run(likelihood, {
          p: value + sign * step * direction
          for p, value, direction in zip(placeholders, params, directions)})
                      for sign in (1, -1)]
    for a, b in zip(filtered, dense):
      np.testing.assert_allclose(a, b, rtol=1e-9)
    slope = sum((g * d).sum() for g, d in zip(filtered, directions))
    np.testing.assert_allclose((above - below) / (2 * step), slope, rtol=1e-7)

  def test_readable_per_timestep(self):
    params = joint_gaussian.parameters(NUM_STEPS)
    model = _model()
    for name, expected in params._asdict().items():
      series = getattr(model, name)
      assert len(series) == len(expected)
      steps = range(len(expected))
      values = _run([
          [series[t] for t in steps], [series.read(t) for t in steps],
          _loop(series.read, len(expected)), series.stack(), list(series)])
      np.testing.assert_array_equal(values, [expected] * 5)


class TestArguments(object):
  """What callers may pass."""

  def test_shapes_of_latents(self):
    """Scalars, `[batch]`, `[N, batch]`, and None before the first step."""
    model = _model()
    xs = _data(NUM_STEPS)
    for shape in [(), (1,), (5,), (2, 5)]:
      z = np.ones(shape)
      for dist in [model.transition(1, z), model.emission(1, z),
                   model.filtering(1, z, z), model.smoothing(1, z, xs[1:])]:
        assert dist.batch_shape.as_list() == list(shape)
      assert model.lookahead(1, z).batch_shape.as_list() == list(shape)
      assert model.lookahead(1, z).event_shape.as_list() == [NUM_STEPS - 1]

  def test_latent_before_the_first_step_has_no_influence(self):
    model = _model()
    xs = _data(NUM_STEPS, BATCH)
    means = _run([
        [model.filtering(0, z, xs[0]).mean(), model.smoothing(0, z, xs).mean(),
         model.transition(0, z).mean() + np.zeros(BATCH),
         model.lookahead(0, z).mean() + np.zeros([BATCH, NUM_STEPS])]
        for z in (None, np.zeros(BATCH), np.full(BATCH, 3.))])
    for other in means[1:]:
      for mean, none_mean in zip(other, means[0]):
        np.testing.assert_array_equal(mean, none_mean)

  def test_lists_of_tensors_and_other_dtypes(self):
    model = _model(dtype=tf.float64)
    xs = _data(NUM_STEPS, BATCH).astype(np.float32)
    z = xs[0]
    rows = [tf.constant(x) for x in xs[1:]]
    means = _run([model.smoothing(1, z, xs[1:]).mean(),
                  model.smoothing(1, tf.constant(z), rows).mean(),
                  model.smoothing(1, list(z), xs[1:].tolist()).mean()])
    np.testing.assert_allclose(means[1], means[0], rtol=1e-12)
    np.testing.assert_allclose(means[2], means[0], rtol=1e-12)

  def test_tensor_timesteps_in_a_loop(self):
    """Smoothing is given all observations, or only those from t on."""
    model = _model()
    z, xs = _data(BATCH), tf.constant(_data(NUM_STEPS, BATCH))

    def moments(t):
      dists = [model.transition(t, z), model.emission(t, z),
               model.filtering(t, z, tf.gather(xs, t)),
               model.smoothing(t, z, xs), model.smoothing(t, z, xs[t:])]
      return tf.stack([[dist.mean(), dist.variance()] for dist in dists])

    in_loop, with_ints = _run(
        [_loop(moments, NUM_STEPS), [moments(t) for t in range(NUM_STEPS)]])
    np.testing.assert_allclose(in_loop, with_ints, rtol=1e-12)

  def test_lookahead_in_a_loop(self):
    """The event shape `[T - t]` comes out right at run time."""
    model = _model()
    z, xs = _data(BATCH), tf.constant(_data(NUM_STEPS, BATCH).T)

    def log_prob(t):
      return model.lookahead(t, z).log_prob(xs[:, t:])

    steps = range(NUM_STEPS)
    in_loop, with_ints, means, shapes = _run([
        _loop(lambda t: log_prob(tf.cast(t, tf.int64)), NUM_STEPS),
        [log_prob(t) for t in steps],
        _loop(lambda t: model.lookahead(t, z).mean(), NUM_STEPS),
        _loop(lambda t: model.lookahead(t, z).event_shape_tensor(), NUM_STEPS,
              tf.int32)])
    np.testing.assert_allclose(in_loop, with_ints, rtol=1e-12)
    assert [m.shape for m in means] == [(BATCH, NUM_STEPS - t) for t in steps]
    np.testing.assert_array_equal(shapes, [[NUM_STEPS - t] for t in steps])

  @pytest.mark.parametrize("shape", [[None, None, None], None])
  def test_unknown_static_shapes(self, shape):
    model = _model()
    xs = _data(NUM_STEPS, BATCH)
    fed = xs[..., np.newaxis] if shape and len(shape) == 3 else xs
    placeholder = tf.compat.v1.placeholder(tf.float64, shape)
    known, unknown = _run(
        [[model.likelihood(x), model.smoothing(1, _data(BATCH), x[1:]).mean()]
         for x in (tf.constant(xs), placeholder)], {placeholder: fed})
    np.testing.assert_allclose(unknown[0], known[0], rtol=1e-12)
    np.testing.assert_allclose(unknown[1], known[1], rtol=1e-12)


class TestLongSequences(object):
  """A thousand steps, where dense algebra in float32 would lose its digits."""

  NUM_STEPS = 1000

  def test_likelihood_and_lookahead(self):
    params = joint_gaussian.parameters(self.NUM_STEPS)
    xs = _data(self.NUM_STEPS, 2)
    expected = joint_gaussian.log_likelihoods(self.NUM_STEPS, xs)
    for dtype, tolerance in [(tf.float32, 1e-5), (tf.float64, 1e-11)]:
      model = ghmm.GaussianHMM(
          self.NUM_STEPS, dtype=dtype, **params._asdict())
      likelihood, lookahead = _run([
          model.likelihood(xs),
          model.lookahead(0, None).log_prob(
              xs.T.astype(dtype.as_numpy_dtype))])
      np.testing.assert_allclose(likelihood, expected, rtol=tolerance)
      np.testing.assert_allclose(lookahead, expected, rtol=tolerance)

  def test_exploding_chain(self):
    """Weights of 2 multiply to 1e301, but what is observed stays tame.

    The latents given the observations are near them.
    """
    xs = np.random.RandomState(0).normal(size=[self.NUM_STEPS, 2])
    results = []
    for dtype in DTYPES:
      model = ghmm.GaussianHMM(
          self.NUM_STEPS, transition_weights=2., dtype=dtype)
      results.append(_run([model.likelihood(xs), model.smoothed(xs)[0]]))
    for single, double in zip(*results):
      np.testing.assert_allclose(single, double, rtol=1e-5, atol=1e-5)
    assert np.abs(results[1][1] - xs).max() < 10


class TestSample(object):

  def test_moments(self):
    """The empirical second moments of (z, x) are the model's.

    Each of the 2T(2T+1)/2 = 36 moments of 50,000 draws has a standard error of
    at most sqrt((c_ii c_jj + c_ij^2) / 50,000). All 36, and the 8 means, lie
    within 5 of theirs but for a chance of 44 * 6e-7 < 3e-5 over seeds.
    """
    num_draws = 50000
    latents, observations = _run(
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

  def test_seeds(self):
    model = _model()
    first, again, other, unseeded = _run(
        [model.sample(2, seed=0), model.sample(2, seed=0),
         model.sample(2, seed=1), model.sample(2)])
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, other).any()
    assert not np.isin(first, unseeded).any()
