"""Sequential Monte Carlo: a batch of particle filters in one TensorFlow loop.

A particle filter carries N particles, guesses of a sequence's latent state,
from one timestep to the next. Each step extends every particle, multiplies its
weight by how well the guess explains the observation, and, where a resampling
criterion says so, replaces the particles by N draws of them in proportion to
their weights. The product of the average weights at the resampling steps and
at the end is an unbiased estimate of the likelihood; its log is the bound that
`bounds.py` trains on (Maddison et al., Filtering Variational Objectives, 2017,
algorithm 1).

The particle-major layout. B sequences with N particles each are N*B rows of
one matrix, so that a model sees nothing but a larger batch. Row `n * B + b` is
particle n of sequence b; here for N = 3 and B = 2:

    row   0     1     2     3     4     5
        +-----+-----+-----+-----+-----+-----+
        | n=0 | n=0 | n=1 | n=1 | n=2 | n=2 |    reshape to [N, B]: one
        | b=0 | b=1 | b=0 | b=1 | b=0 | b=1 |    column is one filter
        +-----+-----+-----+-----+-----+-----+

Hence `tf.tile(x, [N])` gives every particle its sequence's row of an `[B]`
Tensor, and `tf.reshape(y, [N, B])` puts the particles of a filter into a
column. Tensors of several timesteps have time first: `[T, N*B, ...]`.

Sequences of a batch end at different times. A filter past its end gains no
weight and does not resample; its last term is added to log Z at the last step
of the longest sequence.
"""

import collections
import inspect
import numbers

import numpy as np
import tensorflow as tf

from fivo import nested_utils as nested
from fivo.compiled import rematerialization
from fivo.resampling import multinomial_resampling
from fivo.resampling import relaxed_resampling
from fivo.system import errors

__all__ = [
    "SMCResult", "smc", "ess_criterion", "never_resample_criterion",
    "always_resample_criterion", "multinomial_resampling",
    "relaxed_resampling"
]

SMCResult = collections.namedtuple(
    "SMCResult", ("log_z_hat", "log_weights", "resampled",
                  "final_particle_state", "final_loop_state"))


def ess_criterion(log_weights, t):
  """Resamples a filter whose effective sample size is at most N / 2.

  The effective sample size is 1 / sum_n W_n^2 for normalised weights W (Liu &
  Chen, Blind Deconvolution via Sequential Imputations, 1995). It lies in
  [1, N], so with N = 2 the criterion holds only in the limit of one weight
  being zero: FIVO with two particles hardly differs from IWAE.

  Args:
    log_weights: A float Tensor `[N, B]`, unnormalised log weights.
    t: The current timestep; not used.

  Returns:
    A bool Tensor `[B]`, false where all weights are zero or one is NaN.
  """
  del t
  num_particles = tf.cast(tf.shape(log_weights)[0], log_weights.dtype)
  # Scaling by the largest weight cancels in the ratio and keeps equal weights
  # exact. A filter without a possible particle compares NaN: false.
  weights = tf.exp(
      log_weights - tf.reduce_max(log_weights, axis=0, keepdims=True))
  return (tf.square(tf.reduce_sum(weights, axis=0)) <=
          num_particles / 2 * tf.reduce_sum(tf.square(weights), axis=0))


def never_resample_criterion(log_weights, t):
  """Resamples no filter: importance sampling of whole trajectories.

  Args:
    log_weights: A float Tensor `[N, B]`.
    t: The current timestep; not used.

  Returns:
    A bool Tensor `[B]`, all false.
  """
  del t
  return tf.fill([tf.shape(log_weights)[1]], False)


def always_resample_criterion(log_weights, t):
  """Resamples every filter at every step.

  Args:
    log_weights: A float Tensor `[N, B]`.
    t: The current timestep; not used.

  Returns:
    A bool Tensor `[B]`, all true.
  """
  del t
  return tf.fill([tf.shape(log_weights)[1]], True)


def smc(transition_fn,
        num_steps,
        num_particles=1,
        resampling_criterion=ess_criterion,
        resampling_fn=multinomial_resampling,
        loop_fn=None,
        parallel_iterations=30,
        swap_memory=True,
        rematerialized_steps=None):
  """Runs a batch of particle filters and estimates log normalisers.

  Args:
    transition_fn: A callable that extends particles by one step.
      `transition_fn(None, -1)` gives the initial state: nested Tensors
      `[N*B, ...]`. `transition_fn(state, t)`, with `t` a scalar int32 Tensor,
      gives `(log_incremental_weights, new_state)`, the former `[N*B]` in nats,
      or `(log_incremental_weights, new_state, loop_args)`.
    num_steps: An int Tensor `[B]`, the length of each sequence.
    num_particles: N, a positive int.
    resampling_criterion: A callable `(log_weights [N, B], t) -> bool [B]`.
      With `never_resample_criterion`, `resampling_fn` is never called.
    resampling_fn: A resampling scheme, see `resampling.py`.
    loop_fn: A callable that accumulates anything else along the way:
      `loop_fn(loop_state, loop_args, new_particle_state, log_weights,
      resampled, mask, t) -> loop_state`. First called with six Nones and -1,
      for the initial loop state. Then `new_particle_state` is the state after
      resampling, `log_weights` `[N, B]` those before the reset to zero that
      follows resampling, `resampled` `[B]` float, and `mask` `[N*B]` float, one
      where step t lies within the sequence. `loop_args` is None where
      `transition_fn` gives none.
    parallel_iterations: How many iterations of the loop may run at once.
    swap_memory: Whether a GPU may swap the loop's memory to the host.
    rematerialized_steps: None, or T, an int or scalar Tensor at least as large
      as the longest sequence, if the loop is to be that of
      `rematerialization.scan`, with its limits and without a `loop_fn`. Then
      log_weights and resampled are zero after the last step of the longest
      sequence.

  Returns:
    An `SMCResult`:
      log_z_hat: A float Tensor `[B]`, log of an unbiased estimate of each
        sequence's normaliser, in nats.
      log_weights: A float Tensor `[T, B, N]`, accumulated log weights at each
        step, before the reset to zero that follows resampling.
      resampled: A float Tensor `[T, B]`, one where a filter resampled.
      final_particle_state: The nested state after the last step.
      final_loop_state: What `loop_fn` gave last; 0 without a `loop_fn`.

  Raises:
    UserError: If `num_particles` is not an int of at least one, or `num_steps`
      are not ints, or a rematerialized loop has a `loop_fn`.
  """
  check_num_particles(num_particles=num_particles)
  with tf.name_scope("smc"):
    num_particles = int(num_particles)  # NumPy's would make indices int64.
    num_steps = lengths_to_int32(num_steps=num_steps)
    filters = _Filters(
        transition_fn, num_steps, num_particles, resampling_criterion,
        resampling_fn, loop_fn)
    if rematerialized_steps is not None:
      return filters.run_rematerialized(rematerialized_steps)
    return filters.run(parallel_iterations, swap_memory)


def check_num_particles(**argument):
  """Raises a `UserError` unless an argument is an int of at least one."""
  (name, value), = argument.items()
  if not isinstance(value, numbers.Integral):
    raise errors.UserError("%s=%r: must be an integer" % (name, value))
  if value < 1:
    raise errors.UserError("%s=%s: must be at least 1" % (name, value))


def lengths_to_int32(**argument):
  """Makes an int32 Tensor of an argument, or raises a `UserError`."""
  (name, value), = argument.items()
  lengths = tf.convert_to_tensor(value)
  # A cast would cut 1.5 down to 1, and NaN to any number.
  if not lengths.dtype.is_integer:
    raise errors.UserError("%s has dtype %s: must be integers" % (
        name, lengths.dtype.name))
  return tf.cast(lengths, tf.int32)


_LoopVars = collections.namedtuple(
    "_LoopVars", ("t", "particle_state", "loop_state", "log_weights",
                  "log_weights_ta", "resampled_ta"))


class _Filters(object):
  """What stays the same over the timesteps of `smc`, and one step of it."""

  def __init__(self, transition_fn, num_steps, num_particles,
               resampling_criterion, resampling_fn, loop_fn):
    self._transition_fn = transition_fn
    self._num_particles = num_particles
    self._criterion = resampling_criterion
    self._resampling_fn = resampling_fn
    self._loop_fn = loop_fn
    # A static batch size spares the loop's gradient all work on shapes.
    self._batch_size = (
        tf.compat.dimension_value(num_steps.shape[0]) or tf.shape(num_steps)[0])
    self._num_steps = num_steps
    self._row_num_steps = tf.tile(num_steps, [num_particles])
    self._max_num_steps = tf.reduce_max(num_steps)

  def run(self, parallel_iterations, swap_memory):
    """Runs the loop; see `smc`."""
    final = _LoopVars(*tf.while_loop(
        lambda t, *_: t < self._max_num_steps,
        lambda *loop_vars: self._step(_LoopVars(*loop_vars)),
        self._initial_loop_vars(),
        parallel_iterations=parallel_iterations,
        swap_memory=swap_memory))
    return self._result(
        final.log_weights_ta.stack()[:-1], final.resampled_ta.stack()[:-1],
        final.particle_state, final.loop_state)

  def run_rematerialized(self, num_steps):
    """Runs the loop that a compiler likes, of T = `num_steps`; see `smc`."""
    if self._loop_fn is not None:
      raise errors.UserError("loop_fn=%r: a rematerialized loop has none" % (
          self._loop_fn,))
    particle_state = self._initial_particle_state()

    def step(t, state):
      log_weights, resampled, new_state, _ = self._advance(
          t, tf.nest.pack_sequence_as(particle_state, state[:-1]), state[-1])
      new_state = tf.nest.flatten(new_state)
      new_state.append(self._reset(log_weights, resampled))
      return new_state, [log_weights, resampled]

    result = rematerialization.scan(
        step,
        tf.nest.flatten(particle_state) + [self._zero_weights(particle_state)],
        self._max_num_steps, num_steps)
    log_weights, resampled = result.outputs
    return self._result(
        log_weights, resampled, tf.nest.pack_sequence_as(
            particle_state, result.final_state[:-1]), tf.constant(0))

  def _result(self, log_weights, resampled, particle_state, loop_state):
    """An `SMCResult` of `[T, N, B]` log weights and `[T, B]` resamplings."""
    return SMCResult(
        log_z_hat=self._log_z_hat(log_weights, resampled),
        log_weights=tf.transpose(log_weights, [0, 2, 1]),
        resampled=tf.cast(resampled, log_weights.dtype),
        final_particle_state=particle_state,
        final_loop_state=loop_state)

  def _initial_particle_state(self):
    return nested.map_nested(
        tf.convert_to_tensor, self._transition_fn(None, -1))

  def _zero_weights(self, particle_state):
    return tf.zeros([self._num_particles, self._batch_size],
                    _weight_dtype(particle_state))

  def _initial_loop_vars(self):
    """The state before the first timestep."""
    particle_state = self._initial_particle_state()
    loop_state = tf.constant(0)
    if self._loop_fn is not None:
      loop_state = self._loop_fn(None, None, None, None, None, None, -1)
    static_batch = tf.compat.dimension_value(self._num_steps.shape[0])
    log_weights = self._zero_weights(particle_state)
    # The arrays have one entry after the last step, since an array without an
    # entry has no shape where the batch size is not known.
    log_weights_ta, resampled_ta = [
        tf.TensorArray(
            value.dtype, self._max_num_steps + 1, name=name,
            element_shape=shape + [static_batch]).write(
                self._max_num_steps, value)
        for name, shape, value in [
            ("log_weights", [self._num_particles], log_weights),
            ("resampled", [], tf.fill([self._batch_size], False))]]
    return _LoopVars(
        t=tf.constant(0),
        particle_state=particle_state,
        loop_state=loop_state,
        log_weights=log_weights,
        log_weights_ta=log_weights_ta,
        resampled_ta=resampled_ta)

  def _step(self, loop):
    """One timestep of every filter."""
    t = loop.t
    log_weights, resampled, particle_state, loop_args = self._advance(
        t, loop.particle_state, loop.log_weights)
    loop_state = loop.loop_state
    if self._loop_fn is not None:
      loop_state = self._loop_fn(
          loop_state, loop_args, particle_state, log_weights,
          tf.cast(resampled, log_weights.dtype),
          tf.cast(t < self._row_num_steps, log_weights.dtype), t)
    return _LoopVars(
        t=t + 1,
        particle_state=particle_state,
        loop_state=loop_state,
        log_weights=self._reset(log_weights, resampled),
        log_weights_ta=loop.log_weights_ta.write(t, log_weights),
        resampled_ta=loop.resampled_ta.write(t, resampled))

  def _advance(self, t, particle_state, log_weights):
    """Extends, weighs and resamples the particles.

    Args:
      t: The timestep.
      particle_state: The nested state after the step before.
      log_weights: A float Tensor `[N, B]`, zero where the step before has
        resampled.

    Returns:
      log_weights: The accumulated log weights.
      resampled: A bool Tensor `[B]`.
      particle_state: The nested state.
      loop_args: What the transition gives besides, or None.
    """
    # Draws of known shape depend on no earlier step. Made to wait for it, they
    # take their share of the random stream in the order of time, however many
    # iterations are in flight.
    with tf.control_dependencies(tf.nest.flatten(particle_state)):
      log_increments, particle_state, loop_args = self._propagate(
          particle_state, t)
      # Masks select rather than multiply: 0 * -inf is NaN.
      in_sequence = t < self._row_num_steps
      log_increments = tf.compat.v1.where(
          in_sequence, log_increments, tf.zeros_like(log_increments))
      log_weights += tf.reshape(
          log_increments, [self._num_particles, self._batch_size])
      resampled, particle_state = self._resample(log_weights, particle_state, t)
    return log_weights, resampled, particle_state, loop_args

  def _propagate(self, state, t):
    """Extends the particles; loop_args is None where there are none."""
    log_increments, new_state, *loop_args = self._transition_fn(state, t)
    log_increments = tf.cast(log_increments, _weight_dtype(state))
    # A step may lose what is known of a shape; the loop must not.
    log_increments.set_shape(self._row_num_steps.shape)
    tf.nest.map_structure(lambda new, old: new.set_shape(old.shape),
                          new_state, state)
    return log_increments, new_state, loop_args[0] if loop_args else None

  def _resample(self, log_weights, particle_state, t):
    """Resamples the filters that need it and have not ended."""
    resampled = self._criterion(log_weights, t)
    if self._criterion is never_resample_criterion:
      resampled.set_shape(self._num_steps.shape)
      return resampled, particle_state
    resampled = tf.logical_and(resampled, t < self._num_steps)
    parameters = inspect.signature(self._resampling_fn).parameters
    options = {name: value for name, value in [
        ("should_resample", resampled), ("t", t)] if name in parameters}
    candidates = self._resampling_fn(
        log_weights, particle_state, self._num_particles, self._batch_size,
        **options)
    if "should_resample" in options:
      return resampled, candidates
    return resampled, nested.where_tensors(
        tf.tile(resampled, [self._num_particles]), candidates, particle_state)

  def _reset(self, log_weights, resampled):
    """Resampled particles start with equal weights."""
    if self._criterion is never_resample_criterion:
      return log_weights
    return tf.compat.v1.where(
        tf.tile(resampled[tf.newaxis], [self._num_particles, 1]),
        tf.zeros_like(log_weights), log_weights)

  def _log_z_hat(self, log_weights, resampled):
    """Sums the log average weights of the resampling and the last steps.

    Done once for all timesteps rather than inside the loop, where each of the
    dozen operations and their gradients would cost as much as a small matmul.

    Args:
      log_weights: A float Tensor `[T, N, B]`, as recorded before each reset.
      resampled: A bool Tensor `[T, B]`.

    Returns:
      A float Tensor `[B]`, in nats.
    """
    log_averages = tf.reduce_logsumexp(log_weights, axis=1) - np.log(
        self._num_particles)
    # After a filter's end its weights stand still, so what the last step adds
    # is what it had gained since it last resampled.
    is_last = tf.equal(
        tf.range(tf.shape(log_weights)[0]), self._max_num_steps - 1)
    counts = tf.logical_or(resampled, is_last[:, tf.newaxis])
    return tf.reduce_sum(
        tf.compat.v1.where(
            counts, log_averages, tf.zeros_like(log_averages)), axis=0)


def _weight_dtype(particle_state):
  """The dtype of the log weights: that of the state's first float Tensor."""
  for leaf in tf.nest.flatten(particle_state):
    if leaf.dtype.is_floating:
      return leaf.dtype
  return tf.float32
