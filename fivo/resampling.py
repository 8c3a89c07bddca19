"""Resampling: which particles a particle filter keeps, and how often.

A resampling scheme turns the log weights of N particles into N new, equally
weighted particles whose expected number of copies of particle n is N times its
normalised weight W_n. That keeps the filter's estimate of the likelihood
unbiased (Doucet & Johansen, A Tutorial on Particle Filtering and Smoothing,
2009, section 3.4).

Every scheme has the signature

    scheme(log_weights, states, num_particles, batch_size, ...) -> states

with log weights `[N, B]` and nested states `[N*B, ...]` in the particle-major
layout drawn in `smc.py`. A scheme that also takes `should_resample`, a bool
Tensor `[B]`, leaves the filters alone for which it is false; for a scheme
without it `smc.smc` makes that choice afterwards, at some cost in speed. A
scheme that takes `t` is given the timestep, a scalar int32 Tensor.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from fivo import nested_utils as nested
from fivo.system import errors


def multinomial_resampling(log_weights, states, num_particles, batch_size,
                           random_seed=None, should_resample=None):
  """Resamples with ancestors drawn independently from the weights.

  The gradient flows through the resampled states but not through the choice of
  ancestors: the unbiased gradient's score function term is left out, as in
  section 4 of Maddison et al. (2017), because of its variance.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights. The
      ancestors are arbitrary, but valid, in a filter whose weights are all
      minus infinity, or hold a NaN or plus infinity.
    states: Nested Tensors `[N*B, ...]` of any dtype.
    num_particles: N, an int.
    batch_size: B, an int or scalar Tensor.
    random_seed: The op seed of the draw, or None.
    should_resample: A bool Tensor `[B]`: the filters to resample. Defaults to
      all of them. The random numbers drawn are the same in either case.

  Returns:
    Resampled states in the structure of `states`, `[N*B, ...]` each.
  """
  batch_size = _to_int32(batch_size)
  # The logits end in the particles, [B, N], and N draws per filter come back
  # as [B, N]. Weights that are all -inf or NaN make the op return index N.
  ancestors = tf.transpose(tf.minimum(
      tf.random.categorical(
          tf.transpose(tf.stop_gradient(log_weights)), num_particles,
          seed=random_seed, dtype=tf.int32),
      num_particles - 1))
  return _copy_ancestors(
      ancestors, states, num_particles, batch_size, should_resample)


def resampling_of_uniforms(log_weights, states, num_particles, batch_size,
                           uniforms, t, should_resample=None):
  """Multinomial resampling of random numbers that are given.

  Each particle's ancestor is where its uniform number falls among the
  cumulative weights. Nothing is random here, so a compiler that has no random
  numbers of TensorFlow's, or a test, can have the same ancestors.

  Args:
    log_weights: A float Tensor `[N, B]`, see `multinomial_resampling`.
    states: Nested Tensors `[N*B, ...]` of any dtype.
    num_particles: N, an int.
    batch_size: B, an int or scalar Tensor.
    uniforms: A `loop_inputs.Series` of float Tensors `[N, B]`, drawn from
      [0, 1).
    t: The timestep, a scalar int32 Tensor.
    should_resample: See `multinomial_resampling`.

  Returns:
    Resampled states in the structure of `states`, `[N*B, ...]` each.
  """
  log_weights = tf.stop_gradient(log_weights)
  cumulative = tf.cumsum(tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True)), axis=0)
  # No number below one, times the last of them, is rounded up to the last.
  thresholds = tf.cast(uniforms.read(t), cumulative.dtype) * cumulative[-1:]
  num_below = tf.reduce_sum(tf.cast(
      cumulative[tf.newaxis] <= thresholds[:, tf.newaxis], tf.int32), axis=1)
  return _copy_ancestors(
      tf.minimum(num_below, num_particles - 1), states, num_particles,
      _to_int32(batch_size), should_resample)


def _copy_ancestors(ancestors, states, num_particles, batch_size,
                    should_resample):
  """Replaces particles by copies of their ancestors.

  Args:
    ancestors: An int32 Tensor `[N, B]`.
    states: Nested Tensors `[N*B, ...]`.
    num_particles: N.
    batch_size: B, an int or scalar int32 Tensor.
    should_resample: A bool Tensor `[B]`, or None for all.

  Returns:
    Nested Tensors `[N*B, ...]`.
  """
  if should_resample is not None:
    own = tf.tile(tf.range(num_particles)[:, tf.newaxis], [1, batch_size])
    ancestors = tf.compat.v1.where(
        tf.tile(should_resample[tf.newaxis], [num_particles, 1]),
        ancestors, own)
  rows = tf.reshape(ancestors * batch_size + tf.range(batch_size), [-1])
  return nested.gather_tensors(states, rows)


def relaxed_resampling(log_weights, states, num_particles, batch_size,
                       temperature=0.5, random_seed=None,
                       should_resample=None):
  """Resamples by blending particles, so that the weights carry gradient.

  In place of an ancestor each new particle draws blending weights w from a
  Concrete (Gumbel-softmax) distribution (Maddison, Mnih & Teh, The Concrete
  Distribution, 2017) and becomes the sum over l of `w[l]` times particle l. At
  temperature zero this is multinomial resampling; above it the estimate of the
  likelihood is biased, so it is for training only.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights.
    states: Nested float Tensors `[N*B, ...]`. That of a particle of weight
      zero reaches no other, be it infinite or NaN.
    num_particles: N, an int.
    batch_size: B, an int or scalar Tensor.
    temperature: A positive float.
    random_seed: The op seed of the draw, or None.
    should_resample: A bool Tensor `[B]`: the filters to resample. Defaults to
      all of them.

  Returns:
    Resampled states in the structure of `states`, `[N*B, ...]` each.

  Raises:
    UserError: If a state is not of a float dtype.
  """
  batch_size = _to_int32(batch_size)
  states = nested.map_nested(_float_tensor, states)
  logits = _finite_logits(log_weights, num_particles)
  blend = tfp.distributions.RelaxedOneHotCategorical(
      tf.cast(temperature, logits.dtype), logits=logits).sample(
          num_particles, seed=random_seed)
  # Zero times an infinite state is NaN.
  is_impossible = tf.reshape(
      tf.transpose(tf.equal(logits, -float("inf"))), [-1])
  possible_states = nested.where_tensors(
      is_impossible, nested.map_nested(tf.zeros_like, states), states)
  blended = nested.map_nested(
      lambda state: _blend(blend, state, num_particles, batch_size),
      possible_states)
  if should_resample is None:
    return blended
  return nested.where_tensors(
      tf.tile(should_resample, [num_particles]), blended, states)


def _finite_logits(log_weights, num_particles):
  """Makes logits that a low temperature does not make plus infinity or NaN.

  Args:
    log_weights: A float Tensor `[N, B]`.
    num_particles: N.

  Returns:
    A float Tensor `[B, N]` of which the largest per filter is zero, unless a
    weight is NaN or plus infinity.
  """
  logits = tf.transpose(log_weights)
  # A filter without a single possible particle has no distribution to draw
  # from; any will do, since its likelihood is zero already.
  possible = tf.reduce_any(
      tf.greater(logits, -float("inf")), axis=1, keepdims=True)
  logits = tf.compat.v1.where(
      tf.tile(possible, [1, num_particles]), logits, tf.zeros_like(logits))
  # Adding a number to all of them changes neither the draw nor its gradient.
  return logits - tf.stop_gradient(
      tf.reduce_max(logits, axis=1, keepdims=True))


def _blend(blend, state, num_particles, batch_size):
  """Blends the particles of one Tensor.

  Args:
    blend: A float Tensor `[N, B, N]`: new particle, filter, old particle.
    state: A float Tensor `[N*B, ...]`.
    num_particles: N.
    batch_size: B.

  Returns:
    A Tensor of the shape of `state`.
  """
  # [B, new, old] x [B, old, features] -> [B, new, features].
  rows = tf.reshape(state, [num_particles, batch_size, -1])
  blended = tf.matmul(
      tf.transpose(tf.cast(blend, state.dtype), [1, 0, 2]),
      tf.transpose(rows, [1, 0, 2]))
  blended = tf.reshape(tf.transpose(blended, [1, 0, 2]), tf.shape(state))
  blended.set_shape(state.shape)
  return blended


def _float_tensor(state):
  """Converts a state that is to be blended to a Tensor."""
  state = tf.convert_to_tensor(state)
  if not state.dtype.is_floating:
    raise errors.UserError(
        "a state has dtype %s: relaxed resampling, which blends particles, "
        "needs a float dtype" % state.dtype.name)
  return state


def _to_int32(size):
  """The size of a dimension, an int or a scalar int32 Tensor."""
  return tf.cast(size, tf.int32) if tf.is_tensor(size) else int(size)
