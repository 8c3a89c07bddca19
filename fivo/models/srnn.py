"""The stochastic recurrent neural network.

Fraccaro et al., Sequential Neural Models with Stochastic Layers, 2016. The
recurrent network reads the observations alone, so it runs over the whole
sequence before the particle filter starts; the latents form a chain of their
own on top of it. In the notation of `recurrent.py`:

    network     h_t = LSTM(e(x_{t-1}))                       `run_rnn`
    prior       p(z_t | h_t, z'_{t-1})                       `transition`
    proposal    q(z_t | h_t, z'_{t-1}, e(x_t)) if filtering  `proposal`
                q(z_t | h_t, z'_{t-1}, s_t)    if smoothing, where
                s_t = LSTM([h_t, e(x_t)]), run backwards
    emission    p(x_t | z'_t, h_t)                           `emission`
    weight      log p(z_t | .) + log p(x_t | .) - log q(z_t | .)
                                                             `propose_and_weight`

Prior and proposal are Normal; the proposal's network corrects the prior's mean
("res_q" in the paper).
"""

import collections

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.models import factory
from fivo.models import recurrent

SRNNState = collections.namedtuple(
    "SRNNState", ("rnn_state", "latent_encoded"))
TrainableSRNNState = collections.namedtuple(
    "TrainableSRNNState", SRNNState._fields + ("rnn_out",))


class SRNN(recurrent.RecurrentModel):
  """The generative model, which suffices for sampling."""

  state_class = sampling_state_class = SRNNState

  def __init__(self, *args, **kwargs):
    """Creates a model, see `RecurrentModel`."""
    super(SRNN, self).__init__(*args, **kwargs)
    self._forward_scope = recurrent.unique_scope("forward_rnn")

  def run_rnn(self, prev_rnn_state, inputs):
    """h_t = LSTM(e(x_{t-1})), and the network's new state.

    Here `inputs` are e(x_{t-1}), a float Tensor `[batch, encoded_data_size]`.
    """
    with tf.compat.v1.variable_scope(self._forward_scope):
      return self.rnn_cell(inputs, prev_rnn_state)

  def transition(self, rnn_out, prev_latent_encoded):
    """The prior p(z_t | h_t, z'_{t-1}), a Normal `[batch, latent_size]`."""
    return self._transition(rnn_out, prev_latent_encoded)

  def sample_step(self, prev_state, inputs, unused_t):
    """Draws one timestep from the model, as `VRNN.sample_step` does."""
    rnn_out, rnn_state = self.run_rnn(
        prev_state.rnn_state, self.data_encoder(inputs))
    p_zt = self.transition(rnn_out, prev_state.latent_encoded)
    latent = p_zt.sample(seed=self.random_seed)
    p_xt, latent_encoded = self.emission(latent, rnn_out)
    x_t = tf.cast(p_xt.sample(seed=self.random_seed), inputs.dtype)
    return SRNNState(rnn_state, latent_encoded), x_t


class TrainableSRNN(recurrent.TrainableRecurrentModel, SRNN):
  """An SRNN with a proposal, and optionally a tilt or a twist.

  `set_observations` creates the TensorArray `rnn_ta` of h_t.
  """

  state_class = TrainableSRNNState
  rev_rnn_scope_name = "reverse_rnn"

  def set_observations(self, observations, seq_lengths, num_particles=1):
    """Encodes the observations of B sequences and runs the network over them.

    For arguments see `TrainableVRNN.set_observations`.
    """
    _, inputs_encoded, targets_encoded = self.encode(
        observations, seq_lengths, num_particles)
    (rnn_out, rnn_state), _ = tf.compat.v1.nn.dynamic_rnn(
        _RunRNN(self), inputs_encoded, dtype=inputs_encoded.dtype,
        time_major=True, scope=self._forward_scope)
    self.rnn_ta = recurrent.tiled_ta(rnn_out, num_particles)
    # So that a filter's state holds all that `sample_step` continues from.
    self._rnn_state_ta = nested.map_nested(
        lambda x: recurrent.tiled_ta(x, num_particles), rnn_state)
    self.summarize(tf.concat([rnn_out, targets_encoded], axis=2),
                   targets_encoded, seq_lengths, num_particles)

  def proposal(self, rnn_out, prev_latent_encoded, prior, t):
    """As `TrainableVRNN.proposal`, given z'_{t-1} as well."""
    if self.proposal_type == "prior":
      return prior
    if self.proposal_type == "filtering":
      return self._proposal(
          rnn_out, prev_latent_encoded, self.targets_encoded_ta.read(t),
          prior_mu=prior.mean())
    return self._proposal(
        rnn_out, prev_latent_encoded, prior_mu=prior.mean(),
        smoothing_tensors=[self.reverse_rnn_ta.read(t)])

  def propose_and_weight(self, state, t, weigh_emission=True):
    """Draws z_t and weighs it, see `TrainableVRNN.propose_and_weight`."""
    # The network has read the observations before x_t: h_t.
    rnn_out = self.rnn_ta.read(t)
    rnn_state = nested.read_tas(self._rnn_state_ta, t)
    # Draw z_t from the proposal, and weigh it by prior over proposal.
    p_zt = self.transition(rnn_out, state.latent_encoded)
    q_zt = self.proposal(rnn_out, state.latent_encoded, p_zt, t)
    latent, log_q = self.draw(q_zt, self.random_seed)
    log_weights = recurrent.log_ratio(self, p_zt, latent, log_q)
    # Weigh it by the likelihood of x_t. An unused emission is not computed.
    p_xt, latent_encoded = self.emission(latent, rnn_out)
    if weigh_emission:
      log_weights += recurrent.log_prob(p_xt, self.targets_ta.read(t))
    new_state = TrainableSRNNState(rnn_state, latent_encoded, rnn_out)
    # Weigh it by how well it predicts x_{t+1}.
    if self._tilt is not None:
      log_weights += (recurrent.log_tilt(self, new_state, t) -
                      recurrent.log_tilt(self, state, t - 1))
    return log_weights, new_state


class _RunRNN(object):
  """An SRNN's `run_rnn` as an RNN cell whose output includes its state."""

  def __init__(self, model):
    self._model = model
    self.state_size = model.rnn_cell.state_size
    self.output_size = (model.rnn_cell.output_size, self.state_size)
    self.zero_state = model.rnn_cell.zero_state

  def __call__(self, inputs, state, scope=None):
    output, new_state = self._model.run_rnn(state, inputs)
    return (output, new_state), new_state


create_srnn = factory.create_function(TrainableSRNN, "create_srnn")
