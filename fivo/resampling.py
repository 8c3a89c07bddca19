"""Resampling: which particles a particle filter keeps, and how often.

Resampling replaces N weighted particles by N equally weighted ones. With W_n
the normalised weight of particle n, a scheme that copies particles draws
ancestors a_1, ..., a_N such that particle n is expected to be copied N W_n
times; that keeps the filter's estimate of the likelihood unbiased (Doucet &
Johansen, A Tutorial on Particle Filtering and Smoothing, 2009, section 3.4).

A scheme is a function of the log weights `[N, B]` alone. What it returns says
how the particles are to move:

* int32 ancestors `[N, B]`: new particle n of filter b is a copy of particle
  `ancestors[n, b]` of that filter;
* or float blending weights `[N, B, N]`: new particle n of filter b is the sum
  over l of `blend[n, b, l]` times particle l of that filter.

`move` then moves the states, in the layout drawn in `smc.py`. `with_states`
makes of a scheme a function in the original code's form,

    resampling_fn(log_weights, states, num_particles, batch_size, ...) -> states

which is what `smc.smc` takes; a `resampling_fn` that does not come from a
scheme works there too, but tells nothing of ancestors. A new scheme is a
function, and a line in `SCHEMES`.

What the gradient sees. Copies carry the gradient of their ancestor's state; the
choice of the ancestors carries none: it has no derivative, and its score
function term is left out, see `bounds.py`. Blending weights have a derivative.
"""

import collections
import functools
import inspect

import tensorflow as tf
import tensorflow_probability as tfp

from fivo import nested_utils as nested
from fivo.system import errors


def multinomial(log_weights, random_seed=None, uniforms=None):
  """Draws each ancestor independently, with the normalised weights.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights. In a filter
      whose weights are all minus infinity, or hold a NaN or plus infinity, the
      ancestors are arbitrary, but valid.
    random_seed: The op seed of the draw, or None.
    uniforms: A float Tensor `[N, B]` of draws from [0, 1) that decide in place
      of draws of its own, or None.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  log_weights = tf.stop_gradient(log_weights)
  num_particles = _num_particles(log_weights)
  if uniforms is not None:
    return _invert_distribution_function(log_weights, uniforms)
  # TensorFlow 1.15 splits this op between threads whose random numbers overlap:
  # with more than one thread per operation some filters of a large batch share
  # draws. Each filter by itself is right. `system/sessions.py` therefore has
  # one thread per operation; sessions of your own should have, too
  # (intra_op_parallelism_threads=1).
  ancestors = tf.random.categorical(
      tf.transpose(log_weights), num_particles, seed=random_seed,
      dtype=tf.int32)
  # Weights that are all -inf or NaN make the op return N.
  return tf.transpose(tf.minimum(ancestors, num_particles - 1))


def _invert_distribution_function(log_weights, uniforms):
  """Finds where numbers from [0, 1) fall among the cumulative weights.

  Args:
    log_weights: A float Tensor `[N, B]`.
    uniforms: A float Tensor `[N, B]`.

  Returns:
    An int32 Tensor `[N, B]` of ancestors.
  """
  cumulative = tf.cumsum(tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True)), axis=0)
  # A number below one times the total stays below the total, in floats too: a
  # particle of weight zero at the end is never chosen.
  thresholds = tf.cast(uniforms, cumulative.dtype) * cumulative[-1:]
  num_below = tf.reduce_sum(tf.cast(
      cumulative[tf.newaxis] <= thresholds[:, tf.newaxis], tf.int32), axis=1)
  return tf.minimum(num_below, _num_particles(log_weights) - 1)


def relaxed(log_weights, temperature=0.5, random_seed=None):
  """Draws blending weights whose derivative by the weights is known.

  In place of an ancestor each new particle draws a sample of the Concrete, or
  Gumbel-softmax, distribution (Maddison, Mnih & Teh, The Concrete Distribution,
  2017). At temperature zero this would be multinomial resampling; above it the
  estimate of the likelihood is biased, so it is for training only.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights.
    temperature: A positive float.
    random_seed: The op seed of the draw, or None.

  Returns:
    A float Tensor `[N, B, N]` of blending weights.
  """
  logits = _finite_logits(log_weights)
  return tfp.distributions.RelaxedOneHotCategorical(
      tf.cast(temperature, logits.dtype), logits=logits).sample(
          _num_particles(log_weights), seed=random_seed)


def _finite_logits(log_weights):
  """Makes logits that a low temperature does not make plus infinity or NaN.

  Args:
    log_weights: A float Tensor `[N, B]`.

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
      tf.tile(possible, [1, _num_particles(log_weights)]), logits,
      tf.zeros_like(logits))
  # Adding a number to all of them changes neither the draw nor its gradient.
  return logits - tf.stop_gradient(
      tf.reduce_max(logits, axis=1, keepdims=True))


def with_states(scheme):
  """Makes of a scheme a function that resamples states.

  Args:
    scheme: A callable `(log_weights, ...)`, see the top of this file.

  Returns:
    A callable `(log_weights, states, num_particles, batch_size, ...)` with the
    scheme's further arguments, which returns the resampled states, nested
    Tensors `[N*B, ...]`. Its attribute `scheme` is the scheme.
  """
  def resampling_fn(log_weights, states, num_particles, batch_size, *args,
                    **kwargs):
    choice = scheme(tf.convert_to_tensor(log_weights), *args, **kwargs)
    return move(states, choice, num_particles, batch_size)

  first, *options = inspect.signature(scheme).parameters.values()
  resampling_fn.__signature__ = inspect.Signature([first] + [
      inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD)
      for name in ("states", "num_particles", "batch_size")] + options)
  resampling_fn.__name__ = scheme.__name__ + "_resampling"
  resampling_fn.__doc__ = (
      "Resamples states `[N*B, ...]` by `%s`, see there.\n" % scheme.__name__)
  resampling_fn.scheme = scheme
  return resampling_fn


multinomial_resampling = with_states(multinomial)
relaxed_resampling = with_states(relaxed)

# By the names that the flag --resampling_type gives them.
SCHEMES = collections.OrderedDict([
    ("multinomial", multinomial_resampling),
    ("relaxed", relaxed_resampling),
])


def find_scheme(resampling_fn):
  """The scheme behind a resampling function, with its arguments.

  Args:
    resampling_fn: What `with_states` made, maybe in a `functools.partial`, or
      any other function.

  Returns:
    A callable of the log weights; None where there is no scheme.
  """
  if not isinstance(resampling_fn, functools.partial):
    return getattr(resampling_fn, "scheme", None)
  scheme = find_scheme(resampling_fn.func)
  if scheme is None or resampling_fn.args:
    return None
  return functools.partial(scheme, **resampling_fn.keywords)


def resample(resampling_fn, log_weights, states, should_resample,
             num_particles, batch_size):
  """Resamples some filters and leaves the others as they are.

  Args:
    resampling_fn: See `smc.smc`.
    log_weights: A float Tensor `[N, B]`.
    states: Nested Tensors `[N*B, ...]`.
    should_resample: A bool Tensor `[B]`. The random numbers drawn do not depend
      on it.
    num_particles: N.
    batch_size: B.

  Returns:
    states: Nested Tensors `[N*B, ...]`.
    ancestors: An int32 Tensor `[N, B]`, its own for each particle of a filter
      that is left as it is; None where `resampling_fn` blends particles or has
      no scheme.
  """
  scheme = find_scheme(resampling_fn)
  choice = scheme(log_weights) if scheme else None
  if choice is not None and choice.dtype.is_integer:
    ancestors = tf.compat.v1.where(
        tf.tile(should_resample[tf.newaxis], [num_particles, 1]),
        choice, own_ancestors(num_particles, batch_size))
    return move(states, ancestors, num_particles, batch_size), ancestors
  candidates = (
      resampling_fn(log_weights, states, num_particles, batch_size)
      if choice is None else move(states, choice, num_particles, batch_size))
  return nested.where_tensors(
      tf.tile(should_resample, [num_particles]), candidates, states), None


def own_ancestors(num_particles, batch_size):
  """The ancestors of particles that stay: int32 `[N, B]`, n in row n."""
  return tf.tile(tf.range(num_particles)[:, tf.newaxis], [1, batch_size])


def move(states, choice, num_particles, batch_size):
  """Moves particles as a scheme has chosen.

  Args:
    states: Nested Tensors `[N*B, ...]`; to be blended they must be float.
    choice: int32 ancestors `[N, B]`, or float blending weights `[N, B, N]`.
    num_particles: N, an int or scalar Tensor.
    batch_size: B, an int or scalar Tensor.

  Returns:
    Nested Tensors `[N*B, ...]`.

  Raises:
    UserError: If a state that is to be blended is not of a float dtype.
  """
  batch_size = _to_int32(batch_size)
  if choice.dtype.is_integer:
    rows = tf.reshape(choice * batch_size + tf.range(batch_size), [-1])
    return nested.gather_tensors(states, rows)
  states = nested.map_nested(_float_tensor, states)
  # A particle that no other takes from may be infinite, and 0 * inf is NaN.
  is_unused = tf.transpose(tf.reduce_all(tf.equal(choice, 0), axis=0))
  states = nested.where_tensors(
      tf.reshape(is_unused, [-1]), nested.map_nested(tf.zeros_like, states),
      states)
  return nested.map_nested(
      lambda state: blend_tensor(choice, state, num_particles, batch_size),
      states)


def blend_tensor(blending_weights, tensor, num_particles, batch_size):
  """Blends the particles of one Tensor.

  Args:
    blending_weights: A float Tensor `[N, B, N]`: of new particle, filter, and
      old particle.
    tensor: A float Tensor `[N*B, ...]`.
    num_particles: N.
    batch_size: B.

  Returns:
    A Tensor of the shape of `tensor`: row `(i, b)` is the sum over l of
    `blending_weights[i, b, l]` times row `(l, b)`.
  """
  # [B, new, old] x [B, old, features] -> [B, new, features].
  rows = tf.reshape(tensor, [num_particles, batch_size, -1])
  blended = tf.matmul(
      tf.transpose(tf.cast(blending_weights, tensor.dtype), [1, 0, 2]),
      tf.transpose(rows, [1, 0, 2]))
  blended = tf.reshape(tf.transpose(blended, [1, 0, 2]), tf.shape(tensor))
  blended.set_shape(tensor.shape)
  return blended


def _float_tensor(state):
  """Converts a state that is to be blended to a Tensor."""
  state = tf.convert_to_tensor(state)
  if not state.dtype.is_floating:
    raise errors.UserError(
        "a state has dtype %s: relaxed resampling, which blends particles, "
        "needs a float dtype" % state.dtype.name)
  return state


def _num_particles(log_weights):
  """N, an int where it is known."""
  return (tf.compat.dimension_value(log_weights.shape[0]) or
          tf.shape(log_weights)[0])


def _to_int32(size):
  """The size of a dimension, an int or a scalar int32 Tensor."""
  return tf.cast(size, tf.int32) if tf.is_tensor(size) else int(size)
