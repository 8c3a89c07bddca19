"""Tests of sampling continuations, on models that show what they are given."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.models import base
from fivo.sampling import continuations

_PREFIX_LENGTH, _BATCH, _PARTICLES, _LENGTH = 3, 2, 4, 5


class _Echo(base.ELBOTrainableSequenceModel):
  """Samples what it is fed; its state counts steps and numbers its particle.

  The particle `favourite` has a hundred nats more than the others.
  """

  def __init__(self, favourite=0):
    self._favourite = favourite

  def zero_state(self, batch_size, dtype):
    particle = tf.range(batch_size) // _BATCH
    return tf.stack(
        [tf.cast(particle, dtype), tf.zeros([batch_size], dtype)], axis=1)

  def set_observations(self, observations, seq_lengths):
    pass

  def propose_and_weight(self, state, t):
    favoured = tf.equal(tf.cast(state[:, 0], tf.int32), self._favourite)
    return tf.where(favoured, 100. * tf.ones_like(state[:, 0]),
                    tf.zeros_like(state[:, 0])), state + [0., 1.]

  def sample_step(self, state, inputs, t):
    return state + [0., 1.], inputs


class _Tell(_Echo):
  """Samples its state: the particle it was and the steps it has taken."""

  def sample_step(self, state, inputs, t):
    return state + [0., 1.], state


def _sample(model, mean, bound="iwae"):
  targets = np.arange(_PREFIX_LENGTH * _BATCH * 2, dtype=np.float32).reshape(
      [_PREFIX_LENGTH, _BATCH, 2])
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    samples = continuations.sample_continuations(
        model, tf.constant(targets), tf.constant(targets), mean, bound,
        _PARTICLES, _LENGTH, random_seed=1)
    return targets, session.run(samples)


@pytest.mark.parametrize("mean", [None, np.array([1., 10.], np.float32)])
def test_samples_continue_their_own_prefix_and_inputs_are_centred(mean):
  """Rows used to be read as batch-major, and only the first was centred."""
  targets, samples = _sample(_Echo(), mean=mean)
  assert samples.shape == (_LENGTH, _BATCH, _PARTICLES, 2)
  for i in range(_LENGTH):
    for n in range(_PARTICLES):
      np.testing.assert_allclose(
          samples[i, :, n], targets[-1] - (i + 1) * (0. if mean is None else
                                                     mean), rtol=1e-6)


@pytest.mark.parametrize("bound", ["iwae", "fivo"])
@pytest.mark.parametrize("favourite", [0, 2])
def test_continues_the_particles_that_explain_the_prefix(bound, favourite):
  """The particles' final weights used to be dropped."""
  _, samples = _sample(_Tell(favourite), mean=None, bound=bound)
  np.testing.assert_array_equal(
      samples[..., 0], np.full(samples.shape[:-1], favourite))
  for i in range(_LENGTH):
    np.testing.assert_array_equal(
        samples[i, ..., 1], np.full(samples.shape[1:-1], _PREFIX_LENGTH + i))


def test_elbo_keeps_every_trajectory():
  _, samples = _sample(_Tell(2), mean=None, bound="elbo")
  for n in range(_PARTICLES):
    np.testing.assert_array_equal(samples[:, :, n, 0], n)
