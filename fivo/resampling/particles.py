"""Resampling of particles: replaces N weighted ones by N equally weighted ones.

A scheme (`schemes.py`) chooses ancestors, or blending weights. `move` moves the
states accordingly, in the layout drawn in `smc.py`. `with_states` turns a
scheme into a function with the original's signature,

    resampling_fn(log_weights, states, num_particles, batch_size, ...) -> states

which is what `smc.smc` takes. A `resampling_fn` that is not made from a scheme
works there too, but its ancestors remain unknown.

Gradients. Copies carry the gradient of their ancestor's state. The choice of
ancestors has no derivative, see `gradients.py`. Blending weights do.
"""

import functools

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.config import catalogue
from fivo.resampling import schemes


def with_states(scheme):
  """A `resampling_fn` in the original's form that resamples by a scheme."""
  def resampling_fn(log_weights, states, num_particles, batch_size, *args,
                    **kwargs):
    choice = scheme(tf.convert_to_tensor(log_weights), states, *args, **kwargs)
    return move(states, choice, num_particles, batch_size)

  resampling_fn.__name__ = scheme.__name__ + "_resampling"
  resampling_fn.__doc__ = (
      "Resamples states `[N*B, ...]` with `schemes.%s`." % scheme.__name__)
  resampling_fn.scheme = scheme
  return resampling_fn


# The original's and other old names; `by_name` has every scheme.
multinomial_resampling = with_states(schemes.multinomial)
stratified_resampling = with_states(schemes.stratified)
systematic_resampling = with_states(schemes.systematic)
residual_resampling = with_states(schemes.residual)
relaxed_resampling = with_states(schemes.relaxed)
optimal_transport_resampling = with_states(schemes.optimal_transport)


def by_name(name, **options):
  """The resampling function named in `catalogue.SCHEMES`, given options."""
  assert name in catalogue.SCHEMES, "no resampling scheme %r" % name
  return functools.partial(with_states(getattr(schemes, name)), **options)


def find_scheme(resampling_fn):
  """The scheme of a (possibly partial) result of `with_states`, else None."""
  options = {}
  if isinstance(resampling_fn, functools.partial) and not resampling_fn.args:
    resampling_fn, options = resampling_fn.func, resampling_fn.keywords
  scheme = getattr(resampling_fn, "scheme", None)
  return scheme and functools.partial(scheme, **options)


def scheme_name(resampling_fn):
  """The name of the scheme behind a result of `with_states`; else None."""
  scheme = find_scheme(resampling_fn)
  return scheme and getattr(scheme.func, "__name__", None)


def resample(resampling_fn, log_weights, states, should_resample,
             num_particles, batch_size):
  """Resamples the filters where `should_resample`, a bool Tensor `[B]`.

  Returns the new states, and the ancestors, int32 `[N, B]`, or None if
  particles are blended or `resampling_fn` has no scheme.
  """
  scheme = find_scheme(resampling_fn)
  if scheme is None:
    candidates = resampling_fn(log_weights, states, num_particles, batch_size)
  else:
    choice = scheme(log_weights, states)
    if choice.dtype.is_integer:
      ancestors = tf.compat.v1.where(
          tf.tile(should_resample[tf.newaxis], [num_particles, 1]),
          choice, own_ancestors(num_particles, batch_size))
      return move(states, ancestors, num_particles, batch_size), ancestors
    candidates = move(states, choice, num_particles, batch_size)
  return nested.where_tensors(
      tf.tile(should_resample, [num_particles]), candidates, states), None


def own_ancestors(num_particles, batch_size):
  """The ancestors without resampling: int32 `[N, B]`, n in row n."""
  return tf.tile(tf.range(num_particles)[:, tf.newaxis], [1, batch_size])


def move(states, choice, num_particles, batch_size):
  """Gathers states `[N*B, ...]` by `[N, B]`, or blends them by `[N, B, N]`."""
  if choice.dtype.is_integer:
    batch_size = tf.cast(batch_size, tf.int32)
    rows = tf.reshape(choice * batch_size + tf.range(batch_size), [-1])
    return nested.gather_tensors(states, rows)
  states = nested.map_nested(tf.convert_to_tensor, states)
  # A particle with no share in any new one may be infinite: 0 * inf is NaN.
  is_unused = tf.transpose(tf.reduce_all(tf.equal(choice, 0), axis=0))
  states = nested.where_tensors(
      tf.reshape(is_unused, [-1]), nested.map_nested(tf.zeros_like, states),
      states)
  return nested.map_nested(
      lambda state: blend_tensor(choice, state, num_particles, batch_size),
      states)


def blend_tensor(blending_weights, tensor, num_particles, batch_size):
  """Blends particles: row (i, b) is the sum of w[i, b, l] times row (l, b).

  The weights w are `[N, B, N]`, the Tensor and the result float `[N*B, ...]`.
  """
  assert tensor.dtype.is_floating, "only states of a float dtype can be blended"
  # [B, new, old] x [B, old, features] -> [B, new, features].
  rows = tf.reshape(tensor, [num_particles, batch_size, -1])
  blended = tf.matmul(
      tf.transpose(tf.cast(blending_weights, tensor.dtype), [1, 0, 2]),
      tf.transpose(rows, [1, 0, 2]))
  blended = tf.reshape(tf.transpose(blended, [1, 0, 2]), tf.shape(tensor))
  blended.set_shape(tensor.shape)
  return blended
