"""The variational recurrent neural network.

Chung et al., A Recurrent Latent Variable Model for Sequential Data, 2015. At
each step the recurrent network reads the previous observation and the previous
latent, and its output is all that the prior sees of the past. In the notation
of `recurrent.py`:

    network     h_t = LSTM([e(x_{t-1}), z'_{t-1}])       `run_rnn`
    prior       p(z_t | h_t)                             `transition`
    proposal    q(z_t | h_t, e(x_t))   when filtering    `proposal`
                q(z_t | h_t, s_t)      when smoothing, where
                s_t = LSTM(e(x_t)), run backwards
    emission    p(x_t | z'_t, h_t)                       `emission`
    weight      log p(z_t | .) + log p(x_t | .) - log q(z_t | .)
                                                         `propose_and_weight`

Prior and proposal are Normal. The proposal's network corrects the prior's mean
("res_q", Fraccaro et al., Sequential Neural Models with Stochastic Layers,
2016).
"""

import collections

import tensorflow as tf

from fivo.models import factory
from fivo.models import recurrent

VRNNState = collections.namedtuple(
    "VRNNState", ("rnn_state", "latent_encoded"))
TrainableVRNNState = collections.namedtuple(
    "TrainableVRNNState", VRNNState._fields + ("rnn_out",))


class VRNN(recurrent.RecurrentModel):
  """The generative model, which suffices for sampling."""

  state_class = sampling_state_class = VRNNState

  def run_rnn(self, prev_rnn_state, prev_latent_encoded, inputs):
    """h_t = LSTM([e(x_{t-1}), z'_{t-1}]), and the network's new state.

    Here `inputs` are x_{t-1}, not yet encoded, `[batch, data_size]`. Training,
    which encodes all steps at once, calls `_run_rnn_on_encoded` in its place,
    unless a subclass overrides this.
    """
    return self._run_rnn_on_encoded(
        prev_rnn_state, prev_latent_encoded, self.data_encoder(inputs))

  def _run_rnn_on_encoded(self, rnn_state, latent_encoded, inputs_encoded):
    return self.rnn_cell(
        tf.concat([inputs_encoded, latent_encoded], axis=1), rnn_state)

  def transition(self, rnn_out):
    """The prior p(z_t | h_t), a Normal `[batch, latent_size]`."""
    return self._transition(rnn_out)

  def sample_step(self, prev_state, inputs, unused_t):
    """Draws one timestep from the model.

    Args:
      prev_state: A `VRNNState` or a `TrainableVRNNState`.
      inputs: x_{t-1}, centred, a float Tensor `[batch, data_size]`.
      unused_t: The timestep.

    Returns:
      The state after this step, a `VRNNState`, and x_t `[batch, data_size]`.
    """
    rnn_out, rnn_state = self.run_rnn(
        prev_state.rnn_state, prev_state.latent_encoded, inputs)
    latent = self.transition(rnn_out).sample(seed=self.random_seed)
    p_xt, latent_encoded = self.emission(latent, rnn_out)
    x_t = tf.cast(p_xt.sample(seed=self.random_seed), inputs.dtype)
    return VRNNState(rnn_state, latent_encoded), x_t


class TrainableVRNN(recurrent.TrainableRecurrentModel, VRNN):
  """A VRNN with a proposal, and optionally a tilt or a twist.

  `set_observations` creates the TensorArray `inputs_ta` of x_{t-1}.
  """

  state_class = TrainableVRNNState

  def set_observations(self, observations, seq_lengths, num_particles=1):
    """Encodes the observations of B sequences, for N particles of each.

    Args:
      observations: A pair `(inputs, targets)`, `[T, B, data_size]` each.
      seq_lengths: An int Tensor `[B]`.
      num_particles: N, an int or scalar Tensor.
    """
    inputs, inputs_encoded, targets_encoded = self.encode(
        observations, seq_lengths, num_particles)
    self.inputs_ta = recurrent.tiled_ta(inputs, num_particles)
    self._inputs_encoded_ta = recurrent.tiled_ta(inputs_encoded, num_particles)
    self.summarize(
        targets_encoded, targets_encoded, seq_lengths, num_particles)

  def proposal(self, rnn_out, prior, t):
    """The proposal q(z_t | h_t, e(x_t)), or q(z_t | h_t, s_t), or the prior.

    `rnn_out` is h_t, `[batch, rnn_hidden_size]`, the prior a Normal
    `[batch, latent_size]`, and t a scalar int32 Tensor.
    """
    if self.proposal_type == "prior":
      return prior
    if self.proposal_type == "filtering":
      return self._proposal(
          rnn_out, self.targets_encoded_ta.read(t), prior_mu=prior.mean())
    return self._proposal(
        rnn_out, prior_mu=prior.mean(),
        smoothing_tensors=[self.reverse_rnn_ta.read(t)])

  def propose_and_weight(self, state, t, weigh_emission=True):
    """Draws z_t from the proposal and weighs it, see the base class.

    The log weights are log p(z_t | .) + log p(x_t | .) - log q(z_t | .) plus
    the tilt's log ratio, `[batch]`, in nats; without `weigh_emission` they lack
    log p(x_t | .), see `weighs_emissions_later`.
    """
    # The network reads the previous observation and latent: h_t.
    # Seeds count ops: the same are made, whether a subclass has a `run_rnn`.
    inputs = self.inputs_ta.read(t)
    inputs_encoded = self._inputs_encoded_ta.read(t)
    if recurrent.overrides(self, "run_rnn"):
      rnn_out, rnn_state = self.run_rnn(
          state.rnn_state, state.latent_encoded, inputs)
    else:
      rnn_out, rnn_state = self._run_rnn_on_encoded(
          state.rnn_state, state.latent_encoded, inputs_encoded)
    # Draw z_t from the proposal, and weigh it by prior over proposal.
    p_zt = self.transition(rnn_out)
    q_zt = self.proposal(rnn_out, p_zt, t)
    latent, log_q = self.draw(q_zt, self.random_seed)
    log_weights = recurrent.log_ratio(self, p_zt, latent, log_q)
    # Weigh it by the likelihood of x_t. An unused emission is not computed.
    p_xt, latent_encoded = self.emission(latent, rnn_out)
    if weigh_emission:
      log_weights += recurrent.log_prob(p_xt, self.targets_ta.read(t))
    new_state = TrainableVRNNState(rnn_state, latent_encoded, rnn_out)
    # Weigh it by how well it predicts x_{t+1}.
    if self._tilt is not None:
      log_weights += (recurrent.log_tilt(self, new_state, t) -
                      recurrent.log_tilt(self, state, t - 1))
    return log_weights, new_state


create_vrnn = factory.create_function(TrainableVRNN, "create_vrnn")
