"""The Gaussian hidden Markov model with a proposal, exact or learned.

The model itself and its exact conditional distributions are those of
`gaussian_hmm.py`. A learned proposal is a `NonstationaryLinearDistribution` of
the previous latent and the current observation (filtering), or of it and all
later ones (smoothing); both can equal the exact conditionals.
"""

import tensorflow as tf
import tensorflow_probability as tfp

from fivo.models import base
from fivo.models import gaussian_hmm
from fivo.models.gaussian_hmm import GaussianHMM
from fivo.system import errors

__all__ = ["GaussianHMM", "TrainableGaussianHMM", "PROPOSAL_TYPES"]

PROPOSAL_TYPES = (
    "prior", "filtering", "smoothing", "true-filtering", "true-smoothing")


class TrainableGaussianHMM(GaussianHMM, base.ELBOTrainableSequenceModel):
  """A Gaussian HMM with a proposal.

  The model is fixed; all there is to learn is the proposal, if anything:

    prior: p(z_t | z_{t-1}).
    filtering: Learned, linear in z_{t-1} and x_t.
    smoothing: Learned, linear in z_{t-1}, x_t, ..., x_{T-1}.
    true-filtering: p(z_t | z_{t-1}, x_t).
    true-smoothing: p(z_t | z_{t-1}, x_t, ..., x_{T-1}). Every trajectory then
      has the weight p(x_0, ..., x_{T-1}), and the bounds are exact.

  The learned ones are a `NonstationaryLinearDistribution`, whose inputs at
  t = 0 are without z. Its family contains the true ones.
  """

  def __init__(self, num_timesteps, proposal_type, transition_variances=1.,
               emission_variances=1., transition_weights=1.,
               emission_weights=1., random_seed=None, dtype=tf.float32):
    """Creates the model, and the variables of a learned proposal.

    Args:
      num_timesteps: T, a positive int.
      proposal_type: One of `PROPOSAL_TYPES`, see above.
      transition_variances: See `GaussianHMM`.
      emission_variances: See `GaussianHMM`.
      transition_weights: See `GaussianHMM`.
      emission_weights: See `GaussianHMM`.
      random_seed: The op seed of the proposal's samples, or None.
      dtype: The float dtype of all Tensors.

    Raises:
      UserError: If an argument is none of these.
    """
    if proposal_type not in PROPOSAL_TYPES:
      raise errors.UserError("proposal_type=%s: must be one of %s" % (
          proposal_type, ", ".join(PROPOSAL_TYPES)))
    super(TrainableGaussianHMM, self).__init__(
        num_timesteps, transition_variances, emission_variances,
        transition_weights, emission_weights, dtype)
    self._proposal_type = proposal_type
    self._propose = getattr(
        self, "_propose_" + proposal_type.replace("-", "_"))
    self._random_seed = random_seed
    self._learned = None
    if proposal_type in ("filtering", "smoothing"):
      num_seen = [1 if proposal_type == "filtering" else self.num_timesteps - t
                  for t in range(self.num_timesteps)]
      self._learned = base.NonstationaryLinearDistribution(
          self.num_timesteps,
          inputs_per_timestep=num_seen[:1] + [n + 1 for n in num_seen[1:]],
          output_distribution=_first_row_normal, dtype=dtype)
    self._xs = None
    self._evidence = None

  def zero_state(self, batch_size, dtype=None):
    """The latent before the first timestep.

    Args:
      batch_size: An int or scalar Tensor.
      dtype: The dtype of the state; None for that of the model.

    Returns:
      Zeros `[batch_size]`.
    """
    return tf.zeros([batch_size], dtype or self._dtype)

  def set_observations(self, observations, seq_lengths):
    """Takes the observations that `propose_and_weight` is to explain.

    Args:
      observations: A float Tensor `[T, batch]` or `[T, batch, 1]`. It may have
        fewer than T steps if all sequences are shorter.
      seq_lengths: An int Tensor `[batch]`, or None if all have length T. What
        lies past the end of a sequence has no influence.

    Raises:
      UserError: If the observations have another shape.
    """
    xs = self._observations("observations", observations)
    if xs.shape.ndims != 2:
      raise errors.UserError(
          "observations has shape %s: must be [timesteps, batch]" % xs.shape)
    observed = None
    if seq_lengths is not None:
      observed = tf.transpose(tf.sequence_mask(seq_lengths, tf.shape(xs)[0]))
      # The filter ignores the padding, but a NaN there would still reach the
      # gradient, as 0 * NaN.
      xs = gaussian_hmm.select_steps(observed, xs)
    self._xs = xs
    if self._proposal_type == "true-smoothing":
      self._evidence = self._future_evidence(xs, observed=observed)

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
    t = tf.convert_to_tensor(t)
    z_prev = tf.cast(state, self._dtype)
    proposal = self._propose(t, z_prev)
    z = proposal.sample(seed=self._random_seed)
    log_weights = (
        self.transition(t, z_prev).log_prob(z) - proposal.log_prob(z) +
        self.emission(t, z).log_prob(tf.gather(self._xs, t)))
    return tf.cast(log_weights, state.dtype), tf.cast(z, state.dtype)

  def _propose_prior(self, t, z_prev):
    return self.transition(t, z_prev)

  def _propose_true_filtering(self, t, z_prev):
    return self.filtering(t, z_prev, tf.gather(self._xs, t))

  def _propose_true_smoothing(self, t, z_prev):
    precision, information = [tf.gather(x, t) for x in self._evidence]
    return self._posterior(t, z_prev, precision, information)

  def _propose_filtering(self, t, z_prev):
    return self._propose_learned(t, z_prev, self._xs[t:t + 1])

  def _propose_smoothing(self, t, z_prev):
    return self._propose_learned(t, z_prev, self._xs[t:])

  def _propose_learned(self, t, z_prev, xs):
    inputs = tf.concat([z_prev[tf.newaxis], xs], axis=0)
    is_first = tf.cast(tf.equal(t, 0), tf.int32)
    return self._learned(t, inputs[is_first:])


def _first_row_normal(loc, scale):
  """A Normal `[batch]` from the parameters of one with one output."""
  return tfp.distributions.Normal(loc=loc[0], scale=scale[0])
