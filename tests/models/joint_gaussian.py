"""The Gaussian HMM as one dense Gaussian in NumPy, to test against."""

import collections

import numpy as np
import scipy.stats
import tensorflow as tf

Parameters = collections.namedtuple(
    "Parameters", ("transition_variances", "emission_variances",
                   "transition_weights", "emission_weights"))
Moments = collections.namedtuple("Moments", ("mean", "covariance"))


def run(fetches, feed_dict=None):
  """The values of Tensors of the current graph, with fresh variables."""
  with tf.compat.v1.Session() as session:
    session.run(tf.compat.v1.global_variables_initializer())
    return session.run(fetches, feed_dict)


def parameters(num_steps, seed=0):
  """Random parameters of a chain, arrays."""
  rng = np.random.RandomState(seed)
  return Parameters(
      transition_variances=rng.uniform(0.3, 2., num_steps),
      emission_variances=rng.uniform(0.3, 2., num_steps),
      transition_weights=rng.uniform(-1.5, 1.5, num_steps - 1),
      emission_weights=rng.uniform(-1.5, 1.5, num_steps))


def data(*shape):
  """Observations or latents, always the same of a shape."""
  return np.random.RandomState(7).normal(scale=1.5, size=shape)


def covariance(num_steps, seed=0):
  """The covariance of (z_0, ..., z_{T-1}, x_0, ..., x_{T-1})."""
  params = parameters(num_steps, seed)
  chain = np.linalg.inv(
      np.eye(num_steps) - np.diag(params.transition_weights, -1))
  z_cov = chain.dot(np.diag(params.transition_variances)).dot(chain.T)
  emit = np.diag(params.emission_weights)
  x_cov = emit.dot(z_cov).dot(emit) + np.diag(params.emission_variances)
  return np.block([[z_cov, z_cov.dot(emit)], [emit.dot(z_cov), x_cov]])


def condition(joint, targets, givens, values):
  """A Gaussian's `targets` given that `givens` are `values`.

  It has zero mean and the covariance `joint`; `values` are `[G]` or
  `[G, batch]`. Returns the mean `[K]` or `[K, batch]`, and the covariance.
  """
  cross = joint[np.ix_(targets, givens)]
  gain = np.linalg.solve(joint[np.ix_(givens, givens)], cross.T).T
  return Moments(gain.dot(values),
                 joint[np.ix_(targets, targets)] - gain.dot(cross.T))


def conditional(num_steps, targets, t, z_prev, xs, seed=0):
  """`targets`, indices into (z, x), given z_{t-1} and x_t, x_{t+1}, ...

  `z_prev`, `[batch]`, is not used at t = 0; `xs` are `[steps, batch]`. Returns
  the mean `[K, batch]`, and the covariance.
  """
  seen = [num_steps + t + s for s in range(len(xs))]
  values = np.concatenate([np.reshape(z_prev, [1, -1])[:t], xs])
  return condition(covariance(num_steps, seed), targets,
                   ([t - 1] if t else []) + seen, values)


def proposal(num_steps, t, z_prev, xs, seed=0):
  """z_t given z_{t-1} and x_t, x_{t+1}, ...: mean and variance `[batch]`."""
  mean, cov = conditional(num_steps, [t], t, z_prev, xs, seed)
  return Moments(mean[0], np.full_like(mean[0], cov[0, 0]))


def log_likelihoods(num_steps, xs, seed=0):
  """log p(x_0, ...) of the columns of xs `[steps, batch]`, steps <= T."""
  seen = num_steps + np.arange(len(xs))
  normal = scipy.stats.multivariate_normal(
      cov=covariance(num_steps, seed)[np.ix_(seen, seen)])
  # Of one sequence SciPy makes a scalar.
  return np.reshape(normal.logpdf(xs.T), [-1])
