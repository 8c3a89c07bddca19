"""Twisted targets: a particle filter that looks ahead.

Lawson, Raventos, Warrington & Linderman, SIXO: Smoothing Inference with Twisted
Objectives, 2022. FIVO resamples by how well a particle explains x_{1:t}. SIXO
adds to a model a twist r(z_t, x_{t+1:T}) > 0, an approximation of
p(x_{t+1:T} | z_t), and its filter targets

    gamma_t(z_{1:t}) = p(z_{1:t}, x_{1:t}) r(z_t, x_{t+1:T}),   r = 1 at t = T,

so that the incremental weight is

    alpha_t = p(z_t, x_t | .) / q(z_t | .)
              * r(z_t, x_{t+1:T}) / r(z_{t-1}, x_{t:T}).

The ratios cancel along a trajectory: whatever r is, the estimate of p(x_{1:T})
stays unbiased, and without resampling it is that of IWAE. With the optimal
twist p(x_{t+1:T} | z_t) and the proposal p(z_t | z_{t-1}, x_{t:T}) all weights
are equal, and the estimate is exact. A factor of r that does not depend on z
changes nothing.

Learning a twist. As a function of z_t, p(x_{t+1:T} | z_t) is proportional to
the ratio of p(z_t, x_{t+1:T}) to p(z_t) p(x_{t+1:T}). An optimal classifier of
draws from the first against draws from the second has the log of that ratio as
its logit: `density_ratio_loss`. Alternatively the bound itself trains the
twist, like the proposal; its gradient then needs the score term of the
ancestors (`resampling_gradients` of "score"), through which alone a twist acts.
Without that term the gradient lowers r where particles turn out well.

A model provides a twist as the method `log_twist(state, t)`. The names of its
variables begin with `twist`, see `is_of_twist`.
"""

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.models import base
from fivo.models import roll_outs


class TwistedModel(object):
  """A model with the ratios of its twist as factors of its weights.

  It has the methods that `bounds` needs of an `ELBOTrainableSequenceModel`. The
  wrapped model has a method `log_twist(state, t)`: log r of the state after
  step t, a float Tensor `[batch]`, which must be finite at the last step too.
  """

  def __init__(self, model):
    self._model = model
    self._seq_lengths = None
    self.zero_state = model.zero_state

  @property
  def dtype(self):
    """The float dtype that `zero_state` is given."""
    return getattr(self._model, "dtype", tf.float32)

  def set_tiled_observations(self, observations, seq_lengths, num_particles):
    """Passes observations to the model; see `set_particle_observations`."""
    base.set_particle_observations(
        self._model, observations, seq_lengths, num_particles)
    self._seq_lengths = tf.tile(seq_lengths, [num_particles])

  def propose_and_weight(self, state, t):
    """Adds log r_t - log r_{t-1} to the log weights of the model."""
    log_weights, new_state = self._model.propose_and_weight(state, t)
    return (log_weights + self._log_twist(new_state, t) -
            self._log_twist(state, t - 1)), new_state

  def _log_twist(self, state, t):
    """log r after step t, zero before the first step and at the last."""
    log_r = self._model.log_twist(state, tf.maximum(t, 0))
    has_next = tf.logical_and(t >= 0, t + 1 < self._seq_lengths)
    return tf.compat.v1.where(has_next, log_r, tf.zeros_like(log_r))


def is_of_twist(variable):
  """True if a component of a variable's name begins with `twist`."""
  return any(part.startswith("twist") for part in variable.op.name.split("/"))


def density_ratio_loss(model, states, observations, seq_lengths):
  """The cross entropy of a classifier whose logit is log r, a scalar in nats.

  Half of its examples are pairs (z_t, x_{t+1:T}) from one draw of the model;
  the others pair z_t with the observations of another sequence of the batch.
  The last three arguments are results of `simulate`, for at least two
  sequences. Summed over all steps but the last, the loss is 2 (T - 1) log 2 for
  r = 1.
  """
  states, observations, seq_lengths = nested.map_nested(
      tf.stop_gradient, (states, observations, seq_lengths))
  model.set_observations(
      nested.map_nested(
          lambda x: tf.concat([x, tf.roll(x, shift=1, axis=1)], axis=1),
          observations),
      tf.tile(seq_lengths, [2]))
  states = nested.tile_tensors(states, [1, 2])
  num_steps = tf.shape(tf.nest.flatten(states)[0])[0]
  logits = tf.map_fn(
      lambda step: model.log_twist(*step), (states, tf.range(num_steps)),
      dtype=nested.float_dtype(states))[:-1]
  joint, independent = tf.split(logits, 2, axis=1)
  return tf.reduce_mean(tf.reduce_sum(
      tf.nn.softplus(-joint) + tf.nn.softplus(independent), axis=0))


def simulate(model, batch_size, num_steps, data_size, mean=None):
  """Draws B sequences of T timesteps in D dimensions from a model.

  The model has `zero_state` and `sample_step`, see `models/roll_outs.py`. The
  mean, a float Tensor `[D]` or None, is subtracted from inputs. Returns the
  states after each step, `[T, B, ...]`; the pair of inputs and targets,
  `[T, B, D]`; and the lengths `[B]`, each T.
  """
  dtype = getattr(model, "dtype", tf.float32)
  mean = tf.zeros([data_size], dtype) if mean is None else mean
  # Once the mean is subtracted, the first input is zero.
  before_first = tf.zeros([batch_size, data_size], dtype) + mean
  states, targets = roll_outs.roll_out(
      model, model.zero_state(batch_size, dtype), before_first, mean,
      tf.range(num_steps))
  inputs = tf.concat([before_first[tf.newaxis], targets[:-1]], axis=0) - mean
  return states, (inputs, targets), tf.fill([batch_size], num_steps)
