"""Tests of the distribution with parameters of its own at every timestep."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from fivo.models import base

NonstationaryLinearDistribution = base.NonstationaryLinearDistribution


@pytest.fixture(autouse=True)
def fresh_graph():
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(1)
    yield


def _run(*fetches):
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    return sess.run(fetches)


def _variable_names():
  return [v.op.name for v in tf.compat.v1.trainable_variables()]


def _loop_locs(dist, inputs, num_steps, fetch="loc"):
  """The parameters of each step, from inside a while_loop: `[steps, ...]`.

  Step t gets the rows of `inputs` that it takes, cut at run time.
  """
  sizes = tf.constant([w.shape.as_list()[0] for w in dist.mean_weights])
  ta = tf.TensorArray(dist.mean_weights[0].dtype.base_dtype, num_steps,
                      infer_shape=False)

  def body(t, ta):
    made = dist(t, inputs[:sizes[t]])
    return t + 1, ta.write(t, getattr(made, fetch))

  _, ta = tf.while_loop(lambda t, _: t < num_steps, body, (0, ta))
  return [ta.read(t) for t in range(num_steps)]


def test_sizes_default_to_one_per_timestep():
  dist = NonstationaryLinearDistribution(3)
  assert [w.shape.as_list() for w in dist.mean_weights] == [[1, 1]] * 3
  made = dist(2, [[1., 2.]])
  assert made.batch_shape.as_list() == [1, 2]


def test_initial_values_are_xavier_and_zeros():
  """A uniform of limit sqrt(6 / (400 + 200)).

  The largest of 80,000 draws is within 0.1 % of it but for a chance of
  exp(-80).
  """
  dist = NonstationaryLinearDistribution(1, [400], [200])
  w, b, log_variance = _run(
      dist.mean_weights[0], dist.mean_biases[0], dist.log_variances[0])
  limit = np.sqrt(6 / 600)
  assert 0.999 * limit < np.abs(w).max() <= limit
  assert not b.any() and not log_variance.any()


def test_initializers_are_used():
  """That of the biases is that of the log variances too."""
  dist = NonstationaryLinearDistribution(
      1, [2], initializers={"w": tf.compat.v1.initializers.constant(3.),
                            "b": tf.compat.v1.initializers.constant(-1.)})
  loc, scale = _run(*[getattr(dist(0, [[1.], [2.]]), name)
                      for name in ("loc", "scale")])
  np.testing.assert_allclose(loc, [[8.]])
  np.testing.assert_allclose(scale, [[np.exp(-.5)]])


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_parameters_with_an_int_and_in_a_loop(dtype):
  """Steps with 3, 1 and 2 inputs; a loop's inputs have unknown length."""
  uniform = tf.compat.v1.initializers.random_uniform(-1., 1.)
  dist = NonstationaryLinearDistribution(
      3, inputs_per_timestep=[3, 1, 2], outputs_per_timestep=[2, 2, 2],
      initializers={"w": uniform, "b": uniform}, dtype=dtype)
  inputs = np.random.RandomState(0).normal(size=[3, 5])
  x = tf.constant(inputs, dtype)
  with_int = [dist(t, x[:n]).loc for t, n in enumerate([3, 1, 2])]
  in_loop = _loop_locs(dist, x, 3)
  weights, biases, with_int, in_loop = _run(
      dist.mean_weights, dist.mean_biases, with_int, in_loop)
  for t, w in enumerate(weights):
    expected = w.T.dot(inputs[:len(w)]) + biases[t][:, np.newaxis]
    tolerance = 1e-5 if dtype == tf.float32 else 1e-12
    np.testing.assert_allclose(with_int[t], expected, rtol=tolerance,
                               atol=tolerance)
    np.testing.assert_allclose(in_loop[t], expected, rtol=tolerance,
                               atol=tolerance)
    assert with_int[t].dtype == dtype.as_numpy_dtype


def test_steps_with_different_numbers_of_outputs_in_a_loop():
  uniform = tf.compat.v1.initializers.random_uniform(-1., 1.)
  dist = NonstationaryLinearDistribution(
      2, [1, 2], [3, 2], initializers={"w": uniform, "b": uniform})
  x = tf.constant([[1., 2.], [3., 4.]])
  locs, scales, expected = _run(
      _loop_locs(dist, x, 2), _loop_locs(dist, x, 2, "scale"),
      [dist(0, x[:1]).loc, dist(1, x).loc])
  for t in range(2):
    np.testing.assert_allclose(locs[t], expected[t], rtol=1e-6)
  assert [s.shape for s in scales] == [(3, 1), (2, 1)]


@pytest.mark.parametrize("to_variance_min", [float, tf.constant])
def test_scale_is_the_root_of_the_floored_variance(to_variance_min):
  dist = NonstationaryLinearDistribution(
      2, variance_min=to_variance_min(0.25))
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    dist.log_variances[0].load([np.log(0.01)], sess)
    dist.log_variances[1].load([np.log(4.)], sess)
    scales = sess.run([dist(t, [[0., 0.]]).stddev() for t in range(2)] +
                      _loop_locs(dist, tf.zeros([1, 2]), 2, "scale"))
  np.testing.assert_allclose(scales[0], [[0.5, 0.5]], rtol=1e-6)
  np.testing.assert_allclose(scales[1], [[2., 2.]], rtol=1e-6)
  np.testing.assert_allclose(scales[2:], [[[0.5]], [[2.]]], rtol=1e-6)


def test_output_distribution_is_given_loc_and_scale_by_name():
  dist = NonstationaryLinearDistribution(
      1, output_distribution=lambda scale, loc: (loc, scale))
  loc, scale = dist(0, [[1., 2.]])
  assert loc.shape.as_list() == [1, 2] and scale.shape.as_list() == [1, 1]


def test_gradients_through_a_loop():
  """Each step's variables get that step's gradient; unreached steps, zero.

  The sum of all locs has the gradient sum_b inputs for w, B for b.
  """
  dist = NonstationaryLinearDistribution(3, [3, 1, 2])
  x = tf.constant([[1., 2.], [3., 4.], [5., 6.]])
  num_steps = tf.compat.v1.placeholder_with_default(2, [])
  sizes = tf.constant([3, 1, 2])

  def body(t, total):
    made = dist(t, x[:sizes[t]])
    return t + 1, total + tf.reduce_sum(made.loc + made.scale)

  _, total = tf.while_loop(lambda t, _: t < num_steps, body, (0, 0.))
  with warnings.catch_warnings():
    # The gradient of a gather would be sparse, made dense with a warning.
    warnings.simplefilter("error")
    gradients = tf.gradients(
        total, dist.mean_weights + dist.mean_biases + dist.log_variances)
  w_0, w_1, w_2, b_0, b_1, b_2, v_0, v_1, v_2 = _run(*gradients)
  np.testing.assert_allclose(w_0, [[3.], [7.], [11.]])
  np.testing.assert_allclose(w_1, [[3.]])
  np.testing.assert_allclose(w_2, [[0.], [0.]])
  np.testing.assert_allclose([b_0, b_1, b_2], [[2.], [2.], [0.]])
  # scale = exp(log_variance / 2) is added once for each of two columns.
  np.testing.assert_allclose([v_0, v_1, v_2], [[1.], [1.], [0.]])


def test_two_distributions_in_one_graph():
  """The original raised that the variable already exists.

  The first keeps the plain names, for the sake of checkpoints.
  """
  for _ in range(3):
    NonstationaryLinearDistribution(1)
  names = _variable_names()
  assert len(set(names)) == 9
  assert names[:3] == [
      "proposal_w_0", "proposal_b_0", "proposal_log_variance_0"]
  assert names[3] == "nonstationary_linear_distribution/proposal_w_0"
  assert names[6] == "nonstationary_linear_distribution_1/proposal_w_0"


def test_variable_scopes_are_respected():
  with tf.compat.v1.variable_scope("model"):
    NonstationaryLinearDistribution(1)
  with tf.compat.v1.variable_scope("model"):
    NonstationaryLinearDistribution(1)
  NonstationaryLinearDistribution(1)
  assert [n for n in _variable_names() if n.endswith("w_0")] == [
      "model/proposal_w_0",
      "model/nonstationary_linear_distribution/proposal_w_0",
      "proposal_w_0"]


@pytest.mark.parametrize("reuse", [True, tf.compat.v1.AUTO_REUSE])
def test_reusing_scopes_share_variables(reuse):
  with tf.compat.v1.variable_scope("model"):
    first = NonstationaryLinearDistribution(2)
  with tf.compat.v1.variable_scope("model", reuse=reuse):
    second = NonstationaryLinearDistribution(2)
  assert first.mean_weights == second.mean_weights
  assert len(_variable_names()) == 6
