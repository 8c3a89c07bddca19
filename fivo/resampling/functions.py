"""Resampling: N equally weighted particles in place of N weighted ones.

A scheme (`schemes.py`) chooses ancestors, or blending weights, by the log
weights alone. `move` moves the states accordingly, in the layout drawn in
`smc.py`. `with_states` makes of a scheme a function in the original's form,

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
import numbers

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.resampling import gradients
from fivo.resampling import optimal_transport
from fivo.resampling import schemes
from fivo.system import errors


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


multinomial_resampling = with_states(schemes.multinomial)
relaxed_resampling = with_states(schemes.relaxed)
stratified_resampling = with_states(schemes.stratified)
systematic_resampling = with_states(schemes.systematic)
residual_resampling = with_states(schemes.residual)


def optimal_transport_resampling(log_weights, states, num_particles, batch_size,
                                 epsilon=.5, max_iterations=100):
  """Moves particles to where optimal transport takes their weights.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights.
    states: Nested float Tensors `[N*B, ...]`.
    num_particles: N, an int or scalar Tensor.
    batch_size: B, an int or scalar Tensor.
    epsilon: See `optimal_transport.transport_plan`.
    max_iterations: See `optimal_transport.transport_plan`.

  Returns:
    Nested Tensors `[N*B, ...]`.
  """
  states = nested.map_nested(_float_tensor, states)
  features = tf.concat([
      tf.reshape(tf.cast(state, log_weights.dtype),
                 [num_particles, batch_size, -1])
      for state in tf.nest.flatten(states)], axis=2)
  plan = optimal_transport.transport_plan(
      log_weights, features, epsilon, max_iterations)
  return move(states, plan, num_particles, batch_size)


# By the names that the flag --resampling_type gives them.
SCHEMES = collections.OrderedDict([
    ("multinomial", multinomial_resampling),
    ("stratified", stratified_resampling),
    ("systematic", systematic_resampling),
    ("residual", residual_resampling),
    ("relaxed", relaxed_resampling),
    ("optimal_transport", optimal_transport_resampling),
])


def by_name(resampling_type, random_seed=None, temperature=.5, ot_epsilon=.5,
            ot_max_iterations=100):
  """The resampling function that the flag --resampling_type names.

  Args:
    resampling_type: A key of `SCHEMES`.
    random_seed: The op seed of the draws, or None.
    temperature: Of relaxed resampling, a positive float.
    ot_epsilon: Of optimal transport, see `optimal_transport.transport_plan`.
    ot_max_iterations: Likewise.

  Returns:
    A resampling function.

  Raises:
    UserError: If the type is unknown, or the temperature out of its range.
  """
  if resampling_type not in SCHEMES:
    raise errors.UserError("resampling_type=%s: must be one of %s" % (
        resampling_type, ", ".join(SCHEMES)))
  options = {"random_seed": random_seed}
  if resampling_type == "optimal_transport":
    options = {"epsilon": ot_epsilon, "max_iterations": ot_max_iterations}
  elif resampling_type == "relaxed":
    if (isinstance(temperature, numbers.Real) and
        not 0 < temperature < float("inf")):
      raise errors.UserError(
          "relaxed_resampling_temperature=%s: must be finite and greater than "
          "0" % temperature)
    options["temperature"] = temperature
  return functools.partial(SCHEMES[resampling_type], **options)


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


def is_multinomial(resampling_fn):
  """Tells if a resampling function is `multinomial_resampling`."""
  while isinstance(resampling_fn, functools.partial):
    resampling_fn = resampling_fn.func
  return resampling_fn is multinomial_resampling


def check_gradients(resampling_gradients, resampling_fn):
  """Refuses gradients that a resampling function does not have."""
  if resampling_gradients not in gradients.TYPES:
    raise errors.UserError("resampling_gradients=%s: must be one of %s" % (
        resampling_gradients, ", ".join(gradients.TYPES)))
  if (resampling_gradients == gradients.SCORE and
      not is_multinomial(resampling_fn)):
    raise errors.UserError(
        "resampling_gradients=score: needs multinomial resampling, whose "
        "ancestors are independent")


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
        "a state has dtype %s: resampling that blends particles needs a float "
        "dtype" % state.dtype.name)
  return state


def _to_int32(size):
  """The size of a dimension, an int or a scalar int32 Tensor."""
  return tf.cast(size, tf.int32) if tf.is_tensor(size) else int(size)
