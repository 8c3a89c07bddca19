"""Training the VRNN and the SRNN: what they share of a proposal and weights.

Everything that depends on the observations alone is computed for all timesteps
before the particle filter's loop, and for each sequence rather than each
particle.
"""

import collections
import functools

import tensorflow as tf

from fivo import nested_utils as nested
from fivo.compiled import loop_inputs
from fivo.models import base
from fivo.models import distributions
from fivo.models import generative
from fivo.system import errors

PROPOSAL_TYPES = ("prior", "filtering", "smoothing")

# What a step of the filter reads, Tensors [T, N*B, ...]: what drives the
# recurrent network, what the proposal knows of the observations (empty for the
# prior), the observations to explain, and standard Normal noise for the latents
# (empty where each step draws its own).
_Steps = collections.namedtuple(
    "_Steps", ("rnn", "proposal", "targets", "noise"))


class TrainableRecurrentModel(generative.RecurrentModel,
                              base.ELBOTrainableSequenceModel):
  """A recurrent latent variable model with a proposal, and maybe a tilt.

  Its observations are a pair `(inputs, targets)` of float Tensors
  `[T, B, data_size]`: targets are the sequence, inputs the same, centred and
  one step later. Steps past a sequence's end are ignored, whatever they hold.
  """

  # The reverse network's variable scope, where no model before it has taken it.
  rev_rnn_scope_name = "rnn"

  def __init__(self, rnn_cell, data_encoder, latent_encoder, transition,
               emission, proposal_type, proposal=None, rev_rnn_cell=None,
               tilt=None, random_seed=None):
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
    self.proposal = proposal
    self.rev_rnn_cell = rev_rnn_cell
    self.tilt = tilt
    self._rev_rnn_scope = None
    if proposal_type == "smoothing":
      self._rev_rnn_scope = unique_scope(self.rev_rnn_scope_name)
    self._steps = None
    self._seq_lengths = None
    self._max_seq_len = None

  def set_observations(self, observations, seq_lengths):
    """Encodes the observations of every row.

    Args:
      observations: A pair `(inputs, targets)`, `[T, batch, data_size]` each.
      seq_lengths: An int Tensor `[batch]`.
    """
    self.set_tiled_observations(observations, seq_lengths, 1)

  @property
  def latent_size(self):
    """The dimension of a latent."""
    return self.transition.size

  def set_tiled_observations(self, observations, seq_lengths, num_particles,
                             noise=None):
    """Encodes the observations of B sequences, for N particles of each.

    Args:
      observations: A pair `(inputs, targets)`, `[T, B, data_size]` each.
      seq_lengths: An int Tensor `[B]`.
      num_particles: N.
      noise: A float Tensor `[T, N*B, latent_size]` of standard Normal draws
        that make the latents; None: each step draws its own.
    """
    seq_lengths = tf.cast(seq_lengths, tf.int32)
    inputs, targets = [_zero_padding(x, seq_lengths) for x in observations]
    inputs_encoded = base.encode_all(inputs, self.data_encoder)
    rnn = self._rnn_steps(inputs_encoded)
    proposal = ()
    if self.proposal_type != "prior":
      proposal = base.encode_all(targets, self.data_encoder)
    if self.proposal_type == "smoothing":
      proposal = self._read_backwards(
          self._smoothing_inputs(rnn, proposal), seq_lengths)
    rnn, proposal, targets = nested.tile_tensors(
        (rnn, proposal, targets), [1, num_particles])
    given = functools.partial(loop_inputs.Series, needs_gradient=False)
    self._steps = _Steps(
        rnn=nested.map_nested(loop_inputs.Series, rnn),
        proposal=nested.map_nested(loop_inputs.Series, proposal),
        targets=given(targets),
        noise=() if noise is None else given(noise))
    self._seq_lengths = tf.tile(seq_lengths, [num_particles])
    self._max_seq_len = tf.reduce_max(seq_lengths)

  def propose_and_weight(self, state, t):
    """Draws z_t from the proposal and weighs it.

    The log weight is log p(z_t | .) + log p(x_t | .) - log q(z_t | .). A tilt
    r adds log r(x_{t+1} | h_t, z_t) - log r(x_t | h_{t-1}, z_{t-1}), which
    cancels along a trajectory but lets resampling look one step ahead.

    Args:
      state: The state after step t - 1.
      t: A scalar int32 Tensor.

    Returns:
      log_weights: A float Tensor `[batch]`, in nats.
      new_state: The state after step t.
    """
    log_ratio, new_state = self.propose(state, t)
    log_weights = log_ratio + _log_prob(
        self.emission(new_state.latent_encoded, new_state.rnn_out),
        self._steps.targets.read(t))
    if self.tilt is not None:
      log_weights += self._log_tilt(new_state, t) - self._log_tilt(state, t - 1)
    return log_weights, new_state

  def propose(self, state, t):
    """Draws z_t from the proposal and weighs it by all but the emission.

    Args:
      state: The state after step t - 1.
      t: A scalar int32 Tensor.

    Returns:
      log_ratio: A float Tensor `[batch]`, log p(z_t | .) - log q(z_t | .) in
        nats.
      new_state: The state after step t.
    """
    step = nested.read_tas(self._steps._replace(targets=()), t)
    rnn_out, rnn_state = self._advance_rnn(step.rnn, state)
    p_zt = self._prior(rnn_out, state.latent_encoded)
    if self.proposal_type == "prior":
      zt, _ = self._draw(p_zt, step.noise)
      log_ratio = tf.zeros_like(zt[:, 0])
    else:
      q_zt = self._propose(p_zt, rnn_out, state.latent_encoded, step.proposal)
      zt, log_q = self._draw(q_zt, step.noise)
      log_ratio = _sum_events(p_zt.log_prob(zt) - log_q)
    latent_encoded = self.latent_encoder(zt)
    return log_ratio, self._make_state(rnn_state, latent_encoded, rnn_out)

  @property
  def weighs_emissions_later(self):
    """Whether a filter that never resamples may call the three methods below.

    In place of `propose_and_weight`, whose log weights are the sum of those of
    `propose` and `emission_log_probs`. Without the first, a model of your own
    does without the rest.
    """
    return self.tilt is None

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
    targets = self._steps.targets.tensor
    latents_encoded, rnn_outs = emission_inputs
    leading = tf.shape(rnn_outs)[:2]
    targets, *inputs = [
        tf.reshape(x, [-1, x.shape[2]])
        for x in (targets[:leading[0]], latents_encoded, rnn_outs)]
    return tf.reshape(_log_prob(self.emission(*inputs), targets), leading)

  def _make_state(self, rnn_state, latent_encoded, rnn_out):
    return self.state_class(rnn_state, latent_encoded, rnn_out)

  def _draw(self, distribution, noise):
    """Draws the latents, of given noise where there is some."""
    if isinstance(noise, tf.Tensor):
      return distribution.transform_with_log_prob(noise)
    return distributions.sample_with_log_prob(distribution, self.random_seed)

  def _propose(self, p_zt, rnn_out, prev_latent_encoded, proposal_step):
    """The proposal of z_t.

    Args:
      p_zt: The prior, a Normal.
      rnn_out: A float Tensor `[batch, rnn_hidden_size]`.
      prev_latent_encoded: A float Tensor `[batch, encoded_latent_size]`.
      proposal_step: A float Tensor `[batch, ...]`: the encoded observation when
        filtering, a summary of it and all later ones when smoothing.

    Returns:
      A Normal distribution.
    """
    context = self._latent_context(rnn_out, prev_latent_encoded)
    if self.proposal_type == "smoothing":
      return self.proposal(*context, prior_mu=p_zt.mean(),
                           smoothing_tensors=[proposal_step])
    return self.proposal(*(context + (proposal_step,)), prior_mu=p_zt.mean())

  def _log_tilt(self, state, t):
    """log r(x_{t+1} | h_t, z'_t), zero before the first and at the last step.

    Args:
      state: The state after step t.
      t: A scalar int32 Tensor, from -1.

    Returns:
      A float Tensor `[batch]`, in nats.
    """
    next_targets = self._steps.targets.read(
        tf.minimum(t + 1, self._max_seq_len - 1))
    log_r = _log_prob(
        self.tilt(state.rnn_out, state.latent_encoded), next_targets)
    has_next = tf.logical_and(t >= 0, t + 1 < self._seq_lengths)
    return tf.compat.v1.where(has_next, log_r, tf.zeros_like(log_r))

  def _read_backwards(self, inputs, seq_lengths):
    """Runs the reverse network over each sequence, from its own end.

    Args:
      inputs: A float Tensor `[T, B, size]`.
      seq_lengths: An int Tensor `[B]`.

    Returns:
      A float Tensor `[T, B, rnn_hidden_size]`: entry t has read steps t and
      later.
    """
    reverse = functools.partial(
        tf.reverse_sequence, seq_lengths=seq_lengths, seq_axis=0, batch_axis=1)
    outputs, _ = tf.compat.v1.nn.dynamic_rnn(
        self.rev_rnn_cell, reverse(inputs), dtype=inputs.dtype,
        time_major=True, scope=self._rev_rnn_scope)
    return reverse(outputs)

  def _rnn_steps(self, inputs_encoded):
    """What of the recurrent network can be computed before the loop: a hook.

    Args:
      inputs_encoded: A float Tensor `[T, B, encoded_data_size]`.

    Returns:
      Nested Tensors `[T, B, ...]`.
    """
    raise NotImplementedError

  def _smoothing_inputs(self, rnn_steps, targets_encoded):
    """What the reverse network reads: a hook.

    Args:
      rnn_steps: What `_rnn_steps` gave.
      targets_encoded: A float Tensor `[T, B, encoded_data_size]`.

    Returns:
      A float Tensor `[T, B, size]`.
    """
    raise NotImplementedError

  def _advance_rnn(self, rnn_step, prev_state):
    """The recurrent network's output at one step: a hook.

    Args:
      rnn_step: One timestep of what `_rnn_steps` gave.
      prev_state: The state after the previous step.

    Returns:
      rnn_out: A float Tensor `[batch, rnn_hidden_size]`.
      rnn_state: The network's new state.
    """
    raise NotImplementedError


def unique_scope(name):
  """Makes a variable scope that no other model in the graph shares.

  Args:
    name: The scope's name; a number is appended if it is taken.

  Returns:
    A variable scope, to be entered as often as needed.
  """
  with tf.compat.v1.variable_scope(None, default_name=name) as scope:
    return scope


def _zero_padding(x, seq_lengths):
  """Zeros what lies past each sequence's end.

  The filter ignores those steps, but a NaN there would still reach the
  gradient, as 0 * NaN.

  Args:
    x: A float Tensor `[T, B, size]`.
    seq_lengths: An int Tensor `[B]`.

  Returns:
    A float Tensor `[T, B, size]`.
  """
  in_sequence = tf.transpose(tf.sequence_mask(seq_lengths, tf.shape(x)[0]))
  zeroed = tf.compat.v2.where(
      in_sequence[:, :, tf.newaxis], x, tf.zeros([], x.dtype))
  zeroed.set_shape(x.shape)
  return zeroed


def _sum_events(log_probs):
  return tf.reduce_sum(log_probs, axis=-1)


def _log_prob(distribution, x):
  """The log probability of rows of independent dimensions, `[batch]`."""
  return _sum_events(distribution.log_prob(x))
