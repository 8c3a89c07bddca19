"""The interface of models, and the conditional distributions they share."""

import abc
import contextlib

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.models import autoregressive
from fivo.models import distributions
from fivo.models import mlp
from fivo.models import nonstationary

# For the layers of a VRNN or SRNN.
DEFAULT_INITIALIZERS = {
    "w": tf.compat.v1.glorot_uniform_initializer(),
    "b": tf.compat.v1.zeros_initializer()
}

ConditionalAutoregressiveDistribution = (
    autoregressive.ConditionalAutoregressiveDistribution)
NonstationaryLinearDistribution = nonstationary.NonstationaryLinearDistribution


class ELBOTrainableSequenceModel(abc.ABC):
  """A sequence model and its proposal, as the bounds see them.

  Subclass this to train your own model. A model processes a batch of rows, one
  timestep at a time. A step knows nothing of particles: to it N particles of B
  sequences are a batch of N*B rows, in the layout drawn in `fivo/smc.py`.

  A model that also has `log_twist(state, t)`, see `twists.py`, works with the
  bound SIXO; one with `sample_step(state, inputs, t)` can be sampled from.
  Optional, to weigh the emissions of all steps at once as `recurrent.py` does:
  `weighs_emissions_later`, `emission_log_probs(states)`, and `weigh_emission`,
  an argument of `propose_and_weight`.

  Attributes:
    dtype: The float dtype that `zero_state` is given.
    observations: The nested Tensors given to `set_observations`.
    observations_ta: The same as nested TensorArrays, one entry per timestep,
      which may be read more than once.
    seq_lengths: An int32 Tensor `[batch_size]`.
    max_seq_len: A scalar int32 Tensor, the length of the longest sequence.
  """

  dtype = tf.float32

  @abc.abstractmethod
  def zero_state(self, batch_size, dtype):
    """The state before the first timestep, nested Tensors `[batch_size, ...]`.

    Args:
      batch_size: The number of rows, an int or scalar Tensor.
      dtype: A float dtype, the attribute `dtype`.
    """

  def set_observations(self, observations, seq_lengths):
    """Sets the observations that `propose_and_weight` conditions on.

    Args:
      observations: Nested Tensors `[T, batch_size, ...]`.
      seq_lengths: An int Tensor `[batch_size]`.
    """
    self.observations = nested.map_nested(tf.convert_to_tensor, observations)
    self.seq_lengths = tf.cast(seq_lengths, tf.int32)
    self.max_seq_len = tf.reduce_max(self.seq_lengths)
    self.observations_ta = nested.map_nested(
        lambda x: ta_for_tensor(x, clear_after_read=False), self.observations)

  @abc.abstractmethod
  def propose_and_weight(self, state, t):
    """Draws the latent of step t and weighs it.

    Args:
      state: The state after step t - 1, in the structure of `zero_state`.
      t: A scalar int32 Tensor, the timestep, from 0.

    Returns:
      log_weights: A float Tensor `[batch_size]`, in nats:
        log p(z_t, x_t | past) - log q(z_t | past, observations).
      new_state: The state after step t.
    """

  def draw(self, distribution, seed=None):
    """Samples a proposal; returns the sample and its log density, in nats.

    Compiled bounds and doubly reparameterized gradients replace this method.
    """
    return distributions.sample_with_log_prob(distribution, seed)

  def set_tiled_observations(self, observations, seq_lengths, num_particles):
    """Sets observations `[T, B, ...]` for N particles of each sequence.

    The default tiles them and calls `set_observations`. A model may override
    this to tile what it computes from the observations instead.
    """
    self.set_observations(
        nested.tile_tensors(observations, [1, num_particles]),
        tf.tile(seq_lengths, [num_particles]))


def set_particle_observations(model, observations, seq_lengths, num_particles):
  """Calls `set_tiled_observations`, which a user's model may lack."""
  if hasattr(model, "set_tiled_observations"):
    model.set_tiled_observations(observations, seq_lengths, num_particles)
  else:
    ELBOTrainableSequenceModel.set_tiled_observations(
        model, observations, seq_lengths, num_particles)


@contextlib.contextmanager
def replaced_draw(model, draw):
  """Replaces a model's method `draw` while the block runs."""
  previous = vars(model).get("draw")
  model.draw = draw
  try:
    yield
  finally:
    del model.draw
    if previous is not None:
      model.draw = previous


class ConditionalNormalDistribution(object):
  """A diagonal Normal with mean and scale from an MLP, `fcnet`."""

  def __init__(self, size, hidden_layer_sizes, sigma_min=0.0,
               raw_sigma_bias=0.25, hidden_activation_fn=tf.nn.relu,
               initializers=None, name="conditional_normal_distribution"):
    """Creates the distribution; the first call creates its variables.

    Args:
      size: The dimension of the random variable.
      hidden_layer_sizes: The sizes of the MLP's hidden layers.
      sigma_min: The smallest scale, a float or scalar Tensor.
      raw_sigma_bias: Added to the MLP's raw scale before the softplus, to keep
        the scale away from zero at the start.
      hidden_activation_fn: The hidden layers' activation.
      initializers: None, or a dict with initializers for "w" and "b".
      name: The MLP is named `name + "_fcnet"`.
    """
    self.size = size
    self.sigma_min = sigma_min
    self.raw_sigma_bias = raw_sigma_bias
    self.name = name
    self.fcnet = mlp.MLP(
        list(hidden_layer_sizes) + [2 * size], hidden_activation_fn,
        initializers, name=name + "_fcnet")

  def condition(self, tensor_list, **unused_kwargs):
    """The parameters given Tensors `[batch, ...]`, concatenated on axis 1.

    These are mu and sigma, `[batch, size]`: the halves of the MLP's output, the
    second mapped to max(softplus(raw + raw_sigma_bias), sigma_min).
    """
    outputs = self.fcnet(_concat(tensor_list))
    mu, raw_sigma = tf.split(outputs, 2, axis=1)
    sigma = tf.nn.softplus(raw_sigma + self.raw_sigma_bias)
    if tf.is_tensor(self.sigma_min) or self.sigma_min:
      sigma = tf.maximum(sigma, self.sigma_min)
    return mu, sigma

  def __call__(self, *args, **kwargs):
    """The Normal `[batch, size]` given Tensors, see `condition`."""
    mu, sigma = self.condition(args, **kwargs)
    return distributions.Normal(loc=mu, scale=sigma)


class ConditionalBernoulliDistribution(object):
  """Independent Bernoullis with logits from an MLP, `fcnet`."""

  def __init__(self, size, hidden_layer_sizes, hidden_activation_fn=tf.nn.relu,
               initializers=None, bias_init=0.0,
               name="conditional_bernoulli_distribution"):
    """Creates the distribution; see `ConditionalNormalDistribution`.

    `bias_init`, a float, or a float Tensor or array `[size]`, is added to the
    MLP's output.
    """
    self.size = size
    self.bias_init = bias_init
    self.fcnet = mlp.MLP(
        list(hidden_layer_sizes) + [size], hidden_activation_fn, initializers,
        name=name + "_fcnet")

  def condition(self, tensor_list):
    """The logits `[batch, size]` given Tensors, concatenated on axis 1."""
    return self.fcnet(_concat(tensor_list)) + self.bias_init

  def __call__(self, *args):
    """The Bernoulli `[batch, size]` given Tensors, see `condition`."""
    return distributions.Bernoulli(logits=self.condition(args))


class NormalApproximatePosterior(ConditionalNormalDistribution):
  """A Normal proposal whose MLP corrects the mean of the prior ("res_q")."""

  def __init__(self, size, hidden_layer_sizes, sigma_min=0.0,
               raw_sigma_bias=0.25, hidden_activation_fn=tf.nn.relu,
               initializers=None, smoothing=False,
               name="conditional_normal_distribution"):
    """As the base class; if `smoothing`, calls take `smoothing_tensors`."""
    super(NormalApproximatePosterior, self).__init__(
        size, hidden_layer_sizes, sigma_min, raw_sigma_bias,
        hidden_activation_fn, initializers, name)
    self.smoothing = smoothing

  def condition(self, tensor_list, prior_mu, smoothing_tensors=None):
    """The mean and scale, `[batch, size]`, given Tensors and `prior_mu`.

    `smoothing_tensors`, used if smoothing, summarize future observations.
    """
    tensors = list(tensor_list)
    if self.smoothing:
      tensors.extend(smoothing_tensors)
    mu, sigma = super(NormalApproximatePosterior, self).condition(tensors)
    return mu + prior_mu, sigma


def encode_all(inputs, encoder):
  """Encodes `[T, batch, size]` in one call of an encoder of `[rows, size]`."""
  leading = [tf.compat.dimension_value(static) or dynamic
             for static, dynamic in zip(
                 inputs.shape[:2], tf.unstack(tf.shape(inputs)[:2]))]
  encoded = encoder(tf.reshape(inputs, [-1, inputs.shape[2]]))
  return tf.reshape(encoded, leading + [encoded.shape[1]])


def ta_for_tensor(x, **kwargs):
  """Unstacks a Tensor `[T, ...]` into a TensorArray with given options."""
  kwargs.setdefault("element_shape", x.shape[1:])
  array = tf.TensorArray(x.dtype, tf.shape(x)[0], **kwargs).unstack(x)
  array.mark_used()  # Some models create arrays that not every step reads.
  return array


def zero_padding(x, seq_lengths):
  """Zeros a Tensor `[T, B, ...]` past the end of each sequence.

  The filter ignores those steps, but a NaN there would still reach the
  gradient, as 0 * NaN. If `seq_lengths` is None there is no padding.
  """
  if seq_lengths is None:
    return x
  in_sequence = tf.transpose(tf.sequence_mask(seq_lengths, tf.shape(x)[0]))
  for _ in x.shape[2:]:
    in_sequence = in_sequence[..., tf.newaxis]
  zeroed = tf.compat.v2.where(in_sequence, x, tf.zeros([], x.dtype))
  zeroed.set_shape(x.shape)
  return zeroed


def _concat(tensor_list):
  """Concatenates Tensors `[batch, ...]` on axis 1; a single one as it is."""
  tensors = list(tensor_list)
  return tensors[0] if len(tensors) == 1 else tf.concat(tensors, axis=1)
