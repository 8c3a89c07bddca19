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
import functools

import tensorflow as tf

from fivo.models import factory
from fivo.models import generative
from fivo.models import recurrent

VRNNState = collections.namedtuple(
    "VRNNState", ("rnn_state", "latent_encoded"))
TrainableVRNNState = collections.namedtuple(
    "TrainableVRNNState", VRNNState._fields + ("rnn_out",))


class VRNN(generative.RecurrentModel):
  """The generative part of the VRNN."""

  sampling_state_class = VRNNState

  def run_rnn(self, prev_rnn_state, prev_latent_encoded, inputs):
    """h_t = LSTM([e(x_{t-1}), z'_{t-1}]).

    Args:
      prev_rnn_state: The network's state.
      prev_latent_encoded: z'_{t-1}, a float Tensor `[batch, encoded_z_size]`.
      inputs: x_{t-1}, a float Tensor `[batch, data_size]`.

    Returns:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      rnn_state: The network's new state.
    """
    return self.rnn_cell(
        tf.concat([self.encode(inputs), prev_latent_encoded], axis=1),
        prev_rnn_state)

  def transition(self, rnn_out):
    """The prior p(z_t | h_t), a Normal `[batch, latent_size]`."""
    return self._transition(rnn_out)

  def _look_back(self, prev_state, inputs):
    rnn_out, rnn_state = self.run_rnn(
        prev_state.rnn_state, prev_state.latent_encoded, inputs)
    return rnn_out, rnn_state, self.transition(rnn_out)


class TrainableVRNN(recurrent.TrainableRecurrentModel, VRNN):
  """A VRNN with a proposal, and maybe a tilt.

  Attributes:
    inputs_ta: A TensorArray of x_{t-1}, which `set_observations` makes.
  """

  state_class = TrainableVRNNState

  def proposal(self, rnn_out, prior, t):
    """The proposal q(z_t | h_t, e(x_t)), or q(z_t | h_t, s_t).

    Args:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      prior: p(z_t | h_t).
      t: A scalar int32 Tensor.

    Returns:
      A Normal `[batch, latent_size]`; the prior itself for "prior".
    """
    if self.proposal_type == "prior":
      return prior
    if self.proposal_type == "filtering":
      return self._proposal(
          rnn_out, self.targets_encoded_ta.read(t), prior_mu=prior.mean())
    return self._proposal(
        rnn_out, prior_mu=prior.mean(),
        smoothing_tensors=[self.reverse_rnn_ta.read(t)])

  def _set_inputs(self, inputs, inputs_encoded, tiled_ta):
    self.inputs_ta = tiled_ta(inputs)
    self._inputs_encoded_ta = tiled_ta(inputs_encoded)
    return []

  def _look_around(self, state, t):
    inputs = self.inputs_ta.read(t)
    with self.knowing(inputs, self._inputs_encoded_ta.read(t)):
      rnn_out, rnn_state, prior = self._look_back(state, inputs)
    return rnn_out, rnn_state, prior, self.proposal(rnn_out, prior, t)


create_vrnn = functools.partial(factory.create_recurrent, TrainableVRNN)
create_vrnn.__doc__ = factory.create_recurrent.__doc__
