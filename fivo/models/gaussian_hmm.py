"""The Gaussian hidden Markov model: a chain with a tractable likelihood.

    z_0 ~ N(0, v_0),   z_t ~ N(w_t z_{t-1}, v_t),   x_t ~ N(h_t z_t, r_t)

with scalar latents and observations, transition weights w, transition variances
v, emission weights h and emission variances r. With w_0 = 0 the first step is
like any other. The likelihood, the optimal proposals and hence the gap of each
bound have closed forms.

In terms of `kalman.py`, x_t alone is evidence with the precision h_t^2 / r_t
and the information h_t x_t / r_t. The evidence of all steps determines the
Gaussian of z_t given the past, x_0, ..., x_{t-1}, and the evidence of the
future, x_t, ..., x_{T-1}. With these

    past, N(m_t, p_t),               times x_t alone     is `filtered`
    past,                            times the future    is `smoothed`
    transition, N(w_t z_{t-1}, v_t), times x_t alone     is `filtering`
    transition,                      times the future    is `smoothing`

where `filtering` is the optimal proposal that does not look ahead (Doucet,
Godsill & Andrieu, On sequential Monte Carlo sampling methods for Bayesian
filtering, 2000, section II.D). The innovations x_t - h_t m_t are independent,
with variances h_t^2 p_t + r_t: `likelihood` is the product of their densities.

With W the matrix of w_1, ..., w_{T-1} below the diagonal, V, H and R the
diagonal matrices of v, h and r, and C = (I - W)^-1, z = W z + noise gives

    cov(z) = C V C^T,   cov(z, x) = cov(z) H,   cov(x) = H cov(z) H + R.

Entry (s, u) of C is w_{u+1} ... w_s. Given z_{t-1}, the steps from t on form
such a chain too: its C is that of the whole chain without the first t rows and
columns, and its latents have the mean w_t z_{t-1} times the first column of
that (`lookahead`).
"""

import tensorflow as tf
import tensorflow_probability as tfp

from fivo.models import distributions
from fivo.models import kalman


class PerTimestep(object):
  """A Tensor `[steps, ...]` that can be read like a list or a TensorArray."""

  def __init__(self, values):
    self._values = values

  def __len__(self):
    return self._values.shape.as_list()[0]

  def __iter__(self):
    return iter(tf.unstack(self._values))

  def __getitem__(self, t):
    return self._values[t]

  def read(self, t):
    """The entry of timestep t, an int or scalar integer Tensor."""
    return tf.gather(self._values, t)

  def stack(self):
    """The Tensor."""
    return self._values


class GaussianHMM(object):
  """The model and its exact conditional distributions.

  A timestep t is an int from 0 to T - 1 or a scalar integer Tensor, possibly
  inside a `tf.while_loop`. Latents are float Tensors of any shape, usually
  `[batch]`; `z_prev` is z_{t-1}, which step 0 ignores: there it may be None.
  Observations `xs` are float Tensors `[T, batch]`, or `[T, batch, 1]`. All
  results have gradients with respect to the parameters.

  The constructor's arguments are kept as attributes, the parameters as
  `PerTimestep`.
  """

  def __init__(self, num_timesteps, transition_variances=1.,
               emission_variances=1., transition_weights=1.,
               emission_weights=1., dtype=tf.float32):
    """Creates the model.

    Each parameter may be a number for all steps, or an array, a Tensor, a
    variable, a placeholder or a list of these.

    Args:
      num_timesteps: T, a positive int.
      transition_variances: v, T positive floats.
      emission_variances: r, T positive floats.
      transition_weights: w_1, ..., w_{T-1}; entry t leads from z_t to z_{t+1}.
      emission_weights: h, T floats.
      dtype: The float dtype of all Tensors.
    """
    self.num_timesteps = num_timesteps
    self.dtype = tf.as_dtype(dtype)
    self._v = self._parameter(transition_variances, num_timesteps)
    self._r = self._parameter(emission_variances, num_timesteps)
    weights = self._parameter(transition_weights, num_timesteps - 1)
    self._w = tf.concat([tf.zeros([1], self.dtype), weights], axis=0)
    self._h = self._parameter(emission_weights, num_timesteps)
    self.transition_variances = PerTimestep(self._v)
    self.emission_variances = PerTimestep(self._r)
    self.transition_weights = PerTimestep(weights)
    self.emission_weights = PerTimestep(self._h)
    # Computed here, so that a loop does not compute them at every step.
    self._transition_scales = tf.sqrt(self._v)
    self._emission_scales = tf.sqrt(self._r)
    self._information_weights = self._h / self._r
    self._precisions = self._h * self._information_weights
    # The entries of C may leave the range of float32 even if the observations
    # stay moderate.
    identity = tf.eye(num_timesteps, dtype=tf.float64)
    below_diagonal = tf.pad(
        tf.linalg.diag(tf.cast(weights, tf.float64)), [[1, 0], [0, 1]])
    self._chain = tf.linalg.triangular_solve(
        identity - below_diagonal, identity)

  # Tensors `[T, T]`: cov(z), cov(x), and cov(z, x), of z_s and x_t at (s, t).
  sigma_z = property(lambda self: self._covariances(0)[0])
  sigma_x = property(lambda self: self._covariances(0)[1])
  sigma_zx = property(lambda self: self._covariances(0)[2])

  @property
  def obs_dist(self):
    """p(x_0, ..., x_{T-1}), a `MultivariateNormalTriL` of event shape `[T]`."""
    return self.lookahead(0, None)

  def transition(self, t, z_prev):
    """The prior p(z_t | z_{t-1}), a Normal of the shape of `z_prev`."""
    return distributions.Normal(
        loc=tf.gather(self._w, t) * self._latent(z_prev),
        scale=tf.gather(self._transition_scales, t))

  def emission(self, t, z):
    """The likelihood p(x_t | z_t) of z_t, a Normal of the shape of `z`."""
    return distributions.Normal(
        loc=tf.gather(self._h, t) * self._latent(z),
        scale=tf.gather(self._emission_scales, t))

  def filtering(self, t, z_prev, x_cur):
    """p(z_t | z_{t-1}, x_t), a Normal of the shape of `z_prev` and `x_cur`."""
    return self._posterior(
        t, z_prev, tf.gather(self._precisions, t),
        tf.gather(self._information_weights, t) * to_tensor(x_cur, self.dtype))

  def smoothing(self, t, z_prev, xs):
    """p(z_t | z_{t-1}, x_t, ..., x_{T-1}), a Normal of the shape of `z_prev`.

    `xs` are the observations x_t, ..., x_{T-1}, a float Tensor `[T - t, batch]`
    or a list of `[batch]` Tensors; or those of all steps, `[T, batch]`.
    """
    xs = observations(xs, self.dtype)
    # However many there are, the last belongs to step T - 1.
    first = self.num_timesteps - _num_rows(xs)
    precisions, informations = kalman.filter_backward(
        *self._evidence(xs, first))
    row = tf.cast(t, tf.int32) - first
    return self._posterior(
        t, z_prev, tf.gather(precisions, row), tf.gather(informations, row))

  def lookahead(self, t, z_prev):
    """p(x_t, ..., x_{T-1} | z_{t-1}), a `MultivariateNormalTriL`.

    It has the batch shape of `z_prev` and the event shape `[T - t]`.
    """
    loc_weights = tf.gather(self._w, t) * self._h[t:] * tf.cast(
        self._chain[t:, t], self.dtype)
    covariance = self._covariances(t, tf.float64)[1]
    return tfp.distributions.MultivariateNormalTriL(
        loc=self._latent(z_prev)[..., tf.newaxis] * loc_weights,
        scale_tril=tf.cast(tf.linalg.cholesky(covariance), self.dtype))

  def likelihood(self, xs):
    """log p(x_0, ..., x_{T-1}), by the Kalman filter, `[batch]`, in nats."""
    xs = observations(xs, self.dtype)
    means, variances, _, _ = kalman.filter_forward(*self._evidence(xs))
    innovations = distributions.Normal(
        loc=tf.transpose(_times(self._h, means)),
        scale=tf.sqrt(self._h ** 2 * variances + self._r))
    return tf.reduce_sum(innovations.log_prob(tf.transpose(xs)), axis=-1)

  def filtered(self, xs):
    """Means `[T, batch]` and variances `[T]` of p(z_t | x_0, ..., x_t)."""
    _, _, means, variances = kalman.filter_forward(
        *self._evidence(observations(xs, self.dtype)))
    return means, variances

  def smoothed(self, xs):
    """Means `[T, batch]` and variances `[T]` of p(z_t | x_0, ..., x_{T-1})."""
    evidence = self._evidence(observations(xs, self.dtype))
    means, variances, _, _ = kalman.filter_forward(*evidence)
    precisions, informations = kalman.filter_backward(*evidence)
    means, variances = kalman.times_evidence(
        tf.transpose(means), variances, precisions, tf.transpose(informations))
    return tf.transpose(means), variances

  def sample(self, batch_size, seed=None):
    """Draws latents and observations, two float Tensors `[T, batch_size]`."""
    seeds = tfp.util.SeedStream(seed, salt="GaussianHMM")
    latent_noise, emission_noise = [
        tf.random.normal([self.num_timesteps, batch_size], dtype=self.dtype,
                         seed=seeds()) for _ in range(2)]
    latents = tf.scan(
        lambda z, step: step[0] * z + step[1],
        (self._w, _times(self._transition_scales, latent_noise)),
        initializer=tf.zeros_like(latent_noise[0]))
    return latents, _times(self._h, latents) + _times(
        self._emission_scales, emission_noise)

  def _parameter(self, values, length):
    return tf.broadcast_to(to_tensor(values, self.dtype), [length])

  def _latent(self, z):
    return to_tensor(0. if z is None else z, self.dtype)

  def _posterior(self, t, z_prev, precision, information):
    """The transition times evidence about z_t, normalised."""
    mean, variance = kalman.times_evidence(
        tf.gather(self._w, t) * self._latent(z_prev), tf.gather(self._v, t),
        precision, information)
    return distributions.Normal(loc=mean, scale=tf.sqrt(variance))

  def _evidence(self, xs, first=0):
    """The arguments of `kalman.filter_forward`, from step `first` on."""
    weights, variances, precisions, information_weights = [
        values[first:first + _num_rows(xs)] for values in (
            self._w, self._v, self._precisions, self._information_weights)]
    return weights, variances, precisions, _times(information_weights, xs)

  def _covariances(self, t, dtype=None):
    """cov(z), cov(x) and cov(z, x) of all steps from t on, given z_{t-1}."""
    chain = self._chain[t:, t:]
    v, h, r = [tf.cast(values[t:], tf.float64)
               for values in (self._v, self._h, self._r)]
    sigma_z = tf.matmul(chain * v, chain, transpose_b=True)
    sigma_zx = sigma_z * h
    sigma_x = h[:, tf.newaxis] * sigma_zx + tf.linalg.diag(r)
    return [tf.cast(sigma, dtype or self.dtype)
            for sigma in (sigma_z, sigma_x, sigma_zx)]


def to_tensor(x, dtype):
  """Converts numbers, or nested lists of numbers or Tensors, to a Tensor."""
  return tf.cast(tf.convert_to_tensor(x, dtype_hint=dtype), dtype)


def observations(xs, dtype):
  """Converts to `[steps, batch]`; an unknown rank is `[steps, batch, 1]`."""
  xs = to_tensor(xs, dtype)
  if xs.shape.ndims in (None, 3):
    xs = tf.reshape(xs, [tf.shape(xs)[0], -1])
  return xs


def _times(values, rows):
  """Multiplies each row of `[steps]` or `[steps, batch]` by its own value."""
  return tf.transpose(values * tf.transpose(rows))


def _num_rows(x):
  """The size of the first axis, an int if it is static, else a Tensor."""
  size = tf.compat.dimension_value(x.shape[0])
  return tf.shape(x)[0] if size is None else size
