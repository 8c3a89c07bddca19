"""Tests of sampling continuations, on models that show what they are given."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.models import base
from fivo.sampling import sampler

_PREFIX_LENGTH, _BATCH, _PARTICLES, _LENGTH = 3, 2, 4, 5
_TARGETS = np.arange(_PREFIX_LENGTH * _BATCH * 2, dtype=np.float32).reshape(
    [_PREFIX_LENGTH, _BATCH, 2])


class _Echo(base.ELBOTrainableSequenceModel):
  """Samples what it is fed; its state counts steps and numbers its particle.

  Particle 2 has a hundred nats more than the others.
  """

  def zero_state(self, batch_size, dtype):
    particle = tf.range(batch_size) // _BATCH
    return tf.stack(
        [tf.cast(particle, dtype), tf.zeros([batch_size], dtype)], axis=1)

  def set_observations(self, observations, seq_lengths):
    pass

  def propose_and_weight(self, state, t):
    return (100. * tf.cast(tf.equal(state[:, 0], 2.), tf.float32),
            state + [0., 1.])

  def sample_step(self, state, inputs, t):
    return state + [0., 1.], inputs


class _Tell(_Echo):
  """Samples its state: the particle it was and the steps it has taken."""

  def sample_step(self, state, inputs, t):
    return state + [0., 1.], state


def _sample(model, bound="iwae", mean=None):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    return session.run(sampler.sample_continuations(
        model, tf.constant(_TARGETS), tf.constant(_TARGETS), mean, bound,
        _PARTICLES, _LENGTH, random_seed=1))


@pytest.mark.parametrize("mean", [None, np.array([1., 10.], np.float32)])
def test_samples_continue_their_own_prefix_and_inputs_are_centred(mean):
  """Rows used to be read as batch-major, and only the first was centred."""
  steps = np.arange(1, _LENGTH + 1)[:, np.newaxis, np.newaxis, np.newaxis]
  expected = _TARGETS[-1][:, np.newaxis] - steps * (0. if mean is None else
                                                    mean)
  np.testing.assert_allclose(
      _sample(_Echo(), mean=mean),
      np.broadcast_to(expected, [_LENGTH, _BATCH, _PARTICLES, 2]), rtol=1e-6)


@pytest.mark.parametrize("bound, particles", [
    ("iwae", [2] * 4), ("fivo", [2] * 4), ("elbo", range(4))])
def test_continues_the_particles_that_explain_the_prefix(bound, particles):
  """The final weights used to be dropped; the ELBO has single trajectories."""
  samples = _sample(_Tell(), bound)
  np.testing.assert_array_equal(
      samples[..., 0], np.broadcast_to(particles, samples.shape[:-1]))
  np.testing.assert_array_equal(
      samples[:, 0, 0, 1], _PREFIX_LENGTH + np.arange(_LENGTH))
