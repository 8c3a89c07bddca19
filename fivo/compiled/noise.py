"""The random numbers of a particle filter, drawn before it runs.

By default each step draws what it needs. What is compiled, and a test that
compares two filters, take `Noise` instead.
"""

import collections

import tensorflow as tf


class Noise(collections.namedtuple("Noise", ("latents", "uniforms"))):
  """Random numbers for T timesteps.

  Attributes:
    latents: A float32 Tensor `[T, N*B, latent_size]` of standard Normal draws,
      in the particle-major layout drawn in `smc.py`.
    uniforms: A float32 Tensor `[T, N, B]` of draws from [0, 1), from which
      `resampling.resampling_of_uniforms` takes the ancestors.
  """

  __slots__ = ()


def draw(num_steps, num_particles, batch_size, latent_size, seed=None):
  """Draws noise.

  Args:
    num_steps: T, an int or scalar Tensor.
    num_particles: N, an int.
    batch_size: B, an int.
    latent_size: The dimension of a latent.
    seed: The op seed, or None.

  Returns:
    A `Noise`.
  """
  latents = tf.random.normal(
      [num_steps, num_particles * batch_size, latent_size], seed=seed)
  uniforms = tf.random.uniform(
      [num_steps, num_particles, batch_size], seed=seed)
  # TensorFlow forgets all sizes where one is a Tensor.
  latents.set_shape([None, num_particles * batch_size, latent_size])
  uniforms.set_shape([None, num_particles, batch_size])
  return Noise(latents, uniforms)
