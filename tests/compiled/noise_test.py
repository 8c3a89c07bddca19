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


def _default_scan(step, initial_state, initial_record, num_steps,
                  unused_max_num_steps):
  """The loop of `smc.smc`."""
  return smc._scan(step, initial_state, initial_record, num_steps, 1, False)


def _noise(num_steps, num_particles):
  """The same noise in every graph, of however many steps."""
  rng = np.random.RandomState(0)
  rows = num_particles * len(_LENGTHS)
  latents = rng.normal(size=[6, rows, recurrent_test.LATENT])
  uniforms = rng.uniform(size=[6, num_particles, len(_LENGTHS)])
  return noise_lib.Noise(tf.constant(latents[:num_steps], tf.float32),
                         tf.constant(uniforms[:num_steps], tf.float32))


def _bound_and_gradients(kind, bound, proposal_type, emission, scan,
                         compiled=False, num_padded=0, **options):
  """The bound, its resamplings and log weights; the gradient, by variable."""
  num_particles = 1 if bound == "elbo" else 4
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    tf.compat.v1.get_variable_scope().set_use_resource(compiled)
    model = recurrent_test.create(
        kind, emission, proposal_type=proposal_type, sigma_min=.3,
        emission_sigma_min=.5, use_tilt=bound == "fivo-aux")
    observations = [
        np.pad(x, [[0, num_padded], [0, 0], [0, 0]], mode="constant")
        for x in recurrent_test.observations()]
    noise = _noise(len(observations[0]), num_particles)
    names = []

    def compute(*inputs):
      result = bounds.create_bound(
          bound, model, list(inputs), _LENGTHS, num_samples=num_particles,
          run_filter=noise_lib.FixedNoiseFilter(model, noise, scan), **options)
      variables = tf.compat.v1.trainable_variables()
      gradients = tf.gradients(tf.reduce_sum(result.log_p_hat), variables)
      names.extend(variable.op.name for variable, gradient in zip(
          variables, gradients) if gradient is not None)
      return [result.log_p_hat, result.resampled, result.log_weights] + [
          gradient for gradient in gradients if gradient is not None]

    fetches = (xla.compile(compute, observations) if compiled else
               compute(*map(tf.constant, observations)))
    recurrent_test.set_variables(session, scale=.8)
    log_p_hat, resampled, log_weights, *gradients = session.run(fetches)
  steps = max(_LENGTHS)
  return (log_p_hat, resampled[:steps], log_weights[:steps],
          dict(zip(names, gradients)))


_SLOW = pytest.mark.slow


# Not compiled: as XLA would be given it, without the time that it takes.
@pytest.mark.parametrize(
    "compiled, kind, bound, proposal_type, emission, scheme", [
        (False, "srnn", "elbo", "prior", "bernoulli", None),
        (False, "vrnn", "fivo-aux", "filtering", "autoregressive", None),
        (False, "vrnn", "fivo", "filtering", "bernoulli", "systematic"),
        (True, "vrnn", "fivo", "filtering", "bernoulli", None)] + [
            pytest.param(*case, marks=_SLOW) for case in [
                (False, "vrnn", "iwae", "smoothing", "bernoulli", None),
                (False, "vrnn", "fivo", "prior", "bernoulli", None),
                (False, "srnn", "fivo-aux", "smoothing", "bernoulli", None),
                (True, "vrnn", "fivo", "filtering", "bernoulli", "stratified"),
                (True, "srnn", "fivo", "prior", "normal", "systematic"),
                (True, "srnn", "fivo", "filtering", "bernoulli", "residual"),
                (True, "srnn", "fivo-aux", "smoothing", "normal", None),
                (True, "vrnn", "elbo", "smoothing", "normal", None),
                (True, "srnn", "iwae", "prior", "bernoulli", None)]])
def test_equals_the_default_loop(
    compiled, kind, bound, proposal_type, emission, scheme, monkeypatch):
  """A scheme of its own resamples at every step."""
  if compiled:
    monkeypatch.setattr(rematerialization, "CHUNK", 3)  # Of four steps.
  else:
    monkeypatch.setattr(lstm, "_is_compiled", lambda: True)
  arguments = kind, bound, proposal_type, emission
  options = dict(
      resampling_type=scheme,
      resampling_criterion=smc.always_resample_criterion) if scheme else {}
  actual = _bound_and_gradients(
      *arguments, scan=rematerialization.scan, compiled=compiled, num_padded=2,
      **options)
  expected = _bound_and_gradients(*arguments, scan=_default_scan, **options)
  for one, other in zip(actual[:3], expected[:3]):
    assert np.isfinite(other).all()
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
  assert expected[1].any() == arguments[1].startswith("fivo")
  assert sorted(actual[3]) == sorted(expected[3])
  # A tilt's gradients cancel but for where particles are resampled.
  largest = max(np.abs(gradient).max() for gradient in expected[3].values())
  for name, gradient in actual[3].items():
    np.testing.assert_allclose(
        gradient, expected[3][name], rtol=1e-4, err_msg=name,
        atol=1e-6 * largest)
