"""The VRNN and the SRNN: what they share of notation, proposal and weights.

`vrnn.py` and `srnn.py` say what each model is. Both pair a recurrent network
with a latent at every timestep. In what follows

    x_t   is an observation, `targets[t]`; `inputs[t]` is x_{t-1}, centred,
    e     the encoder of observations, `data_encoder`,
    z_t   a latent, and z'_t its encoding, `latent_encoder(z_t)`,
    h_t   the recurrent network's output, `rnn_out`: its memory of the past,
    s_t   the reverse network's output: a summary of x_t and all that follows.

The parts that are here, of both:

    emission           p(x_t | z'_t, h_t)
    tilt, if any       r(x_{t+1} | h_t, z'_t), a guess at what comes next
    incremental weight alpha_t = p(z_t | .) p(x_t | .) / q(z_t | .); with a tilt
                       times r(x_{t+1} | h_t, z'_t) / r(x_t | h_{t-1}, z'_{t-1})

The tilt's ratios cancel along a trajectory, r being one before the first step
and at each sequence's last, but resampling in between looks one step ahead.
A twist, for the bound SIXO, looks at all that is to come: an MLP of h_t, z'_t
and what a reverse network of its own has read of x_{t+1:T}, see `twists.py`.

A method that a subclass overrides is what runs, in every bound. What depends on
the observations alone is nonetheless computed before the particle filter's
loop, for all timesteps at once, and for each sequence rather than each
particle.
"""

import tensorflow as tf

from fivo.models import base
from fivo.models import generative
from fivo.system import errors

PROPOSAL_TYPES = ("prior", "filtering", "smoothing")


class TrainableRecurrentModel(generative.RecurrentModel,
                              base.ELBOTrainableSequenceModel):
  """A recurrent model with a proposal, and maybe a tilt or a twist.

  Its observations are a pair `(inputs, targets)` of float Tensors
  `[T, B, data_size]`: targets are the sequence, inputs the same, centred and
  one step later. Steps past a sequence's end are ignored, whatever they hold.

  Attributes:
    proposal_type: As given to the constructor.
    targets_ta, targets_encoded_ta: TensorArrays of x_t and e(x_t), which
      `set_observations` makes; with smoothing also `reverse_rnn_ta`, of s_t.
  """

  # The namedtuple of a state: `rnn_state`, `latent_encoded` and `rnn_out`.
  state_class = None
  # The gradient of TensorArrays that nobody has read is known only where their
  # shapes are.
  needs_a_timestep = True
  # None, or a scalar that the log ratio of prior and proposal is multiplied by
  # in the weights: training warms up by it, see `objectives.warm_up`.
  kl_weight = None
  # The reverse network's variable scope, where no model before it has taken it.
  rev_rnn_scope_name = "rnn"

  def __init__(self, rnn_cell, data_encoder, latent_encoder, transition,
               emission, proposal_type, proposal=None, rev_rnn_cell=None,
               tilt=None, random_seed=None, twist=None, twist_rnn_cell=None):
    """Creates a trainable model.

    Args:
      rnn_cell: An RNNCell.
      data_encoder: A callable that encodes observations `[batch, data_size]`.
      latent_encoder: A callable that encodes latents; it has `output_size`.
      transition: A callable that gives the prior of z_t.
      emission: A callable that gives the distribution of x_t.
      proposal_type: "prior", "filtering" or "smoothing".
      proposal: A `NormalApproximatePosterior`; not needed for "prior".
      rev_rnn_cell: An RNNCell that reads the observations backwards; needed for
        "smoothing".
      tilt: None, or a callable that gives a distribution of x_{t+1}.
      random_seed: The op seed of all samples, or None.
      twist: None, or a callable that maps h_t, z'_t and the reverse network's
        output, side by side in a row, to log r, `[batch, 1]`.
      twist_rnn_cell: An RNNCell that reads the observations backwards for the
        twist.

    Raises:
      UserError: If the proposal's type is unknown or lacks its parts.
    """
    super(TrainableRecurrentModel, self).__init__(
        rnn_cell, data_encoder, latent_encoder, transition, emission,
        random_seed=random_seed)
    if proposal_type not in PROPOSAL_TYPES:
      raise errors.UserError("proposal_type=%s: must be one of %s" % (
          proposal_type, ", ".join(PROPOSAL_TYPES)))
    if proposal_type != "prior" and proposal is None:
      raise errors.UserError(
          "proposal=None: proposal_type=%s needs one" % proposal_type)
    if proposal_type == "smoothing" and rev_rnn_cell is None:
      raise errors.UserError(
          "rev_rnn_cell=None: proposal_type=smoothing needs one")
    self.proposal_type = proposal_type
    self.rev_rnn_cell = rev_rnn_cell
    self._proposal = proposal
    self._tilt = tilt
    self._rev_rnn_scope = None
    if proposal_type == "smoothing":
      self._rev_rnn_scope = generative.unique_scope(self.rev_rnn_scope_name)
    self._twist = twist
    self._twist_rnn_cell = twist_rnn_cell
    if twist is not None:
      self._twist_rnn_scope = generative.unique_scope("twist_rnn")
    self._targets = None

  @property
  def latent_size(self):
    """The dimension of a latent."""
    return self._transition.size

  def zero_state(self, batch_size, dtype):
    """The state before the first timestep: a `state_class` of zeros."""
    return self.state_class(
        *super(TrainableRecurrentModel, self).zero_state(batch_size, dtype),
        rnn_out=tf.zeros([batch_size, self.rnn_cell.output_size], dtype))

  def set_observations(self, observations, seq_lengths):
    """Encodes the observations of every row.

    Args:
      observations: A pair `(inputs, targets)`, `[T, batch, data_size]` each.
      seq_lengths: An int Tensor `[batch]`.
    """
    self._encode_observations(observations, seq_lengths, 1)

  def set_tiled_observations(self, observations, seq_lengths, num_particles):
    """Encodes the observations of B sequences, for N particles of each.

    Args:
      observations: A pair `(inputs, targets)`, `[T, B, data_size]` each.
      seq_lengths: An int Tensor `[B]`.
      num_particles: N.
    """
    if generative.overrides(self, TrainableRecurrentModel, "set_observations"):
      super(TrainableRecurrentModel, self).set_tiled_observations(
          observations, seq_lengths, num_particles)
    else:
      self._encode_observations(observations, seq_lengths, num_particles)

  def _encode_observations(self, observations, seq_lengths, num_particles):
    """As `set_tiled_observations`."""
    seq_lengths = tf.cast(seq_lengths, tf.int32)
    inputs, targets = [
        base.zero_padding(x, seq_lengths) for x in observations]
    self.dtype = targets.dtype
    self.seq_lengths = tf.tile(seq_lengths, [num_particles])
    self.max_seq_len = tf.reduce_max(seq_lengths)

    def tiled_ta(x):
      return base.ta_for_tensor(
          tf.tile(x, [1, num_particles, 1]), clear_after_read=False)

    read_backwards = self._set_inputs(
        inputs, base.encode_all(inputs, self.data_encoder), tiled_ta)
    targets_encoded = base.encode_all(targets, self.data_encoder)
    self._targets = tf.tile(targets, [1, num_particles, 1])
    self.targets_ta = tiled_ta(targets)
    self.targets_encoded_ta = tiled_ta(targets_encoded)
    if self.proposal_type == "smoothing":
      self.reverse_rnn_ta = tiled_ta(self._read_backwards(
          read_backwards + [targets_encoded], seq_lengths,
          self.rev_rnn_cell, self._rev_rnn_scope))
    if self._twist is not None:
      self._twist_rnn_ta = tiled_ta(self._read_backwards(
          [targets_encoded], seq_lengths,
          self._twist_rnn_cell, self._twist_rnn_scope))

  def _read_backwards(self, inputs, seq_lengths, rnn_cell, scope):
    """Runs a reverse network over each sequence, from its own end.

    Args:
      inputs: A list of float Tensors `[T, B, size]`.
      seq_lengths: An int Tensor `[B]`.
      rnn_cell: An RNNCell.
      scope: Its variable scope.

    Returns:
      A float Tensor `[T, B, rnn_hidden_size]`: entry t has read steps t and
      later.
    """
    reversed_inputs = tf.reverse_sequence(
        tf.concat(inputs, axis=2), seq_lengths, seq_axis=0, batch_axis=1)
    outputs, _ = tf.compat.v1.nn.dynamic_rnn(
        rnn_cell, reversed_inputs, dtype=reversed_inputs.dtype,
        time_major=True, scope=scope)
    return tf.reverse_sequence(outputs, seq_lengths, seq_axis=0, batch_axis=1)

  def tilt(self, rnn_out, latent_encoded, targets):
    """log r(x_{t+1} | h_t, z'_t) of a model that has been built with a tilt.

    Args:
      rnn_out: h_t, a float Tensor `[batch, rnn_hidden_size]`.
      latent_encoded: z'_t, a float Tensor `[batch, encoded_z_size]`.
      targets: x_{t+1}, a float Tensor `[batch, data_size]`.

    Returns:
      A float Tensor `[batch]`, in nats.
    """
    return log_prob(self._tilt(rnn_out, latent_encoded), targets)

  def log_twist(self, state, t):
    """log r(x_{t+1:T} | h_t, z'_t) of a model with a twist.

    Args:
      state: The state after step t.
      t: A scalar int32 Tensor.

    Returns:
      A float Tensor `[batch]`, in nats.

    Raises:
      UserError: If the model has been built without a twist.
    """
    if self._twist is None:
      raise errors.UserError(
          "use_twist=False: the bound sixo needs a model with a twist")
    to_come = self._twist_rnn_ta.read(tf.minimum(t + 1, self.max_seq_len - 1))
    return self._twist(tf.concat(
        [state.rnn_out, state.latent_encoded, to_come], axis=1))[:, 0]

  def propose_and_weight(self, state, t):
    """Draws z_t from the proposal and weighs it: log alpha_t, see above.

    Args:
      state: The state after step t - 1.
      t: A scalar int32 Tensor.

    Returns:
      log_weights: A float Tensor `[batch]`, in nats.
      new_state: The state after step t.
    """
    latent, log_ratio, rnn_out, rnn_state = self._propose(state, t)
    p_xt, latent_encoded = self.emission(latent, rnn_out)
    log_weights = log_ratio + log_prob(p_xt, self.targets_ta.read(t))
    new_state = self.state_class(rnn_state, latent_encoded, rnn_out)
    if self._tilt is not None:
      log_weights += self._log_tilt(new_state, t) - self._log_tilt(state, t - 1)
    return log_weights, new_state

  def _propose(self, state, t):
    """Draws z_t.

    Args:
      state: The state after step t - 1.
      t: A scalar int32 Tensor.

    Returns:
      latent: z_t, a float Tensor `[batch, latent_size]`.
      log_ratio: log p(z_t | .) - log q(z_t | .), a float Tensor `[batch]`,
        times `kl_weight` if there is one.
      rnn_out: h_t.
      rnn_state: The network's new state.
    """
    rnn_out, rnn_state, p_zt, q_zt = self._look_around(state, t)
    latent, log_q = self.draw(q_zt, self.random_seed)
    is_prior = q_zt is p_zt and not generative.overrides(
        self, base.ELBOTrainableSequenceModel, "draw")
    log_ratio = (tf.zeros_like(latent[:, 0]) if is_prior else
                 _sum_events(p_zt.log_prob(latent) - log_q))
    if self.kl_weight is not None:
      log_ratio *= self.kl_weight
    return latent, log_ratio, rnn_out, rnn_state

  def _log_tilt(self, state, t):
    """log r after step t, zero before the first step and at the last.

    Args:
      state: The state after step t.
      t: A scalar int32 Tensor, from -1.

    Returns:
      A float Tensor `[batch]`, in nats.
    """
    log_r = self.tilt(
        state.rnn_out, state.latent_encoded,
        self.targets_ta.read(tf.minimum(t + 1, self.max_seq_len - 1)))
    has_next = tf.logical_and(t >= 0, t + 1 < self.seq_lengths)
    return tf.compat.v1.where(has_next, log_r, tf.zeros_like(log_r))

  @property
  def weighs_emissions_later(self):
    """Tells if a filter that never resamples may call the methods below.

    They take the place of `propose_and_weight`, whose log weights are the sum
    of those of `propose` and `emission_log_probs`. Without this property, a
    model of your own does without the rest.
    """
    return self._tilt is None and not generative.overrides(
        self, TrainableRecurrentModel, "propose_and_weight", "emission")

  def propose(self, state, t):
    """As `propose_and_weight`, weighed by all but the emission."""
    latent, log_ratio, rnn_out, rnn_state = self._propose(state, t)
    return log_ratio, self.state_class(
        rnn_state, self.latent_encoder(latent), rnn_out)

  def emission_inputs(self, state):
    """What `emission_log_probs` needs of a state."""
    return state.latent_encoded, state.rnn_out

  def emission_log_probs(self, emission_inputs):
    """Computes log p(x_t | .) of several timesteps at once.

    Args:
      emission_inputs: What `emission_inputs` gave for the first timesteps,
        Tensors `[steps, batch, ...]`.

    Returns:
      A float Tensor `[steps, batch]`, in nats.
    """
    latents_encoded, rnn_outs = emission_inputs
    leading = tf.shape(rnn_outs)[:2]
    targets, *inputs = [
        tf.reshape(x, [-1, x.shape[2]])
        for x in (self._targets[:leading[0]], latents_encoded, rnn_outs)]
    return tf.reshape(log_prob(self._emission(*inputs), targets), leading)

  def _set_inputs(self, inputs, inputs_encoded, tiled_ta):
    """Keeps what the recurrent network reads, or has read: a hook.

    Args:
      inputs: A float Tensor `[T, B, data_size]`.
      inputs_encoded: A float Tensor `[T, B, encoded_data_size]`.
      tiled_ta: A callable that makes a TensorArray for N particles of a Tensor
        `[T, B, size]`.

    Returns:
      A list of Tensors `[T, B, size]` that the reverse network reads besides
      the encoded targets.
    """
    raise NotImplementedError

  def _look_around(self, state, t):
    """What is known of z_t: a hook.

    Args:
      state: The state after step t - 1.
      t: A scalar int32 Tensor.

    Returns:
      rnn_out, rnn_state, prior: As `_look_back` gives them.
      proposal: The proposal of z_t; the prior itself if it is that.
    """
    raise NotImplementedError


def log_prob(distribution, x):
  """The log probability of rows of independent dimensions, `[batch]`."""
  return _sum_events(distribution.log_prob(x))


def _sum_events(log_probs):
  return tf.reduce_sum(log_probs, axis=-1)
