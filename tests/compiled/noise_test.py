"""Tests that a filter with given noise computes the same, however it loops."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.compiler.xla import xla

from fivo import bounds
from fivo import smc
from fivo.compiled import noise as noise_lib
from fivo.compiled import rematerialization
from fivo.models import lstm
from tests.models import recurrent_test

_LENGTHS = [4, 1, 3]
_MAX_STEPS = 6


def _default_scan(step, initial_state, initial_record, num_steps,
                  unused_max_num_steps):
  """The loop of `smc.smc`."""
  return smc._scan(step, initial_state, initial_record, num_steps, 1, False)


@pytest.fixture
def unfused(monkeypatch):
  """Builds what XLA would be given, without the time that it takes."""
  monkeypatch.setattr(lstm, "_is_compiled", lambda: True)


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
                         compiled=False, num_padded=0, **options):
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
          run_filter=noise_lib.NoisyFilter(
              model, noise, rematerialization.scan if rematerialize else
              _default_scan), **options)
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


@pytest.mark.parametrize("arguments", [
    ("srnn", "elbo", "prior", "bernoulli"),
    ("vrnn", "fivo-aux", "filtering", "autoregressive")] + [
        pytest.param(arguments, marks=pytest.mark.slow) for arguments in (
            ("vrnn", "iwae", "smoothing", "bernoulli"),
            ("vrnn", "fivo", "prior", "bernoulli"),
            ("srnn", "fivo", "filtering", "bernoulli"),
            ("srnn", "fivo-aux", "smoothing", "bernoulli"),
            ("vrnn", "fivo-aux", "filtering", "bernoulli"))])
def test_equals_the_default_loop(arguments, unfused):
  expected = _bound_and_gradients(*arguments, rematerialize=False)
  if arguments[1].startswith("fivo"):
    assert expected[1].any()
  _assert_equal(
      _bound_and_gradients(*arguments, rematerialize=True, num_padded=2),
      expected)


@pytest.mark.parametrize("resampling_type, compiled", [
    ("systematic", False)] + [
        pytest.param(name, True, marks=pytest.mark.slow)
        for name in ("stratified", "systematic", "residual")])
def test_schemes(resampling_type, compiled, unfused):
  results = [
      _bound_and_gradients(
          "vrnn", "fivo", "filtering", "bernoulli", rematerialize=remade,
          compiled=compiled and remade,
          resampling_criterion=smc.always_resample_criterion,
          resampling_type=resampling_type) for remade in (True, False)]
  _assert_equal(*results)


@pytest.mark.parametrize("kind, bound, proposal_type, emission", [
    ("vrnn", "fivo", "filtering", "bernoulli"),
    pytest.param("srnn", "fivo-aux", "smoothing", "normal",
                 marks=pytest.mark.slow),
    pytest.param("vrnn", "elbo", "smoothing", "normal",
                 marks=pytest.mark.slow),
    pytest.param("srnn", "iwae", "prior", "bernoulli",
                 marks=pytest.mark.slow)])
def test_compiled_equals_the_default_loop(
    kind, bound, proposal_type, emission, monkeypatch):
  monkeypatch.setattr(rematerialization, "CHUNK", 3)  # Of four steps.
  arguments = (kind, bound, proposal_type, emission)
  _assert_equal(
      _bound_and_gradients(
          *arguments, rematerialize=True, compiled=True, num_padded=2),
      _bound_and_gradients(*arguments, rematerialize=False))
