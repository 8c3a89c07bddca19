"""Tests of the distribution with parameters of its own at every timestep."""

import warnings

import numpy as np
import pytest
import tensorflow as tf

from fivo.models.base import NonstationaryLinearDistribution
from tests.models.joint_gaussian import run


def _variable_names():
  return [v.op.name for v in tf.compat.v1.trainable_variables()]


def _in_loop(dist, inputs, fetch="loc"):
  """The parameters of each step, from inside a while_loop: `[steps, ...]`.

  Step t gets the rows of `inputs` that it takes, cut at run time.
  """
  num_steps = len(dist.mean_weights)
  sizes = tf.constant([w.shape.as_list()[0] for w in dist.mean_weights])
  ta = tf.TensorArray(dist.mean_weights[0].dtype.base_dtype, num_steps,
                      infer_shape=False)
  _, ta = tf.while_loop(
      lambda t, _: t < num_steps, lambda t, ta: (t + 1, ta.write(
          t, getattr(dist(t, inputs[:sizes[t]]), fetch))), (0, ta))
  return [ta.read(t) for t in range(num_steps)]


def test_initial_values_are_xavier_and_zeros():
  """A uniform of limit sqrt(6 / (400 + 200)).

  The largest of 80,000 draws is within 0.1 % of it but for a chance of
  exp(-80).
  """
  dist = NonstationaryLinearDistribution(1, [400], [200])
  w, b, log_variance = run(
      [dist.mean_weights[0], dist.mean_biases[0], dist.log_variances[0]])
  limit = np.sqrt(6 / 600)
  assert 0.999 * limit < np.abs(w).max() <= limit
  assert not b.any() and not log_variance.any()


def test_initializers_and_output_distribution():
  """The biases' is that of the log variances too; parameters go by name."""
  dist = NonstationaryLinearDistribution(
      1, [2], initializers={"w": tf.compat.v1.initializers.constant(3.),
                            "b": tf.compat.v1.initializers.constant(-1.)},
      output_distribution=lambda scale, loc: (loc, scale))
  loc, scale = run(dist(0, [[1.], [2.]]))
  np.testing.assert_allclose(loc, [[8.]])
  np.testing.assert_allclose(scale, [[np.exp(-.5)]])


@pytest.mark.parametrize("dtype, tolerance", [
    (tf.float32, 1e-5), (tf.float64, 1e-12)])
@pytest.mark.parametrize("num_outputs", [[2, 2, 2], [3, 1, 2]])
def test_parameters_with_an_int_and_in_a_loop(dtype, tolerance, num_outputs):
  """Steps with 3, 1 and 2 inputs; a loop's inputs have unknown length."""
  uniform = tf.compat.v1.initializers.random_uniform(-1., 1.)
  dist = NonstationaryLinearDistribution(
      3, [3, 1, 2], num_outputs, {"w": uniform, "b": uniform}, dtype=dtype)
  inputs = np.random.RandomState(0).normal(size=[3, 5])
  x = tf.constant(inputs, dtype)
  with_int = [dist(t, x[:n]).loc for t, n in enumerate([3, 1, 2])]
  weights, biases, with_int, in_loop, scales = run([
      dist.mean_weights, dist.mean_biases, with_int, _in_loop(dist, x),
      _in_loop(dist, x, "scale")])
  for t, w in enumerate(weights):
    expected = w.T.dot(inputs[:len(w)]) + biases[t][:, np.newaxis]
    for actual in (with_int[t], in_loop[t]):
      np.testing.assert_allclose(
          actual, expected, rtol=tolerance, atol=tolerance)
      assert actual.dtype == dtype.as_numpy_dtype
  assert [s.shape for s in scales] == [(n, 1) for n in num_outputs]


@pytest.mark.parametrize("to_variance_min", [float, tf.constant])
def test_scale_is_the_root_of_the_floored_variance(to_variance_min):
  """Of one input and one output, the default."""
  dist = NonstationaryLinearDistribution(
      2, variance_min=to_variance_min(0.25))
  assert dist(1, [[1., 2.]]).batch_shape.as_list() == [1, 2]
  scales = ([dist(t, [[0.]]).scale for t in range(2)] +
            _in_loop(dist, tf.zeros([1, 2]), "scale"))
  with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    dist.log_variances[0].load([np.log(0.01)], sess)
    dist.log_variances[1].load([np.log(4.)], sess)
    scales = sess.run(scales)
  np.testing.assert_allclose(scales, [[[0.5]], [[2.]]] * 2, rtol=1e-6)


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
  w_0, w_1, w_2, b_0, b_1, b_2, v_0, v_1, v_2 = run(gradients)
  np.testing.assert_allclose(w_0, [[3.], [7.], [11.]])
  np.testing.assert_allclose(w_1, [[3.]])
  np.testing.assert_allclose(w_2, [[0.], [0.]])
  np.testing.assert_allclose([b_0, b_1, b_2], [[2.], [2.], [0.]])
  # scale = exp(log_variance / 2) is added once for each of two columns.
  np.testing.assert_allclose([v_0, v_1, v_2], [[1.], [1.], [0.]])


def test_several_distributions_in_one_graph():
  """The original raised that the variable already exists.

  The first of a scope keeps the plain names, for the sake of checkpoints.
  """
  for scope in ("model", "model", "", "", ""):
    with tf.compat.v1.variable_scope(scope):
      NonstationaryLinearDistribution(1)
  own = "nonstationary_linear_distribution"
  assert _variable_names() == [
      prefix + "proposal_" + kind + "_0" for prefix in (
          "model/", "model/%s/" % own, "", own + "/", own + "_1/")
      for kind in ("w", "b", "log_variance")]


@pytest.mark.parametrize("reuse", [True, tf.compat.v1.AUTO_REUSE])
def test_reusing_scopes_share_variables(reuse):
  with tf.compat.v1.variable_scope("model"):
    first = NonstationaryLinearDistribution(2)
  with tf.compat.v1.variable_scope("model", reuse=reuse):
    second = NonstationaryLinearDistribution(2)
  assert first.mean_weights == second.mean_weights
  assert len(_variable_names()) == 6
