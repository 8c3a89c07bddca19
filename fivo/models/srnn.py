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
import functools

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.models import factory
from fivo.models import generative
from fivo.models import recurrent

SRNNState = collections.namedtuple(
    "SRNNState", ("rnn_state", "latent_encoded"))
TrainableSRNNState = collections.namedtuple(
    "TrainableSRNNState", SRNNState._fields + ("rnn_out",))


class SRNN(generative.RecurrentModel):
  """The generative part of the SRNN."""

  sampling_state_class = SRNNState

  def __init__(self, *args, **kwargs):
    """Creates a model, see `RecurrentModel`."""
    super(SRNN, self).__init__(*args, **kwargs)
    self._forward_scope = generative.unique_scope("forward_rnn")

  def run_rnn(self, prev_rnn_state, inputs):
    """h_t = LSTM(e(x_{t-1})).

    Args:
      prev_rnn_state: The network's state.
      inputs: x_{t-1}, a float Tensor `[batch, data_size]`.

    Returns:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      rnn_state: The network's new state.
    """
    inputs_encoded = self.encode(inputs)
    with tf.compat.v1.variable_scope(self._forward_scope):
      return self.rnn_cell(inputs_encoded, prev_rnn_state)

  def transition(self, rnn_out, prev_latent_encoded):
    """The prior p(z_t | h_t, z'_{t-1}), a Normal `[batch, latent_size]`."""
    return self._transition(rnn_out, prev_latent_encoded)

  def _look_back(self, prev_state, inputs):
    rnn_out, rnn_state = self.run_rnn(prev_state.rnn_state, inputs)
    return rnn_out, rnn_state, self.transition(
        rnn_out, prev_state.latent_encoded)


class TrainableSRNN(recurrent.TrainableRecurrentModel, SRNN):
  """An SRNN with a proposal, and maybe a tilt.

  Attributes:
    rnn_ta: A TensorArray of h_t, which `set_observations` makes.
  """

  state_class = TrainableSRNNState
  rev_rnn_scope_name = "reverse_rnn"

  def proposal(self, rnn_out, prev_latent_encoded, prior, t):
    """The proposal q(z_t | h_t, z'_{t-1}, e(x_t)), or with s_t for e(x_t).

    Args:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      prev_latent_encoded: z'_{t-1}, a float Tensor `[batch, encoded_z_size]`.
      prior: p(z_t | h_t, z'_{t-1}).
      t: A scalar int32 Tensor.

    Returns:
      A Normal `[batch, latent_size]`; the prior itself for "prior".
    """
    if self.proposal_type == "prior":
      return prior
    if self.proposal_type == "filtering":
      return self._proposal(
          rnn_out, prev_latent_encoded, self.targets_encoded_ta.read(t),
          prior_mu=prior.mean())
    return self._proposal(
        rnn_out, prev_latent_encoded, prior_mu=prior.mean(),
        smoothing_tensors=[self.reverse_rnn_ta.read(t)])

  def _set_inputs(self, inputs, inputs_encoded, tiled_ta):
    (rnn_out, rnn_state), _ = tf.compat.v1.nn.dynamic_rnn(
        _RunRNNCell(self), (inputs, inputs_encoded), dtype=inputs.dtype,
        time_major=True, scope=self._forward_scope)
    self.rnn_ta = tiled_ta(rnn_out)
    self._rnn_state_ta = nested.map_nested(tiled_ta, rnn_state)
    return [rnn_out]

  def _look_around(self, state, t):
    rnn_out = self.rnn_ta.read(t)
    prior = self.transition(rnn_out, state.latent_encoded)
    return (rnn_out, nested.read_tas(self._rnn_state_ta, t), prior,
            self.proposal(rnn_out, state.latent_encoded, prior, t))


class _RunRNNCell(object):
  """An SRNN's `run_rnn` as an RNN cell whose output is `(output, state)`.

  Its inputs are the observations and their encodings. The state of every
  timestep is kept, so that a filter's state holds all that `sample_step` needs
  to go on from there.
  """

  def __init__(self, model):
    self._model = model
    self.state_size = model.rnn_cell.state_size
    self.output_size = (model.rnn_cell.output_size, self.state_size)
    self.zero_state = model.rnn_cell.zero_state

  def __call__(self, inputs, state, scope=None):
    with self._model.knowing(*inputs):
      output, new_state = self._model.run_rnn(state, inputs[0])
    return (output, new_state), new_state


create_srnn = functools.partial(factory.create_recurrent, TrainableSRNN)
create_srnn.__doc__ = factory.create_recurrent.__doc__
