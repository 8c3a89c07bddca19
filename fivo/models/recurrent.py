"""Parts shared by the VRNN and the SRNN.

The models and each of their steps are described in `vrnn.py` and `srnn.py`.
Both pair a recurrent network with a latent at every timestep. In the equations
of these modules

    x_t   is an observation, `targets[t]`; `inputs[t]` is x_{t-1}, centred,
    e     the encoder of observations, `data_encoder`,
    z_t   a latent, and z'_t its encoding, `latent_encoder(z_t)`,
    h_t   the recurrent network's output, `rnn_out`: its memory of the past,
    s_t   the reverse network's output: a summary of x_t and all that follows.

A tilt, for the bound FIVO-AUX, predicts the next observation: it adds to log
incremental weights

    log r(x_{t+1} | h_t, z'_t) - log r(x_t | h_{t-1}, z'_{t-1}).

These cancel along a trajectory, since r is one before the first step and at
each sequence's last, but resampling in between looks one step ahead. A twist,
for the bound SIXO, is an MLP of h_t, z'_t and a summary of x_{t+1:T} by another
reverse network, see `twists.py`.

Whatever depends on the observations alone is computed before the particle
filter's loop, for all timesteps at once, and once per sequence rather than per
particle. A filter that never resamples weighs emissions after its loop. Even
so, methods that a subclass overrides are the ones that run, in every bound.
"""

import tensorflow as tf

from fivo.models import base


class RecurrentModel(object):
  """The generative part of a VRNN or an SRNN."""

  # Namedtuples: a state, and the state that `sample_step` takes and returns.
  state_class = sampling_state_class = None

  def __init__(self, rnn_cell, data_encoder, latent_encoder, transition,
               emission, random_seed=None):
    """Creates a model.

    Args:
      rnn_cell: An RNNCell.
      data_encoder: A callable that encodes observations `[batch, data_size]`.
      latent_encoder: A callable that encodes latents; it has `output_size`.
      transition: A callable of h_t, and of z'_{t-1} in the SRNN, that gives
        the prior of z_t, a Normal.
      emission: A callable of z'_t and h_t that gives the distribution of x_t.
      random_seed: The op seed of all samples, or None.
    """
    self.rnn_cell = rnn_cell
    self.data_encoder = data_encoder
    self.latent_encoder = latent_encoder
    self.random_seed = random_seed
    self.state_size = rnn_cell.state_size
    self.encoded_z_size = (
        latent_encoder.output_size if hasattr(latent_encoder, "output_size")
        else list(latent_encoder.output_sizes)[-1])  # Of Sonnet's MLP.
    self._transition = transition
    self._emission = emission

  def zero_state(self, batch_size, dtype):
    """The state before the first timestep: zeros `[batch_size, ...]`."""
    zeros = [
        self.rnn_cell.zero_state(batch_size, dtype),
        tf.zeros([batch_size, self.encoded_z_size], dtype),
        tf.zeros([batch_size, self.rnn_cell.output_size], dtype)]
    return self.state_class(*zeros[:len(self.state_class._fields)])

  def emission(self, latent, rnn_out):
    """p(x_t | z'_t, h_t), and z'_t `[batch, encoded_z_size]`.

    The latent is z_t, `[batch, latent_size]`; `rnn_out` is h_t,
    `[batch, rnn_hidden_size]`.
    """
    latent_encoded = self.latent_encoder(latent)
    return self.decode(latent_encoded, rnn_out), latent_encoded

  def decode(self, latent_encoded, rnn_out):
    """p(x_t | z'_t, h_t) given the encoded latent z'_t."""
    return self._emission(latent_encoded, rnn_out)

  def sampling_state(self, state):
    """The part of a filter's state that `sample_step` continues from."""
    return self.sampling_state_class(state.rnn_state, state.latent_encoded)


class TrainableRecurrentModel(RecurrentModel,
                              base.ELBOTrainableSequenceModel):
  """Adds what training needs: a proposal, and optionally a tilt or twist.

  Observations are a pair `(inputs, targets)` of float Tensors
  `[T, B, data_size]`: targets are the sequence, inputs the same, centred and
  shifted one step later. Steps past a sequence's end are ignored, whatever they
  hold.

  Attributes:
    kl_weight: None, or a scalar that multiplies the log ratio of prior and
      proposal in the weights, see `objectives.warm_up`.
    targets_ta, targets_encoded_ta: TensorArrays of x_t and e(x_t), created by
      `set_observations`; if smoothing, so is `reverse_rnn_ta`, of s_t.
  """

  kl_weight = None
  # The reverse network's variable scope, unless an earlier model has taken it.
  rev_rnn_scope_name = "rnn"

  def __init__(self, rnn_cell, data_encoder, latent_encoder, transition,
               emission, proposal_type, proposal=None, rev_rnn_cell=None,
               tilt=None, random_seed=None, twist=None, twist_rnn_cell=None):
    """Creates a trainable model; for some arguments see `RecurrentModel`.

    The proposal type is "prior"; or "filtering" or "smoothing", which need a
    proposal, a `NormalApproximatePosterior`. `rev_rnn_cell`, for smoothing, and
    `twist_rnn_cell` read the observations backwards. The tilt is None, or gives
    a distribution of x_{t+1}. The twist is None, or maps rows of h_t, z'_t and
    the output of its cell to log r, `[batch, 1]`.
    """
    super(TrainableRecurrentModel, self).__init__(
        rnn_cell, data_encoder, latent_encoder, transition, emission,
        random_seed=random_seed)
    assert proposal_type in ("prior", "filtering", "smoothing"), proposal_type
    self.proposal_type = proposal_type
    self.rev_rnn_cell = rev_rnn_cell
    self._proposal = proposal
    self._tilt = tilt
    if proposal_type == "smoothing":
      self._rev_rnn_scope = unique_scope(self.rev_rnn_scope_name)
    self._twist = twist
    self._twist_rnn_cell = twist_rnn_cell
    if twist is not None:
      self._twist_rnn_scope = unique_scope("twist_rnn")

  @property
  def latent_size(self):
    """The dimension of a latent."""
    return self._transition.size

  def set_tiled_observations(self, observations, seq_lengths, num_particles):
    """Tiles encoded observations, unless a subclass has its own encoding."""
    if overrides(self, "set_observations"):
      super(TrainableRecurrentModel, self).set_tiled_observations(
          observations, seq_lengths, num_particles)
    else:
      self.set_observations(observations, seq_lengths, num_particles)

  def encode(self, observations, seq_lengths, num_particles):
    """Keeps the targets, and encodes inputs and targets with zeroed padding.

    For arguments see `set_observations`. Returns the inputs, the encoded inputs
    and the encoded targets, `[T, B, size]`.
    """
    seq_lengths = tf.cast(seq_lengths, tf.int32)
    inputs, targets = [
        base.zero_padding(x, seq_lengths) for x in observations]
    self.dtype = targets.dtype
    self.seq_lengths = tf.tile(seq_lengths, [num_particles])
    self.max_seq_len = tf.reduce_max(seq_lengths)
    inputs_encoded = base.encode_all(inputs, self.data_encoder)
    targets_encoded = base.encode_all(targets, self.data_encoder)
    self._targets = tf.tile(targets, [1, num_particles, 1])
    self.targets_ta = tiled_ta(targets, num_particles)
    self.targets_encoded_ta = tiled_ta(targets_encoded, num_particles)
    return inputs, inputs_encoded, targets_encoded

  def summarize(self, reverse_inputs, targets_encoded, seq_lengths,
                num_particles):
    """Runs the reverse networks of proposal and twist over `[T, B, size]`."""
    if self.proposal_type == "smoothing":
      self.reverse_rnn_ta = tiled_ta(read_backwards(
          self.rev_rnn_cell, reverse_inputs, seq_lengths,
          self._rev_rnn_scope), num_particles)
    if self._twist is not None:
      self._twist_rnn_ta = tiled_ta(read_backwards(
          self._twist_rnn_cell, targets_encoded, seq_lengths,
          self._twist_rnn_scope), num_particles)

  def tilt(self, rnn_out, latent_encoded, targets):
    """log r(x_{t+1} | h_t, z'_t) of the tilt, `[batch]`, in nats."""
    return log_prob(self._tilt(rnn_out, latent_encoded), targets)

  def log_twist(self, state, t):
    """log r(x_{t+1:T} | h_t, z'_t) of the state after step t, in nats."""
    # An RNN cell's output, h_t, is the last part of its state.
    rnn_out = tf.nest.flatten(state.rnn_state)[-1]
    future = self._twist_rnn_ta.read(tf.minimum(t + 1, self.max_seq_len - 1))
    return self._twist(tf.concat(
        [rnn_out, state.latent_encoded, future], axis=1))[:, 0]

  @property
  def weighs_emissions_later(self):
    """True if emissions may be weighed after a filter's loop."""
    return self._tilt is None and not overrides(
        self, "propose_and_weight", "emission")

  def emission_log_probs(self, states):
    """log p(x_t | .) given states `[steps, batch, ...]` of the first steps."""
    leading = tf.shape(states.rnn_out)[:2]
    targets, *inputs = [
        tf.reshape(x, [-1, x.shape[2]]) for x in (
            self._targets[:leading[0]], states.latent_encoded, states.rnn_out)]
    return tf.reshape(log_prob(self.decode(*inputs), targets), leading)


def overrides(model, *names):
  """True if a subclass, or the instance, overrides one of these methods."""
  owner = next(cls for cls in type(model).__mro__
               if TrainableRecurrentModel in cls.__bases__)
  return any(name in vars(model) or
             getattr(type(model), name) != getattr(owner, name)
             for name in names)


def log_ratio(model, prior, latent, log_q):
  """log p(z_t | .) - log q(z_t | .), `[batch]`, times the model's `kl_weight`.

  It is exactly zero where the proposal is the prior.
  """
  if model.proposal_type == "prior" and not overrides(
      model, "proposal", "draw"):
    return tf.zeros_like(latent[:, 0])
  log_ratios = tf.reduce_sum(prior.log_prob(latent) - log_q, axis=-1)
  return (log_ratios if model.kl_weight is None
          else log_ratios * model.kl_weight)


def log_tilt(model, state, t):
  """log r after step t, `[batch]`, zero at t = -1 and each sequence's end."""
  log_r = model.tilt(
      state.rnn_out, state.latent_encoded,
      model.targets_ta.read(tf.minimum(t + 1, model.max_seq_len - 1)))
  has_next = tf.logical_and(t >= 0, t + 1 < model.seq_lengths)
  return tf.compat.v1.where(has_next, log_r, tf.zeros_like(log_r))


def log_prob(distribution, x):
  """The log probability of rows of independent dimensions, `[batch]`."""
  return tf.reduce_sum(distribution.log_prob(x), axis=-1)


def read_backwards(rnn_cell, inputs, seq_lengths, scope):
  """Summaries `[T, B, rnn_hidden_size]` of the inputs from each step on."""
  reversed_inputs = tf.reverse_sequence(
      inputs, seq_lengths, seq_axis=0, batch_axis=1)
  outputs, _ = tf.compat.v1.nn.dynamic_rnn(
      rnn_cell, reversed_inputs, dtype=inputs.dtype, time_major=True,
      scope=scope)
  return tf.reverse_sequence(outputs, seq_lengths, seq_axis=0, batch_axis=1)


def tiled_ta(x, num_particles):
  """A TensorArray of a Tensor `[T, B, size]`, tiled for N particles."""
  return base.ta_for_tensor(
      tf.tile(x, [1, num_particles, 1]), clear_after_read=False)


def unique_scope(name):
  """Creates a variable scope that no other model in the graph shares."""
  with tf.compat.v1.variable_scope(None, default_name=name) as scope:
    return scope
