"""Sequential Monte Carlo: a batch of particle filters in one TensorFlow loop.

A particle filter carries N particles z^1, ..., z^N, guesses of a sequence's
latent state, through time. For each particle a model and a proposal supply

    the proposal           z_t ~ q(z_t | z_{1:t-1}, x_{1:T})
    the incremental weight alpha_t = p(z_t, x_t | z_{1:t-1}, x_{1:t-1}) /
                                     q(z_t | z_{1:t-1}, x_{1:T})

and the filter estimates the likelihood Z = p(x_{1:T}). This is algorithm 1 of
Maddison et al. (Filtering Variational Objectives, 2017); `_Filters.step`
follows it line by line, in log space, but leaves Z_hat to `_log_z_hat`:

    w = 1, Z_hat = 1
    for t = 0, ..., T - 1:
      for each n: draw z_t^n from the proposal               propose
      for each n: w^n = w^n alpha_t^n                        weigh
      if the resampling criterion holds, or t = T - 1:
        Z_hat = Z_hat (1/N) sum_n w^n                        `_log_z_hat`
        draw ancestors a^n, z_{1:t}^n = z_{1:t}^{a^n}        resample
        w = 1

Z_hat is unbiased, E[Z_hat] = Z, so E[log Z_hat] is a lower bound on log Z,
which `bounds.py` turns into training objectives. (At t = T - 1 the term is
always added, but particles are resampled only where the criterion holds.)

The particle-major layout. B sequences with N particles each are N*B rows of one
matrix, so that a model only sees a larger batch. Row `n * B + b` is particle n
of sequence b; here for N = 3 and B = 2:

    row   0     1     2     3     4     5
        +-----+-----+-----+-----+-----+-----+
        | n=0 | n=0 | n=1 | n=1 | n=2 | n=2 |    reshape to [N, B]: one
        | b=0 | b=1 | b=0 | b=1 | b=0 | b=1 |    column is one filter
        +-----+-----+-----+-----+-----+-----+

Hence `tf.tile(x, [N])` gives every particle its sequence's row of a `[B]`
Tensor, and `tf.reshape(y, [N, B])` puts the particles of a filter into a
column. Tensors of several timesteps have time first: `[T, N*B, ...]`.

Sequences of a batch end at different times. A filter past its end gains no
weight and does not resample; its last term is added to log Z at the last step
of the longest sequence.
"""

import collections
import functools
import operator

import numpy as np
import tensorflow as tf

from fivo import nested_utils as nested
from fivo.config import catalogue
from fivo.resampling import gradients
from fivo.resampling import particles
from fivo.resampling.criteria import always_resample_criterion
from fivo.resampling.criteria import ess_criterion
from fivo.resampling.criteria import never_resample_criterion
from fivo.resampling.particles import multinomial_resampling
from fivo.resampling.particles import optimal_transport_resampling
from fivo.resampling.particles import relaxed_resampling
from fivo.resampling.particles import residual_resampling
from fivo.resampling.particles import stratified_resampling
from fivo.resampling.particles import systematic_resampling
from fivo.trajectories import trajectories

__all__ = [
    "SMCResult", "smc", "trajectories", "ess_criterion",
    "never_resample_criterion", "always_resample_criterion",
    "multinomial_resampling", "relaxed_resampling", "stratified_resampling",
    "systematic_resampling", "residual_resampling",
    "optimal_transport_resampling"
]


class SMCResult(collections.namedtuple("SMCResult", (
    "log_z_hat", "log_weights", "resampled", "final_particle_state",
    "final_loop_state"))):
  """The result of `smc`: a tuple of five fields, with two more attributes.

  Attributes:
    log_z_hat: A float Tensor `[B]`, log of an unbiased estimate of each
      sequence's likelihood, in nats.
    log_weights: A float Tensor `[T, B, N]`, log weights accumulated since the
      last resampling, recorded before resampling resets them to zero. Compiled,
      T is that of the padded batch; past the longest sequence they are zero.
    resampled: A float Tensor `[T, B]`, 1 where a filter resampled, else 0.
    final_particle_state: The nested state after the last step.
    final_loop_state: The last result of `loop_fn`; 0 without a `loop_fn`.
    ancestors: An int32 Tensor `[T, B, N]`: particle n after step t continues
      particle `ancestors[t, b, n]` proposed at step t, which is n itself if the
      filter did not resample. None if the scheme blends particles, or if
      `resampling_fn` was not made from a scheme.
    particle_states: The nested states after each step and its resampling,
      `[T, N*B, ...]`; an empty tuple if the state has TensorArrays. Like the
      ancestors, they cost nothing unless fetched, by name: they are no fields
      of the tuple, and `_replace` loses them.
  """

  ancestors = None
  particle_states = ()


def smc(transition_fn,
        num_steps,
        num_particles=1,
        resampling_criterion=ess_criterion,
        resampling_fn=multinomial_resampling,
        loop_fn=None,
        parallel_iterations=30,
        swap_memory=True,
        scan=None,
        resampling_gradients="none"):
  """Runs a batch of particle filters and estimates log likelihoods.

  Args:
    transition_fn: A callable that proposes and weighs.
      `transition_fn(None, -1)` gives the initial state: nested Tensors
      `[N*B, ...]`. `transition_fn(state, t)`, with `t` a scalar int32 Tensor,
      gives `(log_incremental_weights, new_state)`, the former `[N*B]` in nats,
      or `(log_incremental_weights, new_state, loop_args)`. Weights are cast to
      the dtype of the state's first float Tensor, else to float32. With
      `never_resample_criterion` the state may hold TensorArrays.
    num_steps: An int Tensor `[B]`, the length of each sequence.
    num_particles: N, a positive int, or a scalar Tensor.
    resampling_criterion: A callable `(log_weights [N, B], t) -> bool [B]`.
      With `never_resample_criterion`, `resampling_fn` is never called.
    resampling_fn: A callable `(log_weights, states, num_particles, batch_size)
      -> states`, see `resampling/particles.py`.
    loop_fn: A callable that accumulates anything else along the way:
      `loop_fn(loop_state, loop_args, new_particle_state, log_weights,
      resampled, mask, t) -> loop_state`. First called with six Nones and -1,
      for the initial loop state. Then `new_particle_state` is the state after
      resampling, `log_weights` `[N, B]` are those before resampling resets them
      to zero, `resampled` `[B]` is float, and `mask` `[N*B]` is float, 1 where
      step t is within the sequence. `loop_args` is None if `transition_fn`
      returns none.
    parallel_iterations: How many iterations of the loop may run in parallel.
    swap_memory: Whether a GPU may swap the loop's memory to the host.
    scan: The loop over time, with the signature of
      `compiled.rematerialization.scan`; None for a `tf.while_loop`.
    resampling_gradients: How the gradient of log_z_hat accounts for the choice
      of ancestors, see `resampling/gradients.py`: "none", "score" (with a
      scheme whose ancestors are independent draws), "stop_gradient" (with a
      scheme that copies particles).

  Returns:
    An `SMCResult`.

  Raises:
    TypeError: If `num_particles` is not an integer.
    AssertionError: If the gradients are unknown or do not suit the scheme.
  """
  with tf.name_scope("smc"):
    filters = _Filters(
        transition_fn, tf.cast(num_steps, tf.int32), to_size(num_particles),
        resampling_criterion, resampling_fn, loop_fn, resampling_gradients)
    return filters.run(scan or functools.partial(
        _scan, parallel_iterations=parallel_iterations,
        swap_memory=swap_memory))


def to_size(num_particles):
  """The number of particles as an int or an int32 Tensor."""
  if tf.is_tensor(num_particles):
    return tf.cast(num_particles, tf.int32)
  return operator.index(num_particles)  # A NumPy int would make indices int64.


def _blend_tensor(blending_weights, tensor, num_particles, batch_size):
  """`particles.blend_tensor` for old code: a vector becomes `[N*B, 1]`."""
  blended = particles.blend_tensor(
      blending_weights, tensor, num_particles, batch_size)
  return blended[:, tf.newaxis] if blended.shape.ndims == 1 else blended


def log_average_weight(log_weights, axis):
  """log((1/N) sum_n w_n) in nats, over the axis of the particles."""
  num_particles = tf.compat.dimension_value(log_weights.shape[axis])
  log_num_particles = (
      np.log(num_particles) if num_particles else
      tf.math.log(tf.cast(tf.shape(log_weights)[axis], log_weights.dtype)))
  return tf.reduce_logsumexp(log_weights, axis=axis) - log_num_particles


_State = collections.namedtuple(
    "_State", ("particle_state", "loop_state", "log_weights"))
_Record = collections.namedtuple(
    "_Record", ("log_weights", "resampled", "ancestors", "particle_state"))


class _Filters(object):
  """A batch of particle filters; for arguments see `smc`."""

  def __init__(self, transition_fn, num_steps, num_particles,
               resampling_criterion, resampling_fn, loop_fn,
               resampling_gradients):
    assert resampling_gradients in catalogue.RESAMPLING_GRADIENTS, (
        resampling_gradients)
    needed = catalogue.RESAMPLING_GRADIENTS[resampling_gradients].needs
    scheme = catalogue.SCHEMES.get(particles.scheme_name(resampling_fn))
    assert not (needed and scheme) or getattr(scheme, needed), (
        "%s gradients do not suit %s resampling" % (
            resampling_gradients, scheme.name))
    self._gradients = resampling_gradients
    self._transition_fn = transition_fn
    self._num_particles = num_particles
    self._criterion = resampling_criterion
    self._resampling_fn = resampling_fn
    self._loop_fn = loop_fn
    # A static batch size saves the loop's gradient all work on shapes.
    self._batch_size = (
        tf.compat.dimension_value(num_steps.shape[0]) or tf.shape(num_steps)[0])
    self._num_steps = num_steps
    self._row_num_steps = tf.tile(num_steps, [num_particles])
    self._max_num_steps = tf.reduce_max(num_steps)
    self._own_ancestors = particles.own_ancestors(
        num_particles, self._batch_size)
    self._has_ancestors = True  # Until a step resamples without any.
    self._has_records = True  # Unless the state has TensorArrays.

  def run(self, scan):
    """Runs the filters through time and returns an `SMCResult`."""
    particle_state = nested.map_nested(
        _to_tensor, self._transition_fn(None, -1))
    loop_state = tf.constant(0)
    if self._loop_fn is not None:
      loop_state = self._loop_fn(None, None, None, None, None, None, -1)
    log_weights = tf.zeros([self._num_particles, self._batch_size],
                           nested.float_dtype(particle_state))
    self._has_records = len(_tensors(particle_state)) == len(
        tf.nest.flatten(particle_state))
    record = _Record(log_weights, tf.fill([self._batch_size], False),
                     self._own_ancestors,
                     particle_state if self._has_records else ())
    final, record = scan(
        self.step, _State(particle_state, loop_state, log_weights), record,
        self._max_num_steps)
    result = SMCResult(
        log_z_hat=self._log_z_hat(record),
        log_weights=tf.transpose(record.log_weights, [0, 2, 1]),
        resampled=tf.cast(record.resampled, log_weights.dtype),
        final_particle_state=final.particle_state,
        final_loop_state=final.loop_state)
    result.particle_states = record.particle_state
    if self._has_ancestors and tf.is_tensor(record.ancestors):
      result.ancestors = tf.transpose(record.ancestors, [0, 2, 1])
    return result

  def step(self, t, state):
    """Runs one timestep of all filters; returns a new `_State`, a `_Record`."""
    # Draws of known shape depend on no earlier step. Made to wait for it, they
    # consume the random stream in order of time, however many iterations run in
    # parallel.
    with tf.control_dependencies(_tensors(state.particle_state)):
      # Propose.
      log_increments, proposed, *loop_args = self._transition_fn(
          state.particle_state, t)
      # Weigh. Masks select rather than multiply: 0 * -inf is NaN.
      log_increments = tf.cast(log_increments, state.log_weights.dtype)
      log_increments.set_shape(self._row_num_steps.shape)
      in_sequence = t < self._row_num_steps
      log_weights = state.log_weights + tf.reshape(
          tf.compat.v1.where(in_sequence, log_increments,
                             tf.zeros_like(log_increments)),
          [self._num_particles, self._batch_size])
      # Resample.
      resampled, ancestors, particle_state, next_log_weights = self._resample(
          log_weights, proposed, t)
    # A step may lose static shape information; the loop must not.
    for new, old in zip(_tensors(particle_state),
                        _tensors(state.particle_state)):
      new.set_shape(old.shape)
    loop_state = state.loop_state
    if self._loop_fn is not None:
      loop_state = self._loop_fn(
          loop_state, loop_args[0] if loop_args else None, particle_state,
          log_weights, tf.cast(resampled, log_weights.dtype),
          tf.cast(in_sequence, log_weights.dtype), t)
    return (_State(particle_state, loop_state, next_log_weights),
            _Record(log_weights, resampled, ancestors,
                    particle_state if self._has_records else ()))

  def _resample(self, log_weights, particle_state, t):
    """Returns which filters resampled, ancestors, states and log weights."""
    resampled = self._criterion(log_weights, t)
    if self._criterion is never_resample_criterion:
      resampled.set_shape(self._num_steps.shape)
      return resampled, self._own_ancestors, particle_state, log_weights
    resampled = tf.logical_and(resampled, t < self._num_steps)
    particle_state, ancestors = particles.resample(
        self._resampling_fn, log_weights, particle_state, resampled,
        self._num_particles, self._batch_size)
    if ancestors is None:
      assert self._gradients == "none", "no ancestors are known"
      self._has_ancestors, ancestors = False, self._own_ancestors
    equal = (gradients.weights_of_resampled(log_weights, ancestors)
             if self._gradients == "stop_gradient" else
             tf.zeros_like(log_weights))
    next_log_weights = tf.compat.v1.where(
        tf.tile(resampled[tf.newaxis], [self._num_particles, 1]),
        equal, log_weights)
    return resampled, ancestors, particle_state, next_log_weights

  def _log_z_hat(self, record):
    """log Z_hat `[B]`: the log average weights of resampling and last steps.

    Summing them after the loop takes fewer operations than inside it.
    """
    log_averages = log_average_weight(record.log_weights, axis=1)
    # Past a filter's end its weights stay constant, so the last step adds what
    # it gained since it last resampled.
    is_last = tf.equal(
        tf.range(tf.shape(log_averages)[0]), self._max_num_steps - 1)
    counts = tf.logical_or(record.resampled, is_last[:, tf.newaxis])
    log_averages = tf.compat.v1.where(
        counts, log_averages, tf.zeros_like(log_averages))
    log_z_hat = tf.reduce_sum(log_averages, axis=0)
    if (self._gradients == "score" and
        self._criterion is not never_resample_criterion):
      log_z_hat += gradients.score_surrogate(
          record.log_weights, record.ancestors, record.resampled, log_averages,
          self._num_steps)
    return log_z_hat


def _scan(step, initial_state, initial_record, num_steps, parallel_iterations,
          swap_memory):
  """Runs a step over time; see `compiled.rematerialization.scan`.

  The TensorArrays of the records have one extra entry after the last step,
  since an empty array has no shape if the batch size is unknown.
  """
  arrays = nested.map_nested(
      lambda x: tf.TensorArray(
          x.dtype, num_steps + 1, element_shape=x.shape).write(num_steps, x),
      initial_record)

  def body(t, state, arrays):
    state, record = step(t, state)
    return t + 1, state, tf.nest.map_structure(
        lambda array, x: array.write(t, x), arrays, record)

  _, state, arrays = tf.while_loop(
      lambda t, *_: t < num_steps, body,
      (tf.constant(0), initial_state, arrays),
      parallel_iterations=parallel_iterations, swap_memory=swap_memory)
  return state, nested.map_nested(lambda array: array.stack()[:-1], arrays)


def _to_tensor(x):
  return x if isinstance(x, tf.TensorArray) else tf.convert_to_tensor(x)


def _tensors(state):
  """The leaves of a nested state that are not TensorArrays."""
  return [x for x in tf.nest.flatten(state)
          if not isinstance(x, tf.TensorArray)]
