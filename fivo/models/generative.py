"""The generative part of the VRNN and the SRNN.

Both pair a recurrent network h with a latent z_t at every timestep:

    prior       p(z_t | h_t, ...)            "prior_fcnet"
    proposal    q(z_t | h_t, ..., x)         "approximate_posterior_fcnet"
    emission    p(x_t | z'_t, h_t)           "generative_fcnet"

with z' an encoding of z. They differ in whether the network reads the latents
(VRNN) or the prior does (SRNN): the two hooks of `RecurrentModel`.
"""

import tensorflow as tf


class RecurrentModel(object):
  """The generative part of a recurrent latent variable model."""

  # The namedtuple of a state; it has rnn_state and latent_encoded.
  state_class = None

  def __init__(self, rnn_cell, data_encoder, latent_encoder, transition,
               emission, random_seed=None):
    """Creates a model.

    Args:
      rnn_cell: An RNNCell.
      data_encoder: A callable that encodes observations `[batch, data_size]`.
      latent_encoder: A callable that encodes latents; it has `output_size`.
      transition: A callable that gives the prior of z_t.
      emission: A callable that gives the distribution of x_t.
      random_seed: The op seed of all samples, or None.
    """
    self.rnn_cell = rnn_cell
    self.data_encoder = data_encoder
    self.latent_encoder = latent_encoder
    self.transition = transition
    self.emission = emission
    self.random_seed = random_seed

  def zero_state(self, batch_size, dtype):
    """The state before the first timestep: zeros.

    Args:
      batch_size: The number of rows, an int or scalar Tensor.
      dtype: A float dtype.

    Returns:
      A `state_class` of Tensors `[batch_size, ...]`.
    """
    return self._make_state(
        rnn_state=self.rnn_cell.zero_state(batch_size, dtype),
        latent_encoded=tf.zeros(
            [batch_size, _output_size(self.latent_encoder)], dtype),
        rnn_out=tf.zeros([batch_size, self.rnn_cell.output_size], dtype))

  def sample_step(self, prev_state, inputs, t):
    """Draws one timestep from the model.

    Args:
      prev_state: The state after the previous step.
      inputs: A float Tensor `[batch, data_size]`: the previous observation,
        centred as the model's inputs were in training.
      t: The timestep; not used.

    Returns:
      new_state: The state after this step.
      x_t: A float Tensor `[batch, data_size]`, the observation drawn.
    """
    del t
    rnn_out, rnn_state = self._rnn_step(self.data_encoder(inputs), prev_state)
    p_zt = self._prior(rnn_out, prev_state.latent_encoded)
    latent_encoded = self.latent_encoder(self._sample(p_zt))
    p_xt = self.emission(latent_encoded, rnn_out)
    x_t = tf.cast(self._sample(p_xt), inputs.dtype)
    return self._make_state(rnn_state, latent_encoded, rnn_out), x_t

  def _make_state(self, rnn_state, latent_encoded, rnn_out):
    del rnn_out
    return self.state_class(rnn_state, latent_encoded)

  def _sample(self, distribution):
    return distribution.sample(seed=self.random_seed)

  def _rnn_step(self, inputs_encoded, prev_state):
    """Runs the recurrent network by one step: a hook.

    Args:
      inputs_encoded: A float Tensor `[batch, encoded_data_size]`.
      prev_state: The state after the previous step.

    Returns:
      rnn_out: A float Tensor `[batch, rnn_hidden_size]`.
      rnn_state: The network's new state.
    """
    raise NotImplementedError

  def _latent_context(self, rnn_out, prev_latent_encoded):
    """What the prior and the proposal of z_t are conditioned on: a hook.

    Args:
      rnn_out: A float Tensor `[batch, rnn_hidden_size]`.
      prev_latent_encoded: A float Tensor `[batch, encoded_latent_size]`.

    Returns:
      A tuple of Tensors.
    """
    raise NotImplementedError

  def _prior(self, rnn_out, prev_latent_encoded):
    return self.transition(
        *self._latent_context(rnn_out, prev_latent_encoded))


def _output_size(encoder):
  """The size of an encoder's output; Sonnet's MLP has a list of sizes."""
  if hasattr(encoder, "output_size"):
    return encoder.output_size
  return list(encoder.output_sizes)[-1]
