"""Trajectories: the particles of all timesteps, joined by ancestry.

Ancestors, log weights and `resampled` are those of an `smc.SMCResult`; states
are its `particle_states`, or what a `loop_fn` collected of them.
"""

import tensorflow as tf

from fivo import nested_utils as nested


def trajectories(states, ancestors):
  """Traces the final particles back through time.

  Row `n * B + b` of the result, nested Tensors `[T, N*B, ...]`, is the
  trajectory of the final particle n of sequence b, and has its weight.
  """
  batch_size, num_particles = tf.unstack(tf.shape(ancestors)[1:])
  last = tf.tile(tf.range(num_particles)[tf.newaxis], [batch_size, 1])
  # The particle proposed at step t with index a continues the particle with
  # index a after step t - 1.
  lineages = tf.scan(
      lambda lineage, ancestors_t: tf.gather(
          ancestors_t, lineage, batch_dims=1),
      ancestors[1:], initializer=last, reverse=True)
  lineages = tf.concat([lineages, last[tf.newaxis]], axis=0)
  rows = tf.reshape(
      tf.transpose(lineages, [0, 2, 1]) * batch_size + tf.range(batch_size),
      [-1, num_particles * batch_size])
  return nested.map_nested(
      lambda state: tf.gather(state, rows, batch_dims=1), states)


def filtering_moments(states, log_weights, resampled):
  """The mean and variance of p(z_t | x_{1:t}), `[T, B, ...]` each."""
  return _moments(states, weights_after(log_weights, resampled))


def smoothing_moments(states, ancestors, log_weights, resampled):
  """The mean and variance of p(z_t | x_{1:T}), `[T, B, ...]` each.

  If t is far from T few distinct particles remain: use `backward_simulation`.
  """
  last = weights_after(log_weights, resampled)[-1:]
  return _moments(
      trajectories(states, ancestors), last + tf.zeros_like(log_weights))


def weights_after(log_weights, resampled):
  """The log weights `[T, B, N]` after each step: zero where resampled."""
  return tf.compat.v2.where(
      resampled[:, :, tf.newaxis] > 0, tf.zeros([], log_weights.dtype),
      log_weights)


def _moments(states, log_weights):
  """Weighted means and variances over particles, nested `[T, B, ...]`."""
  weights = tf.transpose(tf.nn.softmax(log_weights), [0, 2, 1])
  means = nested.map_nested(lambda x: _average(x, weights), states)
  return means, tf.nest.map_structure(
      lambda x, mean: _average(tf.math.squared_difference(
          x, nested.tile_tensors(mean, [1, tf.shape(weights)[1]])), weights),
      states, means)


def _average(x, weights):
  """Averages `[T, N*B, ...]` with weights `[T, N, B]`."""
  shape = tf.concat([tf.shape(weights), tf.shape(x)[2:]], axis=0)
  for _ in x.shape[2:]:
    weights = weights[..., tf.newaxis]
  return tf.reduce_sum(
      tf.reshape(x, shape) * tf.cast(weights, x.dtype), axis=1)


def backward_simulation(states, log_weights, resampled, transition_log_prob,
                        num_trajectories, num_steps, seed=None):
  """Draws trajectories from p(z_{1:T} | x_{1:T}), nested `[T, M*B, ...]`.

  Forward filtering, backward simulation (Godsill, Doucet & West, Monte Carlo
  Smoothing for Nonlinear Time Series, 2004): each latent of M trajectories is
  drawn from the particles of its step with probability proportional to W_t^i
  p(z_{t+1} | z_t^i). `transition_log_prob(t, states, next_states)` gives log
  p(z_t | z_{t-1}), `[rows]`, for rows of states of steps t - 1 and t. Sequences
  have lengths `num_steps`, `[B]`; results past them are arbitrary.
  """
  log_weights = weights_after(log_weights, resampled)
  max_steps, batch_size, num_particles = tf.unstack(tf.shape(log_weights))
  num_steps = tf.convert_to_tensor(num_steps)
  # Rows [M*B] of the next states, repeated for each particle: [M*N*B].
  for_each_particle = tf.reshape(tf.tile(
      tf.reshape(tf.range(num_trajectories * batch_size),
                 [num_trajectories, 1, batch_size]),
      [1, num_particles, 1]), [-1])

  def draw(logits):
    """Draws row indices `[M*B]` of particles from logits `[M, B, N]`."""
    chosen = tf.random.categorical(
        tf.reshape(logits, [-1, num_particles]), 1, seed=seed, dtype=tf.int32)
    return chosen[:, 0] * batch_size + tf.tile(
        tf.range(batch_size), [num_trajectories])

  def step(next_states, t):
    """Draws the states of step t given those drawn for step t + 1."""
    particles = nested.map_nested(lambda x: x[t], states)
    log_probs = tf.reshape(transition_log_prob(
        t + 1, nested.tile_tensors(particles, [num_trajectories]),
        nested.gather_tensors(next_states, for_each_particle)),
                           [num_trajectories, num_particles, batch_size])
    is_inner = t + 1 < num_steps
    logits = log_weights[t] + tf.compat.v2.where(
        is_inner[:, tf.newaxis], tf.transpose(log_probs, [0, 2, 1]),
        tf.zeros([], log_weights.dtype))
    return nested.gather_tensors(particles, draw(logits))

  last = nested.gather_tensors(
      nested.map_nested(lambda x: x[-1], states),
      draw(tf.tile(log_weights[-1:], [num_trajectories, 1, 1])))
  earlier = tf.scan(
      step, tf.range(max_steps - 1), initializer=last, reverse=True)
  return tf.nest.map_structure(
      lambda x, y: tf.concat([x, y[tf.newaxis]], axis=0), earlier, last)
