"""The variational recurrent neural network.

Chung et al., A Recurrent Latent Variable Model for Sequential Data, 2015. At
each step the recurrent network reads the previous observation and latent, and
its output is all that the prior sees of the past:

    h_t = LSTM([enc(x_{t-1}), z'_{t-1}])
    z_t ~ p(z_t | h_t)
    x_t ~ p(x_t | z'_t, h_t)

The proposal is q(z_t | h_t, enc(x_t)) when filtering and q(z_t | h_t, r_t) when
smoothing, r being an LSTM that reads enc(x) backwards.
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

  state_class = VRNNState

  def _rnn_step(self, inputs_encoded, prev_state):
    return self.rnn_cell(
        tf.concat([inputs_encoded, prev_state.latent_encoded], axis=1),
        prev_state.rnn_state)

  def _latent_context(self, rnn_out, prev_latent_encoded):
    del prev_latent_encoded  # The network has read it.
    return (rnn_out,)


class TrainableVRNN(recurrent.TrainableRecurrentModel, VRNN):
  """A VRNN with a proposal, and maybe a tilt."""

  state_class = TrainableVRNNState

  def _rnn_steps(self, inputs_encoded):
    return inputs_encoded

  def _smoothing_inputs(self, rnn_steps, targets_encoded):
    return targets_encoded

  def _advance_rnn(self, rnn_step, prev_state):
    return self._rnn_step(rnn_step, prev_state)


create_vrnn = functools.partial(factory.create_recurrent, TrainableVRNN)
create_vrnn.__doc__ = factory.create_recurrent.__doc__
