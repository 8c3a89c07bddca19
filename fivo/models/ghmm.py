"""The Gaussian hidden Markov model with a proposal, exact or learned.

The model itself and its exact conditional distributions are those of
`gaussian_hmm.py`.
"""

import numpy as np
import tensorflow as tf

from fivo.models import base
from fivo.models import distributions
from fivo.models import gaussian_hmm
from fivo.models import kalman

GaussianHMM = gaussian_hmm.GaussianHMM


class TrainableGaussianHMM(GaussianHMM, base.ELBOTrainableSequenceModel):
  """A Gaussian HMM with a proposal.

  The model is fixed; only the proposal can be learned:

    prior: p(z_t | z_{t-1}).
    filtering: Learned, linear in z_{t-1} and x_t.
    smoothing: Learned, linear in z_{t-1}, x_t, ..., x_{T-1}.
    true-filtering: p(z_t | z_{t-1}, x_t).
    true-smoothing: p(z_t | z_{t-1}, x_t, ..., x_{T-1}).

  Learned proposals are a `NonstationaryLinearDistribution`, without the input z
  at t = 0. Its family contains the true proposals.

  With true-smoothing the weight of a trajectory z_0, ..., z_t is

      p(x_0, ..., x_{T-1}) / p(x_{t+1}, ..., x_{T-1} | z_t),

  which at the last step is the likelihood: ELBO and IWAE are exact, and so is
  SIXO with the optimal twist. FIVO resamples by the weights of earlier steps,
  which differ, and is exact with one particle only.

  Attributes, after `set_observations`:
    observations: A float Tensor `[T, batch]`, zero past each sequence's end.
    seq_lengths: An int Tensor `[batch]` or None.
    batch_size: An int, or a scalar Tensor if it is not static.
    messages: A `PerTimestep` of T entries `[batch]`: the information b_t of
      `kalman.py`, what x_t and all later observations tell about z_t.
  """

  def __init__(self, num_timesteps, proposal_type, transition_variances=1.,
               emission_variances=1., transition_weights=1.,
               emission_weights=1., random_seed=None, dtype=tf.float32,
               twist=None):
    """Creates the model, and the variables of a learned proposal and twist.

    For most arguments see `GaussianHMM`. The proposal type is one of the five
    above, `random_seed` the op seed of its samples, or None. The twist is None;
    "optimal", the likelihood of z_t given x_{t+1}, ..., x_{T-1}; or "learned",
    a `LearnedTwist`.
    """
    self._propose = {
        "prior": self.transition,
        "filtering": self._learned_proposal,
        "smoothing": self._learned_proposal,
        "true-filtering": self._filtering_proposal,
        "true-smoothing": self._smoothing_proposal}[proposal_type]
    self._sees_all = proposal_type == "smoothing"
    self.random_seed = random_seed
    # Before all other ops: the number of ops in the graph enters the seeds of
    # initial values.
    if proposal_type in ("filtering", "smoothing"):
      num_seen = [num_timesteps - t if self._sees_all else 1
                  for t in range(num_timesteps)]
      self._learned = base.NonstationaryLinearDistribution(
          num_timesteps,
          inputs_per_timestep=num_seen[:1] + [n + 1 for n in num_seen[1:]],
          output_distribution=_first_row_normal, dtype=dtype)
    super(TrainableGaussianHMM, self).__init__(
        num_timesteps, transition_variances, emission_variances,
        transition_weights, emission_weights, dtype)
    self._twist = twist
    if twist == "learned":
      self._learned_twist = LearnedTwist(num_timesteps, self.dtype)

  def zero_state(self, batch_size, dtype=None):
    """Zeros `[batch_size]`, by default of the model's dtype."""
    return tf.zeros([batch_size], dtype or self.dtype)

  def set_observations(self, xs, seq_lengths):
    """Sets the observations that `propose_and_weight` conditions on.

    Args:
      xs: Floats `[T, batch]` or `[T, batch, 1]`, of fewer than T steps if all
        sequences are shorter. Steps past an end have no influence.
      seq_lengths: Ints `[batch]`, or None if all have length T.
    """
    xs = gaussian_hmm.observations(xs, self.dtype)
    self.observations = base.zero_padding(xs, seq_lengths)
    self.seq_lengths = seq_lengths
    self.batch_size = (
        tf.compat.dimension_value(xs.shape[1]) or tf.shape(xs)[1])
    weights, variances, precisions, informations = self._evidence(
        self.observations)
    # A missing observation is no evidence.
    precisions = base.zero_padding(
        precisions[:, tf.newaxis] + tf.zeros_like(xs), seq_lengths)
    self._future_precisions, messages = kalman.filter_backward(
        weights, variances, precisions, informations)
    self.messages = gaussian_hmm.PerTimestep(messages)
    if self._twist is not None:
      if self._twist == "learned":
        coefficients = self._learned_twist(self.observations)
      else:  # Without the evidence of x_t itself.
        coefficients = (self._future_precisions - precisions,
                        messages - informations)
      self._twist_tas = [
          base.ta_for_tensor(x, clear_after_read=False) for x in coefficients]

  def proposal(self, t, state):
    """The distribution `[batch]` of z_t given `state`, z_{t-1}, `[batch]`."""
    return self._propose(t, state)

  def propose_and_weight(self, state, t):
    """log p(z_t, x_t | z_{t-1}) - log q(z_t | .), and z_t, given z_{t-1}."""
    state = tf.convert_to_tensor(state)
    z_prev = tf.cast(state, self.dtype)
    proposal = self.proposal(t, z_prev)
    z, log_q = self.draw(proposal, self.random_seed)
    log_weights = (
        self.transition(t, z_prev).log_prob(z) - log_q +
        self.emission(t, z).log_prob(tf.gather(self.observations, t)))
    return tf.cast(log_weights, state.dtype), tf.cast(z, state.dtype)

  def log_twist(self, state, t):
    """log r(z_t, x_{t+1:T}) of `state`, z_t, `[batch]`, in nats."""
    z = tf.cast(state, self.dtype)
    precision, information, *constant = [ta.read(t) for ta in self._twist_tas]
    log_r = sum(constant, (information - precision * z / 2) * z)
    return tf.cast(log_r, state.dtype)

  def _filtering_proposal(self, t, state):
    """`filtering` on the current observations, for any proposal type."""
    return self.filtering(t, state, tf.gather(self.observations, t))

  def _smoothing_proposal(self, t, state):
    """`smoothing` on the current observations, for any proposal type."""
    return self._posterior(
        t, state, tf.gather(self._future_precisions, t), self.messages.read(t))

  def _learned_proposal(self, t, state):
    t = tf.convert_to_tensor(t)
    last = None if self._sees_all else t + 1
    inputs = tf.concat(
        [self._latent(state)[tf.newaxis], self.observations[t:last]], axis=0)
    is_first = tf.cast(tf.equal(t, 0), tf.int32)
    return self._learned(t, inputs[is_first:])


class LearnedTwist(object):
  """A twist with separate parameters for every timestep.

      log r = -a_t z^2 / 2 + b_t z - k_t b_t^2 / 2 + c_t
      b_t = w_t^T (x_{t+1}, ..., x_{T-1}) + d_t,   a_t > 0

  The first two terms can represent the optimal twist, evidence (a, b) in the
  sense of `kalman.py`. The others change no bound; they allow log r to be log
  p(z_t, x_{t+1:T}) - log p(z_t) p(x_{t+1:T}), which a classifier learns.
  """

  def __init__(self, num_timesteps, dtype=tf.float32):
    """Creates the variables of T timesteps, initially zero."""
    with tf.compat.v1.variable_scope(
        None, default_name="twist", dtype=dtype,
        initializer=tf.compat.v1.zeros_initializer()):
      self._weights = tf.compat.v1.get_variable(
          "w", [num_timesteps, num_timesteps])
      self._raw_precisions, self._biases, self._scales, self._constants = [
          tf.compat.v1.get_variable(name, [num_timesteps, 1])
          for name in ("raw_precision", "b", "k", "c")]

  def __call__(self, xs):
    """Returns a, `[steps, 1]`, b and the constant terms, `[steps, batch]`."""
    num_steps = tf.shape(xs)[0]
    later = np.triu(np.ones(self._weights.shape.as_list()), k=1)
    weights = self._weights * later.astype(xs.dtype.as_numpy_dtype)
    biases, scales, constants, raw_precisions = [
        x[:num_steps] for x in (
            self._biases, self._scales, self._constants, self._raw_precisions)]
    informations = tf.matmul(weights[:num_steps, :num_steps], xs) + biases
    return (tf.nn.softplus(raw_precisions), informations,
            constants - scales * informations ** 2 / 2)


def _first_row_normal(loc, scale):
  """A Normal `[batch]` from the parameters of a single output."""
  return distributions.Normal(loc=loc[0], scale=scale[0])
