"""The stochastic recurrent neural network.

Fraccaro et al., Sequential Neural Models with Stochastic Layers, 2016. The
recurrent network reads the observations alone, so it runs over the whole
sequence before the particle filter starts; the latents form a chain of their
own on top of it:

    h_t = LSTM(enc(x_{t-1}))
    z_t ~ p(z_t | h_t, z'_{t-1})
    x_t ~ p(x_t | z'_t, h_t)

The proposal is q(z_t | h_t, z'_{t-1}, enc(x_t)) when filtering and
q(z_t | h_t, z'_{t-1}, r_t) when smoothing, r being an LSTM that reads
[h, enc(x)] backwards.
"""

import collections
import functools

import tensorflow as tf

from fivo.models import factory
from fivo.models import generative
from fivo.models import recurrent

SRNNState = collections.namedtuple(
    "SRNNState", ("rnn_state", "latent_encoded"))
TrainableSRNNState = collections.namedtuple(
    "TrainableSRNNState", SRNNState._fields + ("rnn_out",))


class SRNN(generative.RecurrentModel):
  """The generative part of the SRNN."""

  state_class = SRNNState

  def __init__(self, *args, **kwargs):
    """Creates a model, see `RecurrentModel`."""
    super(SRNN, self).__init__(*args, **kwargs)
    self._forward_scope = recurrent.unique_scope("forward_rnn")

  def _rnn_step(self, inputs_encoded, prev_state):
    with tf.compat.v1.variable_scope(self._forward_scope):
      return self.rnn_cell(inputs_encoded, prev_state.rnn_state)

  def _latent_context(self, rnn_out, prev_latent_encoded):
    return (rnn_out, prev_latent_encoded)


class TrainableSRNN(recurrent.TrainableRecurrentModel, SRNN):
  """An SRNN with a proposal, and maybe a tilt."""

  state_class = TrainableSRNNState
  rev_rnn_scope_name = "reverse_rnn"

  def _rnn_steps(self, inputs_encoded):
    steps, _ = tf.compat.v1.nn.dynamic_rnn(
        _StateEmittingCell(self.rnn_cell), inputs_encoded,
        dtype=inputs_encoded.dtype, time_major=True, scope=self._forward_scope)
    return steps

  def _smoothing_inputs(self, rnn_steps, targets_encoded):
    rnn_out, _ = rnn_steps
    return tf.concat([rnn_out, targets_encoded], axis=2)

  def _advance_rnn(self, rnn_step, prev_state):
    del prev_state  # The network does not depend on the latents.
    return rnn_step


class _StateEmittingCell(object):
  """An RNN cell whose output is `(output, state)`.

  The state of every timestep is kept, so that a filter's state holds all that
  `sample_step` needs to go on from there.
  """

  def __init__(self, cell):
    self._cell = cell

  @property
  def state_size(self):
    return self._cell.state_size

  @property
  def output_size(self):
    return (self._cell.output_size, self._cell.state_size)

  def zero_state(self, batch_size, dtype):
    return self._cell.zero_state(batch_size, dtype)

  def __call__(self, inputs, state, scope=None):
    output, new_state = self._cell(inputs, state)
    return (output, new_state), new_state


create_srnn = functools.partial(factory.create_recurrent, TrainableSRNN)
create_srnn.__doc__ = factory.create_recurrent.__doc__
