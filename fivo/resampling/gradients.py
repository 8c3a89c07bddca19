"""What the gradient of a particle filter knows of the choice of ancestors.

To differentiate the estimate log Z_hat of a filter is to leave out that the
ancestors' probabilities depend on the weights, see `bounds.py`. Two estimators
do not.

The score of the ancestors. At a resampling event, ancestors a^1, ..., a^N are
drawn independently with the normalised weights W. What is left out of the
gradient of E[log Z_hat] is, summed over the events, the expectation of

    (sum_n grad log W_{a^n}) (R - c)

with R the log average weights that come after the event, all that it can
influence, and any c that does not depend on the draw. Here c is a guess at R
from the other sequences of the batch: the average of their R per remaining
timestep, times the sequence's own remaining timesteps. (A running mean would
need a variable, and would mix sequences of all lengths and steps of training.)
The sum is added to log Z_hat as a surrogate: a Tensor of this gradient whose
value is zero, x - S(x) with S(x) for x as a constant.

Stop-gradient resampling (Scibior & Wood, Differentiable Particle Filtering
without Modifying the Forward Pass, 2021). A resampled particle starts with the
log weight log W_{a^n} - S(log W_{a^n}), which is zero, in place of zero. Then
Z_hat grad log Z_hat is an unbiased estimate of grad Z: it is the gradient of
the likelihood, not of the bound.
"""

import tensorflow as tf


def surrogate(x):
  """A Tensor of value zero that has the gradient of another."""
  return x - tf.stop_gradient(x)


def score_surrogate(log_weights, ancestors, resampled, log_averages, num_steps):
  """The surrogate of the score of the ancestors.

  Args:
    log_weights: A float Tensor `[T, N, B]`, as the ancestors were drawn by.
    ancestors: An int32 Tensor `[T, N, B]`, drawn by multinomial resampling.
    resampled: A bool Tensor `[T, B]`.
    log_averages: A float Tensor `[T, B]`, what each step added to log Z_hat.
    num_steps: An int32 Tensor `[B]`.

  Returns:
    A float Tensor `[B]`.
  """
  log_probs = tf.reduce_sum(_of_ancestors(
      tf.nn.log_softmax(log_weights, axis=1), ancestors), axis=1)
  returns = tf.stop_gradient(tf.cumsum(
      log_averages, axis=0, exclusive=True, reverse=True))
  advantages = returns - _baseline(returns, num_steps)
  return surrogate(tf.reduce_sum(tf.compat.v1.where(
      resampled, log_probs * advantages, tf.zeros_like(log_probs)), axis=0))


def _baseline(returns, num_steps):
  """The returns `[T, B]` as the other sequences of the batch predict them.

  It is zero where no other sequence goes on.
  """
  steps_left = tf.cast(
      num_steps - 1 - tf.range(tf.shape(returns)[0])[:, tf.newaxis],
      returns.dtype)
  goes_on = steps_left > 0
  rates = tf.compat.v1.where(
      goes_on, returns / tf.maximum(steps_left, 1), tf.zeros_like(returns))
  num_others = tf.reduce_sum(
      tf.cast(goes_on, returns.dtype), axis=1, keepdims=True) - 1
  others = (tf.reduce_sum(rates, axis=1, keepdims=True) - rates) / tf.maximum(
      num_others, 1)
  return tf.maximum(steps_left, 0) * others


def weights_of_resampled(log_weights, ancestors):
  """Log weights of new particles `[N, B]` for stop-gradient resampling: zeros.

  Args:
    log_weights: A float Tensor `[N, B]`.
    ancestors: An int32 Tensor `[N, B]`.
  """
  return surrogate(_of_ancestors(
      tf.nn.log_softmax(log_weights, axis=0), ancestors))


def _of_ancestors(x, ancestors):
  """The entries of a Tensor `[..., N, B]` at ancestors `[..., N, B]`."""
  axes = list(range(x.shape.ndims - 2)) + [x.shape.ndims - 1,
                                           x.shape.ndims - 2]
  gathered = tf.gather(tf.transpose(x, axes), tf.transpose(ancestors, axes),
                       batch_dims=x.shape.ndims - 1)
  return tf.transpose(gathered, axes)
