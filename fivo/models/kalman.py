"""The Kalman filter and its backward counterpart for a chain of scalar latents.

    z_0 ~ N(0, v_0),   z_t ~ N(w_t z_{t-1}, v_t)

with weights w, where w_0 = 0, and variances v, observed at every step.

The likelihood of z_t given Gaussian observations is, up to a constant factor,
exp(-a z_t^2 / 2 + b z_t). This module calls such a pair of a precision a and an
information b evidence (a, b). Let (A_t, B_t) be the evidence of the observation
at step t. Independent evidence adds up, and N(m, p) times evidence (a, b),
normalised, is

    N((m + p b) / (1 + p a), p / (1 + p a)).                               (1)

Forwards (the Kalman filter; Sarkka, Bayesian Filtering and Smoothing, 2013,
theorem 4.2; Murphy, Machine Learning, 2012, section 18.3.1). Let N(m_t, p_t) be
the distribution of z_t given all observations before step t, and N(f_t, q_t)
the same times (A_t, B_t). Then

    m_{t+1} = w_{t+1} f_t
    p_{t+1} = w_{t+1}^2 q_t + v_{t+1}

from m_0 = 0, p_0 = v_0.

Backwards (the backward information filter; Briers, Doucet & Maskell, Smoothing
algorithms for state-space models, 2010, section 3). Let (a_t, b_t) be the
evidence of steps t, ..., T - 1 about z_t. Evidence about z_{t+1}, integrated
against the transition, is evidence about z_t:

    c_t = w_{t+1} / (1 + v_{t+1} a_{t+1})
    a_t = A_t + c_t w_{t+1} a_{t+1}
    b_t = B_t + c_t b_{t+1}

from a_T = b_T = 0.
"""

import tensorflow as tf


def times_evidence(mean, variance, precision, information):
  """The mean and variance of N(m, p) times evidence (a, b): equation (1)."""
  shrinkage = 1 / (1 + variance * precision)
  return shrinkage * (mean + variance * information), shrinkage * variance


def filter_forward(weights, variances, precisions, informations):
  """Computes m, p, f and q of each latent.

  Weights w and variances v are `[T]`, precisions A, p and q `[T]` or
  `[T, batch]`, informations B and means m and f likewise.
  """
  mean, variance = tf.zeros_like(informations[0]), tf.zeros_like(precisions[0])
  return tf.scan(
      _predict_and_update, (weights, variances, precisions, informations),
      initializer=(mean, variance, mean, variance))


def filter_backward(weights, variances, precisions, informations):
  """Computes a and b of each latent, of the shapes of A and B.

  For arguments see `filter_forward`.
  """
  # Nothing follows the last step: any next weight is multiplied by zero.
  next_weights, next_variances = [
      tf.roll(x, shift=-1, axis=0) for x in (weights, variances)]
  return tf.scan(
      _carry_back, (next_weights, next_variances, precisions, informations),
      initializer=(tf.zeros_like(precisions[0]),
                   tf.zeros_like(informations[0])), reverse=True)


def _predict_and_update(last, step):
  """Computes m, p, f and q of step t from f_{t-1} and q_{t-1}."""
  _, _, mean, variance = last
  weight, transition_variance, precision, information = step
  mean = weight * mean
  variance = weight ** 2 * variance + transition_variance
  return (mean, variance) + times_evidence(
      mean, variance, precision, information)


def _carry_back(future, step):
  """Computes (a_t, b_t) from (a_{t+1}, b_{t+1})."""
  next_precision, next_information = future
  next_weight, next_variance, precision, information = step
  carried = next_weight / (1 + next_variance * next_precision)
  return (precision + carried * next_weight * next_precision,
          information + carried * next_information)
