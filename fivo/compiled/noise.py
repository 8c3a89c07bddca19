"""A particle filter whose random numbers are drawn before it runs.

XLA's random numbers differ from TensorFlow's, and a loop that computes its
steps twice needs the same ones both times. So all random numbers of the steps
are drawn in advance, as `Noise`.
"""

import collections

import tensorflow as tf

from fivo import smc
from fivo.compiled import rematerialization
from fivo.models import base
from fivo.models import distributions
from fivo.resampling import particles

# Random numbers for T timesteps, float32 Tensors: standard Normal draws
# `[T, N*B, latent_size]`, and draws from [0, 1), `[T, N, B]`, from which
# ancestors are computed.
Noise = collections.namedtuple("Noise", ("latents", "uniforms"))


def draw_noise(num_steps, num_particles, batch_size, latent_size, seed=None):
  """Draws `Noise` for T = num_steps; N and B are ints, seed an op seed."""
  latents = tf.random.normal(
      [num_steps, num_particles * batch_size, latent_size], seed=seed)
  uniforms = tf.random.uniform(
      [num_steps, num_particles, batch_size], seed=seed)
  # TensorFlow forgets all static sizes if one is a Tensor.
  latents.set_shape([None, num_particles * batch_size, latent_size])
  uniforms.set_shape([None, num_particles, batch_size])
  return Noise(latents, uniforms)


class FixedNoiseFilter(object):
  """`smc.smc` with given noise, as the `run_filter` of a bound.

  The model must draw its latents, which are Normal, with its method `draw`;
  from now on that reads the noise. Neither states nor ancestors are recorded.
  """

  def __init__(self, model, noise, scan=rematerialization.scan):
    self._scan = scan
    self._max_num_steps = tf.shape(noise.uniforms)[0]
    self._uniforms_ta, self._latents_ta = [
        base.ta_for_tensor(x, clear_after_read=False)
        for x in (noise.uniforms, noise.latents)]
    self._t = None  # The timestep of the step being built.
    model.draw = self._draw

  def __call__(self, transition_fn, num_steps, num_particles,
               resampling_criterion,
               resampling_fn=smc.multinomial_resampling,
               resampling_gradients="none", **unused_loop_options):
    """Runs the filter; for arguments and result see `smc.smc`."""
    scheme = particles.find_scheme(resampling_fn)
    return smc.smc(
        transition_fn, num_steps, num_particles, resampling_criterion,
        particles.with_states(lambda log_weights, states: scheme(
            log_weights, states, uniforms=self._uniforms_ta.read(self._t))),
        scan=self._scan_steps, resampling_gradients=resampling_gradients)

  def _draw(self, distribution, unused_seed=None):
    """Replaces the model's `draw`."""
    return distributions.transform_with_log_prob(
        distribution, self._latents_ta.read(self._t))

  def _scan_steps(self, step, initial_state, initial_record, num_steps):
    """Runs the steps in this filter's loop."""
    def step_at(t, state):
      self._t = t
      new_state, record = step(t, state)
      return new_state, _without_particles(record)

    return self._scan(
        step_at, initial_state, _without_particles(initial_record),
        num_steps, self._max_num_steps)


def _without_particles(record):
  return record._replace(ancestors=(), particle_state=())
