"""The Gaussian hidden Markov model with a proposal, exact or learned.

The model itself and its exact conditional distributions are those of
`gaussian_hmm.py`. A learned proposal is a `NonstationaryLinearDistribution` of
the previous latent and the current observation (filtering), or of it and all
later ones (smoothing); both can equal the exact conditionals. So can a learned
twist, of the kind of `ghmm_twists.py`.
"""

import tensorflow as tf

from fivo.models import base
from fivo.models import distributions
from fivo.models import gaussian_hmm
from fivo.models import ghmm_twists
from fivo.models import kalman
from fivo.models.gaussian_hmm import GaussianHMM

__all__ = ["GaussianHMM", "TrainableGaussianHMM"]


class TrainableGaussianHMM(GaussianHMM, base.ELBOTrainableSequenceModel):
  """A Gaussian HMM with a proposal.

  The model is fixed; all there is to learn is the proposal, if anything:

    prior: p(z_t | z_{t-1}).
    filtering: Learned, linear in z_{t-1} and x_t.
    smoothing: Learned, linear in z_{t-1}, x_t, ..., x_{T-1}.
    true-filtering: p(z_t | z_{t-1}, x_t).
    true-smoothing: p(z_t | z_{t-1}, x_t, ..., x_{T-1}).

  The learned ones are a `NonstationaryLinearDistribution`, whose inputs at
  t = 0 are without z. Its family contains the true ones.

  With true-smoothing the weight of a trajectory z_0, ..., z_t is

      p(x_0, ..., x_{T-1}) / p(x_{t+1}, ..., x_{T-1} | z_t),

  which at the last step is the likelihood. The ELBO and IWAE, which use the
  weights of the last step alone, are exact. FIVO is exact only while no filter
  resamples, as with one particle: the weights of the steps before differ from
  trajectory to trajectory, and resampling by them makes the estimate random.
  With the optimal twist as well, SIXO is exact, however many particles.

  Attributes, after `set_observations`:
    observations: A float Tensor `[T, batch]`, zero past each sequence's end.
    seq_lengths: An int Tensor `[batch]` or None.
    batch_size: An int, or a scalar Tensor if it is not known yet.
    messages: A `PerTimestep` of T entries `[batch]`: the information b_t of
      `kalman.py`, what x_t and all later observations tell about z_t.
  """

  def __init__(self, num_timesteps, proposal_type, transition_variances=1.,
               emission_variances=1., transition_weights=1.,
               emission_weights=1., random_seed=None, dtype=tf.float32,
               twist=None):
    """Creates the model, and the variables of a learned proposal and twist.

    Args:
      num_timesteps: T, a positive int.
      proposal_type: One of the five above.
      transition_variances: See `GaussianHMM`.
      emission_variances: See `GaussianHMM`.
      transition_weights: See `GaussianHMM`.
      emission_weights: See `GaussianHMM`.
      random_seed: The op seed of the proposal's samples, or None.
      dtype: The float dtype of all Tensors.
      twist: None; "optimal", the likelihood of z_t given x_{t+1}, ...,
        x_{T-1}; or "learned", a `ghmm_twists.LearnedTwist`.
    """
    self._propose = {
        "prior": self.transition,
        "filtering": self._learned_proposal,
        "smoothing": self._learned_proposal,
        "true-filtering": self._filtering_proposal,
        "true-smoothing": self._smoothing_proposal}[proposal_type]
    self._sees_all = proposal_type == "smoothing"
    self.random_seed = random_seed
    # Before all other ops: how many a graph has is part of the seed of
    # initial values.
    self._learned = None
    if proposal_type in ("filtering", "smoothing"):
      self._learned = _learned_distribution(
          num_timesteps, self._sees_all, dtype)
    super(TrainableGaussianHMM, self).__init__(
        num_timesteps, transition_variances, emission_variances,
        transition_weights, emission_weights, dtype)
    self._twist = twist
    self._learned_twist = None
    if twist == "learned":
      self._learned_twist = ghmm_twists.LearnedTwist(
          num_timesteps, self.dtype)

  def zero_state(self, batch_size, dtype=None):
    """The latent before the first timestep: zeros `[batch_size]`.

    Their dtype is the model's unless another is given.
    """
    return tf.zeros([batch_size], dtype or self.dtype)

  def set_observations(self, xs, seq_lengths):
    """Takes the observations that `propose_and_weight` is to explain.

    Args:
      xs: Floats `[T, batch]` or `[T, batch, 1]`. There may be fewer than T
        steps if all sequences are shorter.
      seq_lengths: Ints `[batch]`, or None if all have length T. What lies past
        the end of a sequence has no influence.
    """
    xs = gaussian_hmm.observations(xs, self.dtype)
    self.observations = base.zero_padding(xs, seq_lengths)
    self.seq_lengths = seq_lengths
    self.batch_size = (
        tf.compat.dimension_value(xs.shape[1]) or tf.shape(xs)[1])
    weights, variances, precisions, informations = self._evidence(
        self.observations)
    # An observation that is not there tells nothing.
    precisions = base.zero_padding(
        precisions[:, tf.newaxis] + tf.zeros_like(xs), seq_lengths)
    self._future_precisions, messages = kalman.filter_backward(
        weights, variances, precisions, informations)
    self.messages = gaussian_hmm.PerTimestep(messages)
    if self._learned_twist is not None:
      self._quadratic = self._learned_twist(self.observations)
    elif self._twist is not None:
      # Without what x_t itself tells.
      self._quadratic = ghmm_twists.Quadratic(
          self._future_precisions - precisions, messages - informations)

  def proposal(self, t, state):
    """The distribution `[batch]` of z_t given `state`, z_{t-1}, `[batch]`."""
    return self._propose(t, state)

  def propose_and_weight(self, state, t):
    """Draws z_t and weighs it.

    Args:
      state: z_{t-1}, a float Tensor `[batch]`.
      t: The timestep, an int or scalar Tensor.

    Returns:
      log_weights: A float Tensor `[batch]`, in nats:
        log p(z_t | z_{t-1}) + log p(x_t | z_t) - log q(z_t | ...).
      new_state: z_t, `[batch]`.
    """
    state = tf.convert_to_tensor(state)
    z_prev = tf.cast(state, self.dtype)
    proposal = self.proposal(t, z_prev)
    z, log_q = self.draw(proposal, self.random_seed)
    log_weights = (
        self.transition(t, z_prev).log_prob(z) - log_q +
        self.emission(t, z).log_prob(tf.gather(self.observations, t)))
    return tf.cast(log_weights, state.dtype), tf.cast(z, state.dtype)

  def log_twist(self, state, t):
    """log r(z_t, x_{t+1:T}), in nats, up to what does not depend on z_t.

    `state` is z_t, a float Tensor `[batch]`, as is the result.
    """
    return tf.cast(
        self._quadratic.read(t, tf.cast(state, self.dtype)), state.dtype)

  def _filtering_proposal(self, t, state):
    """`filtering` given the observations set, whatever the proposal type."""
    return self.filtering(t, state, tf.gather(self.observations, t))

  def _smoothing_proposal(self, t, state):
    """`smoothing` given the observations set, whatever the proposal type."""
    return self._posterior(
        t, state, tf.gather(self._future_precisions, t), self.messages.read(t))

  def _learned_proposal(self, t, state):
    t = tf.convert_to_tensor(t)
    last = None if self._sees_all else t + 1
    inputs = tf.concat(
        [self._latent(state)[tf.newaxis], self.observations[t:last]], axis=0)
    is_first = tf.cast(tf.equal(t, 0), tf.int32)
    return self._learned(t, inputs[is_first:])


def _learned_distribution(num_timesteps, sees_all, dtype):
  """A distribution of z_t, linear in what a learned proposal sees."""
  num_seen = [num_timesteps - t if sees_all else 1
              for t in range(num_timesteps)]
  return base.NonstationaryLinearDistribution(
      num_timesteps,
      inputs_per_timestep=num_seen[:1] + [n + 1 for n in num_seen[1:]],
      output_distribution=_first_row_normal, dtype=dtype)


def _first_row_normal(loc, scale):
  """A Normal `[batch]` from the parameters of one with one output."""
  return distributions.Normal(loc=loc[0], scale=scale[0])
