"""Tests of loops with a gradient loop of their own."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.compiler.xla import xla

from fivo import bounds
from fivo import smc
from fivo.compiled import loop_inputs
from fivo.compiled import noise as noise_lib
from fivo.compiled import rematerialization
from fivo.system import errors
from tests.models import recurrent_test

_LENGTHS = [4, 1, 3]
_MAX_STEPS = 6


def _scan(step, initial_state, num_steps, max_num_steps, rematerialize):
  """`rematerialization.scan`, or what TensorFlow makes of the same step."""
  if rematerialize:
    return rematerialization.scan(
        step, initial_state, tf.constant(num_steps), max_num_steps)
  state, outputs = initial_state, []
  for t in range(num_steps):
    state, output = step(tf.constant(t), state)
    outputs.append(output)
  outputs = [tf.stack(list(x)) for x in zip(*outputs)]
  return rematerialization.Result(state, [
      tf.pad(x, [[0, max_num_steps - num_steps]] + [[0, 0]] * (
          x.shape.ndims - 1)) for x in outputs])


@pytest.mark.parametrize("dtype, chunk", [
    (tf.float32, 32), (tf.float64, 3), (tf.float32, 2), (tf.float32, 1)])
def test_scan(dtype, chunk, monkeypatch):
  """All ways that a gradient flows, and a state that has none."""
  monkeypatch.setattr(rematerialization, "CHUNK", chunk)

  def run(rematerialize):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      w, b, start, data = [
          tf.compat.v1.get_variable(name, initializer=tf.cast(tf.reshape(
              tf.linspace(low, 1., np.prod(shape)), shape), dtype))
          for name, low, shape in [
              ("w", -1., [3, 3]), ("b", 0., [3]), ("start", -2., [2, 3]),
              ("data", -3., [5, 2, 3])]]
      with loop_inputs.creating_series(are_recorded=rematerialize):
        series = loop_inputs.Series(data + 0.)

      def step(t, state):
        x, count = state
        y = tf.tanh(loop_inputs.linear(x, w, b) + series.read(t))
        x = loop_inputs.linear(y, w, b) * x
        return [x, count + 1], [tf.reduce_sum(y, axis=1), count]

      result = _scan(step, [start + 0., tf.constant(7)], 4, 5, rematerialize)
      loss = tf.reduce_sum(result.final_state[0] ** 2) + tf.reduce_sum(
          result.outputs[0] * tf.cast(tf.range(10.), dtype)[:5, tf.newaxis])
      gradients = tf.gradients(loss, [w, b, start, data])
      session.run(tf.compat.v1.global_variables_initializer())
      return session.run(
          result.final_state + result.outputs +
          [tf.convert_to_tensor(gradient) for gradient in gradients])

  values = run(True)
  assert values[1] == 11
  np.testing.assert_array_equal(values[3], [7, 8, 9, 10, 0])
  for value, expected in zip(values, run(False)):
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def _refused(make_step):
  with tf.Graph().as_default():
    w = tf.compat.v1.get_variable("layer/w", [3, 3])
    b = tf.compat.v1.get_variable("layer/b", [3])
    with loop_inputs.creating_series(are_recorded=True):
      series = loop_inputs.Series(tf.matmul(tf.ones([4, 3]), w))
    with pytest.raises(errors.UserError) as e:
      rematerialization.scan(
          make_step(w, b, series), [tf.ones([2, 3])], tf.constant(4), 4)
    return str(e.value)


def test_refuses_weights_that_would_get_no_gradient():
  def make_step(w, b, unused_series):
    return lambda t, state: (
        [loop_inputs.linear(state[0], w, b) + b], [state[0]])

  assert _refused(make_step) == (
      "layer/b: a rematerialized loop may use it in loop_inputs.linear only")


def test_refuses_what_depends_on_weights_and_is_no_series():
  def make_step(w, b, series):
    hidden = tf.matmul(tf.ones([2, 3]), w)
    return lambda t, state: ([state[0] + hidden], [state[0] + series.read(t)])

  assert _refused(make_step).startswith("layer/w: ")


def test_refuses_another_timestep():
  def make_step(w, b, series):
    return lambda t, state: ([state[0] + series.read(t + 1)], [])

  assert "may be read at timestep t only" in _refused(make_step)


def test_smc_refuses_a_loop_fn():
  with tf.Graph().as_default(), pytest.raises(
      errors.UserError, match="a rematerialized loop has none"):
    smc.smc(lambda state, t: tf.zeros([2]), [3, 2], loop_fn=max,
            rematerialized_steps=3)


def _noise(num_steps, num_particles, seed=0):
  """The same noise in every graph, of however many steps."""
  rng = np.random.RandomState(seed)
  batch = len(_LENGTHS)
  latents = rng.normal(size=[
      _MAX_STEPS, num_particles * batch, recurrent_test.LATENT])
  uniforms = rng.uniform(size=[_MAX_STEPS, num_particles, batch])
  return noise_lib.Noise(tf.constant(latents[:num_steps], tf.float32),
                         tf.constant(uniforms[:num_steps], tf.float32))


def _set_variables(session, seed=0):
  """Sets all variables to random values, the same in every graph."""
  rng = np.random.RandomState(seed)
  for variable in sorted(
      tf.compat.v1.global_variables(), key=lambda v: v.op.name):
    session.run(variable.initializer)
    variable.load(rng.normal(scale=.8, size=variable.shape), session)


def _bound_and_gradients(kind, bound, proposal_type, emission, rematerialize,
                         compiled=False, num_padded=0):
  """The bound per sequence, the resamplings, and the gradient, by variable."""
  num_particles = 1 if bound == "elbo" else 4
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.get_variable_scope().set_use_resource(compiled)
    model = recurrent_test.create(
        kind, emission, proposal_type=proposal_type, sigma_min=.3,
        emission_sigma_min=.5,
        use_tilt=bound == "fivo-aux")
    observations = [
        np.pad(x, [[0, num_padded], [0, 0], [0, 0]], mode="constant")
        for x in recurrent_test.observations()]
    noise = _noise(len(observations[0]), num_particles)
    names = []

    def compute(*inputs):
      result = bounds.create_bound(
          bound, model, list(inputs), _LENGTHS, num_samples=num_particles,
          noise=noise, rematerialize=rematerialize)
      variables = tf.compat.v1.trainable_variables()
      gradients = tf.gradients(tf.reduce_sum(result.log_p_hat), variables)
      names.extend(variable.op.name for variable, gradient in zip(
          variables, gradients) if gradient is not None)
      return [result.log_p_hat, result.resampled, result.log_weights] + [
          gradient for gradient in gradients if gradient is not None]

    fetches = (xla.compile(compute, observations) if compiled else
               compute(*map(tf.constant, observations)))
    _set_variables(session)
    log_p_hat, resampled, log_weights, *gradients = session.run(fetches)
  steps = max(_LENGTHS)
  return (log_p_hat, resampled[:steps], log_weights[:steps],
          dict(zip(names, gradients)))


def _assert_equal(actual, expected):
  for one, other in zip(actual[:3], expected[:3]):
    assert np.isfinite(other).all()
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
  assert sorted(actual[3]) == sorted(expected[3])
  # A tilt's gradients cancel but for where particles are resampled.
  largest = max(np.abs(gradient).max() for gradient in expected[3].values())
  for name, gradient in actual[3].items():
    np.testing.assert_allclose(
        gradient, expected[3][name], rtol=1e-4, err_msg=name,
        atol=1e-6 * largest)


@pytest.mark.parametrize("kind, bound, proposal_type", [
    ("vrnn", "elbo", "filtering"), ("srnn", "elbo", "prior"),
    ("vrnn", "iwae", "smoothing"), ("vrnn", "fivo", "prior"),
    ("srnn", "fivo", "filtering"), ("vrnn", "fivo-aux", "filtering"),
    ("srnn", "fivo-aux", "smoothing")])
def test_equals_the_default_loop(kind, bound, proposal_type):
  arguments = (kind, bound, proposal_type, "bernoulli")
  expected = _bound_and_gradients(*arguments, rematerialize=False)
  if bound.startswith("fivo"):
    assert expected[1].any()
  _assert_equal(
      _bound_and_gradients(*arguments, rematerialize=True, num_padded=2),
      expected)


@pytest.mark.parametrize("kind, bound, proposal_type, emission", [
    ("vrnn", "fivo", "filtering", "bernoulli"),
    ("srnn", "fivo-aux", "smoothing", "normal"),
    ("vrnn", "elbo", "smoothing", "normal"),
    ("srnn", "iwae", "prior", "bernoulli")])
def test_compiled_equals_the_default_loop(
    kind, bound, proposal_type, emission, monkeypatch):
  monkeypatch.setattr(rematerialization, "CHUNK", 3)  # Of four steps.
  arguments = (kind, bound, proposal_type, emission)
  _assert_equal(
      _bound_and_gradients(
          *arguments, rematerialize=True, compiled=True, num_padded=2),
      _bound_and_gradients(*arguments, rematerialize=False))
