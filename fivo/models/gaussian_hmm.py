"""The Gaussian hidden Markov model: a chain whose likelihood is known.

    z_0 ~ N(0, v_0),   z_t ~ N(w_t z_{t-1}, v_t),   x_t ~ N(h_t z_t, r_t)

with scalar latents and observations, transition weights w, transition variances
v, emission weights h and emission variances r. With w_0 = 0 the first step is
like any other. Everything is Gaussian, so that the likelihood, the optimal
proposals and hence the gap of each bound have closed forms.

What the past tells (the Kalman filter; Sarkka, Bayesian Filtering and
Smoothing, 2013, theorem 4.2; Murphy, Machine Learning, 2012, section 18.3.1).
Let m_t and p_t be the mean and variance of z_t given x_0, ..., x_{t-1}. Then

    e_t     = x_t - h_t m_t            the innovation, N(0, s_t), independent
    s_t     = h_t^2 p_t + r_t            of those of all other steps
    k_t     = h_t p_t / s_t            the gain
    m_{t+1} = w_{t+1} (m_t + k_t e_t)
    p_{t+1} = w_{t+1}^2 (1 - k_t h_t) p_t + v_{t+1}

from m_0 = 0, p_0 = v_0. `likelihood` is the product of N(e_t; 0, s_t).

What the future tells (the backward information filter; Briers, Doucet &
Maskell, Smoothing algorithms for state-space models, 2010, section 3). As a
function of z_t, log p(x_t, ..., x_{T-1} | z_t) is, up to a constant,
-a_t z_t^2 / 2 + b_t z_t. Evidence (a, b) is what this module calls a precision
a with an information b. Observing x_t alone is evidence (h_t^2 / r_t,
h_t x_t / r_t); evidence about z_{t+1}, integrated against the transition, is
evidence about z_t; and independent evidence adds:

    c_t = w_{t+1} / (1 + v_{t+1} a_{t+1})
    a_t = h_t^2 / r_t   + c_t w_{t+1} a_{t+1}
    b_t = h_t x_t / r_t + c_t b_{t+1}

from a_T = b_T = 0. Multiplying the transition by evidence (a, b) gives

    z_t | z_{t-1}, evidence
        ~ N((w_t z_{t-1} + v_t b) / (1 + v_t a), v_t / (1 + v_t a)),

which is `filtering` with the evidence of x_t alone, the optimal proposal that
does not look ahead (Doucet, Godsill & Andrieu, On sequential Monte Carlo
sampling methods for Bayesian filtering, 2000, section II.D), and `smoothing`
with (a_t, b_t).
"""

import operator

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from fivo.system import errors


class GaussianHMM(object):
  """The model and its exact conditional distributions.

  A timestep t is an int from 0 to T - 1 or, where the method says so, a scalar
  integer Tensor. Latents are float Tensors of any shape, usually `[batch]`.
  That of step -1, which step 0 ignores, may be None.
  """

  def __init__(self, num_timesteps, transition_variances=1.,
               emission_variances=1., transition_weights=1.,
               emission_weights=1., dtype=tf.float32):
    """Creates the model.

    Args:
      num_timesteps: T, a positive int.
      transition_variances: v, T positive floats, or one for all steps.
      emission_variances: r, T positive floats, or one for all steps.
      transition_weights: w_1, ..., w_{T-1}, T - 1 floats, or one for all.
      emission_weights: h, T floats, or one for all steps.
      dtype: The float dtype of all Tensors.

    Raises:
      UserError: If an argument is none of these.
    """
    self._num_timesteps = _check_num_timesteps(num_timesteps)
    self._dtype = tf.as_dtype(dtype)
    if not self._dtype.is_floating:
      raise errors.UserError(
          "dtype=%s: must be a float dtype" % self._dtype.name)
    # All that does not depend on data is computed in NumPy at float64.
    self._transition_variances = _parameter(
        "transition_variances", transition_variances, self.num_timesteps,
        positive=True)
    self._emission_variances = _parameter(
        "emission_variances", emission_variances, self.num_timesteps,
        positive=True)
    self._transition_weights = np.append(0., _parameter(
        "transition_weights", transition_weights, self.num_timesteps - 1))
    self._emission_weights = _parameter(
        "emission_weights", emission_weights, self.num_timesteps)

  @property
  def num_timesteps(self):
    """T, an int."""
    return self._num_timesteps

  @property
  def dtype(self):
    """The dtype of all Tensors."""
    return self._dtype

  def transition(self, t, z_prev):
    """The prior p(z_t | z_{t-1}).

    Args:
      t: The timestep, an int or scalar Tensor.
      z_prev: z_{t-1}, a float Tensor, or None at t = 0.

    Returns:
      A `tfp.distributions.Normal` of the batch shape of `z_prev`.
    """
    return tfp.distributions.Normal(
        loc=self._at(self._transition_weights, t) * self._latent(z_prev),
        scale=self._at(np.sqrt(self._transition_variances), t))

  def emission(self, t, z):
    """The likelihood of a latent, p(x_t | z_t).

    Args:
      t: The timestep, an int or scalar Tensor.
      z: z_t, a float Tensor.

    Returns:
      A `tfp.distributions.Normal` of the batch shape of `z`.
    """
    return tfp.distributions.Normal(
        loc=self._at(self._emission_weights, t) * self._latent(z),
        scale=self._at(np.sqrt(self._emission_variances), t))

  def filtering(self, t, z_prev, x_cur):
    """The optimal proposal p(z_t | z_{t-1}, x_t); see the module's docstring.

    Args:
      t: The timestep, an int or scalar Tensor.
      z_prev: z_{t-1}, a float Tensor, or None at t = 0.
      x_cur: x_t, a float Tensor of the shape of `z_prev`.

    Returns:
      A `tfp.distributions.Normal` of the batch shape of `z_prev`.
    """
    precisions, information_weights = self._emission_evidence()
    return self._posterior(
        t, z_prev, precision=self._at(precisions, t),
        information=(self._at(information_weights, t) *
                     _to_tensor(x_cur, self._dtype)))

  def smoothing(self, t, z_prev, xs):
    """p(z_t | z_{t-1}, x_t, ..., x_{T-1}); see the module's docstring.

    Args:
      t: The timestep, an int or scalar Tensor.
      z_prev: z_{t-1}, a float Tensor, or None at t = 0.
      xs: The observations x_t, ..., x_{T-1}, a float Tensor `[T - t, batch]` or
        a list of `[batch]` Tensors; or those of all steps, `[T, batch]`, as
        they must be where the value of t is not known yet.

    Returns:
      A `tfp.distributions.Normal` of the batch shape of `z_prev`.

    Raises:
      UserError: If t is out of range or `xs` has another number of steps.
    """
    step = self._static_step(t)
    first = 0 if step is None else step
    xs = self._observations("xs", xs, (self._num_timesteps - first,
                                       self._num_timesteps))
    # Both forms end with the last step.
    xs = xs[-(self._num_timesteps - first):]
    precisions, informations = self._future_evidence(xs, first)
    index = t if step is None else 0
    return self._posterior(
        t, z_prev, precision=tf.gather(precisions, index),
        information=tf.gather(informations, index))

  def lookahead(self, t, z_prev):
    """The distribution of all that is still to be observed.

    Its covariance, L L^T with L lower triangular, comes from the Kalman filter
    that starts at z_{t-1}: the observations are L u with u the innovations,
    each divided by its standard deviation.

    Args:
      t: The timestep, an int.
      z_prev: z_{t-1}, a float Tensor, or None at t = 0.

    Returns:
      p(x_t, ..., x_{T-1} | z_{t-1}), a
      `tfp.distributions.MultivariateNormalTriL` of the batch shape of `z_prev`
      and event shape `[T - t]`.

    Raises:
      UserError: If t is out of range or not known yet.
    """
    step = self._static_step(t)
    if step is None:
      raise errors.UserError("t=%s: lookahead needs an int" % t)
    loc_weights = self._emission_weights[step:] * np.cumprod(
        self._transition_weights[step:])
    return tfp.distributions.MultivariateNormalTriL(
        loc=(self._latent(z_prev)[..., tf.newaxis] *
             tf.constant(loc_weights, self._dtype)),
        scale_tril=tf.constant(self._lookahead_tril(step), self._dtype))

  def likelihood(self, xs):
    """The log likelihood log p(x_0, ..., x_{T-1}), by the Kalman filter.

    Args:
      xs: The observations, a float Tensor `[T, batch]`, or `[T, batch, 1]`.

    Returns:
      A float Tensor `[batch]`, in nats.

    Raises:
      UserError: If `xs` has not T steps.
    """
    xs = self._observations("xs", xs, (self._num_timesteps,))
    gains, variances = self._innovations(0)
    weights = self._column(self._transition_weights, xs)
    updated_means = _linear_recurrence(
        self._column((1 - gains * self._emission_weights) *
                     self._transition_weights, xs),
        self._column(gains, xs) * xs)
    means = weights * tf.concat(
        [tf.zeros_like(xs[:1]), updated_means[:-1]], axis=0)
    predictive = tfp.distributions.Normal(
        loc=self._column(self._emission_weights, xs) * means,
        scale=self._column(np.sqrt(variances), xs))
    return tf.reduce_sum(predictive.log_prob(xs), axis=0)

  def sample(self, batch_size, seed=None):
    """Draws latents and observations from the model.

    Args:
      batch_size: The number of sequences, an int or scalar Tensor.
      seed: The seed of the two sampling ops, an int or None.

    Returns:
      latents: A float Tensor `[T, batch_size]`.
      observations: A float Tensor `[T, batch_size]`.
    """
    seeds = tfp.util.SeedStream(seed, salt="GaussianHMM")
    latent_noise, emission_noise = [
        tf.random.normal([self._num_timesteps, batch_size], dtype=self._dtype,
                         seed=seeds()) for _ in range(2)]
    latents = _linear_recurrence(
        self._column(self._transition_weights, latent_noise),
        self._column(np.sqrt(self._transition_variances), latent_noise) *
        latent_noise)
    observations = (
        self._column(self._emission_weights, latents) * latents +
        self._column(np.sqrt(self._emission_variances), latents) *
        emission_noise)
    return latents, observations

  def _posterior(self, t, z_prev, precision, information):
    """The transition times evidence about z_t, normalised."""
    variance = self._at(self._transition_variances, t)
    shrinkage = 1 / (1 + variance * precision)
    prior_loc = self._at(self._transition_weights, t) * self._latent(z_prev)
    return tfp.distributions.Normal(
        loc=shrinkage * (prior_loc + variance * information),
        scale=tf.sqrt(shrinkage * variance))

  def _emission_evidence(self):
    """What x_t alone tells about z_t.

    Returns:
      precisions: Floats `[T]`.
      information_weights: Floats `[T]`, the information divided by x_t.
    """
    information_weights = self._emission_weights / self._emission_variances
    return self._emission_weights * information_weights, information_weights

  def _future_evidence(self, xs, first=0, observed=None):
    """What x_s and all later observations tell about z_s, for each step s.

    Args:
      xs: A float Tensor `[steps]` or `[steps, batch]`, the observations from
        step `first` on.
      first: An int.
      observed: A bool Tensor of the shape of `xs`, false where there is no
        observation, and `xs` is zero; None if there always is one.

    Returns:
      precisions: A float Tensor of the shape of `xs`.
      informations: A float Tensor of the shape of `xs`.
    """
    precisions, information_weights = [
        self._column(values[first:], xs)
        for values in self._emission_evidence()]
    precisions += tf.zeros_like(xs)
    informations = information_weights * xs
    if observed is not None:
      precisions = select_steps(observed, precisions)
    # The last step has no next one; there is no evidence from there to carry.
    next_weights = np.append(self._transition_weights[1:], 0.)[first:]
    next_variances = np.append(self._transition_variances[1:], 1.)[first:]
    return tf.scan(
        _carry_evidence_back,
        (precisions, informations, self._column(next_weights, xs),
         self._column(next_variances, xs)),
        initializer=(tf.zeros_like(xs[0]), tf.zeros_like(xs[0])), reverse=True)

  def _innovations(self, first):
    """The Kalman filter that knows z before step `first`.

    Args:
      first: An int.

    Returns:
      gains: k_t for each step from `first` on, floats `[T - first]`.
      variances: s_t likewise.
    """
    gains, variances = [], []
    variance = 0.
    for t in range(first, self._num_timesteps):
      predicted = (self._transition_weights[t] ** 2 * variance +
                   self._transition_variances[t])
      variances.append(self._emission_weights[t] ** 2 * predicted +
                       self._emission_variances[t])
      gains.append(self._emission_weights[t] * predicted / variances[-1])
      # p (1 - k h) without the cancellation.
      variance = predicted * self._emission_variances[t] / variances[-1]
    return np.array(gains), np.array(variances)

  def _lookahead_tril(self, first):
    """L of `lookahead`, floats `[T - first, T - first]`.

    Row t is what x_t owes to each innovation, so that the recursion of the
    means runs over rows.
    """
    gains, variances = self._innovations(first)
    innovations = np.diag(np.sqrt(variances))
    tril = np.zeros_like(innovations)
    updated_mean = np.zeros(len(gains))
    for row, t in enumerate(range(first, self._num_timesteps)):
      mean = self._transition_weights[t] * updated_mean
      tril[row] = self._emission_weights[t] * mean + innovations[row]
      updated_mean = mean + gains[row] * innovations[row]
    return tril

  def _at(self, values, t):
    """The entry t of floats `[T]`, a scalar Tensor."""
    step = self._static_step(t)
    if step is None:
      return tf.gather(tf.constant(values, self._dtype), t)
    return tf.constant(values[step], self._dtype)

  def _static_step(self, t):
    """A timestep as an int, or None if its value is not known yet."""
    value = tf.get_static_value(t) if tf.is_tensor(t) else t
    if value is None:
      return None
    step = operator.index(value)
    if not 0 <= step < self._num_timesteps:
      raise errors.UserError("t=%d: must be from 0 to %d" % (
          step, self._num_timesteps - 1))
    return step

  def _latent(self, z):
    return _to_tensor(0. if z is None else z, self._dtype)

  def _observations(self, name, xs, choices=None):
    """Checks observations and drops the state's dimension of one.

    Args:
      name: What the caller calls them.
      xs: A float Tensor `[steps]`, `[steps, batch]` or `[steps, batch, 1]`.
      choices: The numbers of steps that are right; None: up to T.

    Returns:
      A float Tensor `[steps]` or `[steps, batch]`.
    """
    xs = _to_tensor(xs, self._dtype)
    if xs.shape.ndims == 3 and (
        tf.compat.dimension_value(xs.shape[2]) in (None, 1)):
      xs = tf.squeeze(xs, axis=2)
    if xs.shape.ndims not in (1, 2):
      raise errors.UserError(
          "%s has shape %s: must be [timesteps, batch]" % (name, xs.shape))
    num_steps = tf.compat.dimension_value(xs.shape[0])
    if num_steps is None:
      return xs
    if choices is None:
      right = num_steps <= self._num_timesteps
      wanted = "at most %d" % self._num_timesteps
    else:
      right = num_steps in choices
      wanted = " or ".join(map(str, sorted(set(choices))))
    if not right:
      raise errors.UserError(
          "%s has %d timesteps: must have %s" % (name, num_steps, wanted))
    return xs

  def _column(self, values, like):
    """Floats `[>= steps]` as a Tensor that multiplies `[steps, ...]`."""
    if like.shape.ndims == 2:
      values = values[:, np.newaxis]
    num_steps = tf.compat.dimension_value(like.shape[0])
    if num_steps is None:
      return tf.constant(values, self._dtype)[:tf.shape(like)[0]]
    return tf.constant(values[:num_steps], self._dtype)


def _carry_evidence_back(future, step):
  """One step of the backward information filter, from z_{t+1} to z_t."""
  next_precision, next_information = future
  precision, information, next_weight, next_variance = step
  carried = next_weight / (1 + next_variance * next_precision)
  return (precision + carried * next_weight * next_precision,
          information + carried * next_information)


def _linear_recurrence(weights, inputs):
  """Solves y_t = weights_t y_{t-1} + inputs_t from y_{-1} = 0.

  Args:
    weights: A float Tensor `[steps]` or `[steps, 1]`.
    inputs: A float Tensor `[steps]` or `[steps, batch]`.

  Returns:
    A float Tensor of the shape of `inputs`.
  """
  return tf.scan(
      lambda y, step: step[0] * y + step[1], (weights, inputs),
      initializer=tf.zeros_like(inputs[0]))


def select_steps(condition, x):
  """Zeros x where a condition of the same shape does not hold."""
  selected = tf.compat.v2.where(condition, x, tf.zeros([], x.dtype))
  selected.set_shape(x.shape)
  return selected


def _to_tensor(x, dtype):
  """A Tensor of any numbers or nested lists of them or of Tensors."""
  if isinstance(x, (list, tuple)) and any(
      tf.is_tensor(leaf) for leaf in tf.nest.flatten(x)):
    return tf.stack([_to_tensor(entry, dtype) for entry in x])
  if tf.is_tensor(x):
    return tf.cast(x, dtype)
  return tf.convert_to_tensor(np.asarray(x, dtype.as_numpy_dtype))


def _check_num_timesteps(num_timesteps):
  """Checks that the number of timesteps is an int above zero."""
  if (isinstance(num_timesteps, bool) or
      not isinstance(num_timesteps, (int, np.integer)) or num_timesteps < 1):
    raise errors.UserError(
        "num_timesteps=%s: must be a positive int" % num_timesteps)
  return int(num_timesteps)


def _parameter(name, values, length, positive=False):
  """Checks the values of a parameter over time.

  Args:
    name: What the caller calls it.
    values: A float, or `length` floats.
    length: An int.
    positive: Whether only positive values are right.

  Returns:
    A float64 array `[length]`.
  """
  wanted = "a %s or %d of them" % (
      "positive float" if positive else "float", length)
  try:
    array = np.asarray(
        tf.get_static_value(values) if tf.is_tensor(values) else values,
        dtype=np.float64)
  except (TypeError, ValueError) as e:
    raise errors.UserError(
        "%s=%s: must be %s" % (name, values, wanted)) from e
  if array.ndim == 0:
    array = np.full([length], array)
  if array.shape != (length,) or not np.isfinite(array).all() or (
      positive and not (array > 0).all()):
    raise errors.UserError("%s=%s: must be %s" % (
        name, " ".join(str(values).split()), wanted))
  return array
