"""Gradients of a particle filter that account for the choice of ancestors.

Differentiating a filter's estimate log Z_hat ignores that the probabilities of
ancestors depend on the weights; it omits the term

    E[ log Z_hat grad log p(ancestors | weights) ].

There are two remedies.

The score of the ancestors. At a resampling event, ancestors a^1, ..., a^N are
drawn independently with the normalised weights W. The term omitted from the
gradient of E[log Z_hat] is, summed over the events, the expectation of

    (sum_n grad log W_{a^n}) (R - c)

where R is the sum of the log average weights after the event, all that it can
influence, and c is any baseline that does not depend on the draw. Here c
predicts R by a regression over the other sequences of the batch, see
`_baseline`. The sum is added to log Z_hat as a surrogate, a Tensor with this
gradient and the value zero: x - S(x), where S stops the gradient.

This is the gradient of E[log Z_hat] if all filters resample at fixed times, as
with `always_resample_criterion`. If the weights decide, as with
`ess_criterion`, it is the gradient with all decisions held fixed; the term for
latents that cross a decision boundary is missing.

Stop-gradient resampling (Scibior & Wood, Differentiable Particle Filtering
without Modifying the Forward Pass, 2021). A resampled particle starts with the
log weight log W_{a^n} - S(log W_{a^n}), which is zero but has a gradient. Then
Z_hat grad log Z_hat is an unbiased estimate of grad Z: it is the gradient of
the likelihood, not of the bound. This holds for any criterion, since the
expectation of Z_hat given the past is the same on both sides of a boundary.
"""

import tensorflow as tf


def surrogate(x):
  """A Tensor with the value zero and the gradient of x."""
  return x - tf.stop_gradient(x)


def score_surrogate(log_weights, ancestors, resampled, log_averages, num_steps):
  """The surrogate `[B]` of the score of ancestors `[T, N, B]`.

  `log_averages`, `[T, B]`, is what each step added to log Z_hat.
  """
  log_probs = tf.reduce_sum(_of_ancestors(
      tf.nn.log_softmax(log_weights, axis=1), ancestors), axis=1)
  past, returns = [
      tf.stop_gradient(tf.cumsum(log_averages, axis=0, **kwargs))
      for kwargs in (dict(), dict(exclusive=True, reverse=True))]
  advantages = returns - _baseline(returns, past, num_steps)
  return surrogate(tf.reduce_sum(tf.compat.v1.where(
      resampled, log_probs * advantages, tf.zeros_like(log_probs)), axis=0))


def _baseline(returns, past, num_steps):
  """Predicts the returns `[T, B]` from the other sequences of the batch.

  With P for `past`, K for the number of remaining timesteps, and moments over
  the other sequences, the prediction for sequence b is

      K_b mean(R / K) + slope (P_b - mean(P)),
      slope = K_b cov(P, R / K) / var(P), clipped to [-1, 0].

  The slope is for twists: a factor of r that depends on x alone is added to P
  and subtracted from R. Such factors change no bound but would be noise.
  """
  steps_left = tf.maximum(tf.cast(
      num_steps - 1 - tf.range(tf.shape(returns)[0])[:, tf.newaxis],
      returns.dtype), 0)
  goes_on = steps_left > 0
  rates, past = [
      tf.compat.v1.where(goes_on, x, tf.zeros_like(x))
      for x in (returns / tf.maximum(steps_left, 1), past)]
  num_others = tf.maximum(_of_others(tf.cast(goes_on, returns.dtype)), 1)
  mean_rate, mean_past, mean_product, mean_square = [
      _of_others(x) / num_others
      for x in (rates, past, rates * past, tf.square(past))]
  covariance = mean_product - mean_rate * mean_past
  variance = tf.maximum(mean_square - tf.square(mean_past), 1e-6)
  slope = tf.clip_by_value(steps_left * covariance / variance, -1., 0.)
  return steps_left * mean_rate + slope * (past - mean_past)


def _of_others(x):
  """Sums a Tensor `[T, B]` over the other sequences."""
  return tf.reduce_sum(x, axis=1, keepdims=True) - x


def weights_of_resampled(log_weights, ancestors):
  """The log weights `[N, B]` of resampled particles: zeros with a gradient."""
  return surrogate(_of_ancestors(
      tf.nn.log_softmax(log_weights, axis=0), ancestors))


def _of_ancestors(x, ancestors):
  """The entries of a Tensor `[..., N, B]` at ancestors `[..., N, B]`."""
  transpose = tf.linalg.matrix_transpose
  return transpose(tf.gather(
      transpose(x), transpose(ancestors), batch_dims=x.shape.ndims - 1))
