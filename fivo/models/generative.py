"""The generative part of the VRNN and the SRNN, which suffices to sample.

The notation, and what it takes to train, are in `recurrent.py`.
"""

import contextlib

import tensorflow as tf

from fivo.system import errors


def check_samples(model, needed_by):
  """Refuses a model that cannot draw observations.

  Args:
    model: An `ELBOTrainableSequenceModel`.
    needed_by: What needs its `sample_step`, for the message.

  Raises:
    UserError: If it has no `sample_step`.
  """
  if not hasattr(model, "sample_step"):
    raise errors.UserError("model %s: has no sample_step, which %s needs" % (
        type(model).__name__, needed_by))


class RecurrentModel(object):
  """The generative part of a recurrent latent variable model.

  Attributes:
    rnn_cell, data_encoder, latent_encoder, random_seed: As given to the
      constructor.
    state_size: The size of the recurrent network's state.
    encoded_z_size: The size of an encoded latent.
  """

  # The namedtuple of a state of sampling: `rnn_state` and `latent_encoded`.
  sampling_state_class = None

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
    self.random_seed = random_seed
    self.state_size = rnn_cell.state_size
    self.encoded_z_size = _output_size(latent_encoder)
    self._transition = transition
    self._emission = emission
    self._known_encoding = (None, None)

  def zero_state(self, batch_size, dtype):
    """The state before the first timestep: zeros.

    Args:
      batch_size: The number of rows, an int or scalar Tensor.
      dtype: A float dtype.

    Returns:
      A `sampling_state_class` of Tensors `[batch_size, ...]`.
    """
    return self.sampling_state_class(
        rnn_state=self.rnn_cell.zero_state(batch_size, dtype),
        latent_encoded=tf.zeros([batch_size, self.encoded_z_size], dtype))

  def emission(self, latent, rnn_out):
    """p(x_t | z'_t, h_t).

    Args:
      latent: z_t, a float Tensor `[batch, latent_size]`.
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.

    Returns:
      The distribution of x_t, and z'_t, `[batch, encoded_z_size]`.
    """
    latent_encoded = self.latent_encoder(latent)
    return self._emission(latent_encoded, rnn_out), latent_encoded

  def sample_step(self, prev_state, inputs, unused_t):
    """Draws one timestep from the model.

    Args:
      prev_state: The state after the previous step, a `sampling_state_class` or
        a trainable model's `state_class`.
      inputs: A float Tensor `[batch, data_size]`: the previous observation,
        centred as the model's inputs were in training.
      unused_t: The timestep.

    Returns:
      new_state: The state after this step, of the same class.
      x_t: A float Tensor `[batch, data_size]`, the observation drawn.
    """
    rnn_out, rnn_state, p_zt = self._look_back(prev_state, inputs)
    p_xt, latent_encoded = self.emission(
        p_zt.sample(seed=self.random_seed), rnn_out)
    x_t = tf.cast(p_xt.sample(seed=self.random_seed), inputs.dtype)
    new_state = prev_state._replace(
        rnn_state=rnn_state, latent_encoded=latent_encoded)
    if hasattr(prev_state, "rnn_out"):
      new_state = new_state._replace(rnn_out=rnn_out)
    return new_state, x_t

  def sampling_state(self, state):
    """The part of a state that `sample_step` goes on from."""
    return self.sampling_state_class(state.rnn_state, state.latent_encoded)

  def encode(self, inputs):
    """e(x); for the step under way this has been computed before the loop.

    Args:
      inputs: A float Tensor `[batch, data_size]`.

    Returns:
      A float Tensor `[batch, encoded_data_size]`.
    """
    known, encoded = self._known_encoding
    return encoded if inputs is known else self.data_encoder(inputs)

  @contextlib.contextmanager
  def knowing(self, inputs, encoded):
    """Lets `encode` give an encoding that is known while the block runs."""
    self._known_encoding = (inputs, encoded)
    try:
      yield
    finally:
      self._known_encoding = (None, None)

  def _look_back(self, prev_state, inputs):
    """What the past says of a step: a hook.

    Args:
      prev_state: The state after the previous step.
      inputs: A float Tensor `[batch, data_size]`, x_{t-1}.

    Returns:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      rnn_state: The network's new state.
      prior: The prior of z_t.
    """
    raise NotImplementedError


def overrides(model, owner, *names):
  """Tells if a model has methods in place of those of a class.

  Args:
    model: An object of a subclass of `owner`.
    owner: A class.
    *names: The names of methods of `owner`.

  Returns:
    True if the model's class, or the model itself, has another of one of them.
  """
  return any(name in vars(model) or
             getattr(type(model), name) is not getattr(owner, name)
             for name in names)


def unique_scope(name):
  """Makes a variable scope that no other model in the graph shares.

  Args:
    name: The scope's name; a number is appended if it is taken.

  Returns:
    A variable scope, to be entered as often as needed.
  """
  with tf.compat.v1.variable_scope(None, default_name=name) as scope:
    return scope


def _output_size(encoder):
  """The size of an encoder's output; Sonnet's MLP has a list of sizes."""
  if hasattr(encoder, "output_size"):
    return encoder.output_size
  return list(encoder.output_sizes)[-1]
