"""The bound that training maximizes, and its gradients when compiled."""

import tensorflow as tf

from fivo import bounds
from fivo import diagnostics
from fivo.compiled import xla
from fivo.evaluation import charts
from fivo.models import recurrent
from fivo.resampling import criteria
from fivo.system import errors
from fivo.training import optimization


def bound_of_config(config, model, observations, lengths, **kwargs):
  """The `bounds.FIVOBound` that a `Config` asks for."""
  return bounds.create_bound(
      config.bound, model, observations, lengths,
      num_samples=config.num_samples,
      parallel_iterations=config.parallel_iterations,
      iwae_gradients=config.iwae_gradients,
      resampling_criterion=criteria.by_name(
          config.resampling_criterion, config.ess_threshold),
      resampling_type=config.resampling_type,
      resampling_options={
          argument: getattr(config, flag)
          for argument, flag in config.scheme.options},
      resampling_gradients=config.resampling_gradients,
      random_seed=config.noise_seed, **kwargs)


def warm_up(model, num_steps):
  """Raises the weight of log p(z)/q(z) from 0 to 1 during training.

  In the first `num_steps` steps, when the objective is not a bound, the ratio
  p(z_t | .) / q(z_t | .) in a particle's weight has the exponent step /
  `num_steps`. So the proposal need not be close to the prior before the
  emission has learned to use the latents (Bowman et al., Generating sentences
  from a continuous space, 2016, section 3.1).
  """
  if not isinstance(model, recurrent.TrainableRecurrentModel) or (
      recurrent.overrides(model, "propose_and_weight")):
    raise errors.UserError(
        "--kl_warmup_steps=%d: needs the weights of a VRNN or SRNN; %s has its "
        "own" % (num_steps, type(model).__name__))
  step = tf.cast(tf.compat.v1.train.get_or_create_global_step(), tf.float32)
  model.kl_weight = tf.minimum(1., step / num_steps)


def compile_bound_and_gradients(config, model, observations, lengths):
  """As `bound_of_config`, without the final state, compiled by XLA.

  Also returns pairs of a gradient of minus the mean bound and its variable, and
  SessionRunHooks.
  """
  if not isinstance(model, recurrent.TrainableRecurrentModel):
    raise errors.UserError(
        "--xla: compiles only a VRNN or SRNN, not %s" % type(model).__name__)
  variables = []

  def compute(observations, lengths, run_filter):
    bound = bound_of_config(
        config, model, observations, lengths, run_filter=run_filter)
    gradients, variables[:] = zip(*optimization.compute_gradients(
        -mean_bound(config, bound.log_p_hat, lengths)))
    return [bound.log_p_hat, bound.log_weights, bound.resampled] + list(
        gradients)

  (log_p_hat, log_weights, resampled, *gradients), length = xla.compile_step(
      compute, model, observations, lengths,
      num_particles=(
          1 if config.bound_traits.one_particle else config.num_samples),
      seed=config.noise_seed)
  return (bounds.FIVOBound(log_p_hat, log_weights, resampled, None),
          list(zip(gradients, variables)), [xla.CompilationHook(length)])


def summarize_particles(bound, lengths, has_more=False):
  """Adds charts of the filter of a `FIVOBound`, for sequences of lengths `[B]`.

  With `has_more`, these are all of `diagnostics.Diagnostics`, if the bound
  knows its ancestors.
  """
  figures = {
      "effective_sample_size":
          diagnostics.effective_sample_size(bound.log_weights),
      "resampling_rate": bound.resampled}
  if has_more and bound.ancestors is not None:
    more = diagnostics.diagnose(
        bound.log_weights, bound.resampled, bound.ancestors)
    figures.update(more._asdict())
    # Both are charted above, by other names.
    del figures["ess"], figures["resampled"]
  in_sequence = tf.cast(tf.transpose(tf.sequence_mask(
      lengths, tf.shape(bound.resampled)[0])), bound.resampled.dtype)
  for name, values in sorted(figures.items()):
    charts.add("particles/" + name, tf.reduce_sum(
        values * in_sequence) / tf.reduce_sum(in_sequence))


def mean_bound(config, log_p_hat, lengths, summarize=False):
  """The mean bound that training maximizes, a scalar Tensor in nats."""
  ll_per_seq = tf.reduce_mean(log_p_hat)
  ll_per_t = tf.reduce_mean(log_p_hat / tf.cast(lengths, log_p_hat.dtype))
  if summarize:
    tf.compat.v1.summary.scalar("train_ll_per_seq", ll_per_seq)
    tf.compat.v1.summary.scalar("train_ll_per_t", ll_per_t)
    name = config.bound_traits.evaluated_as
    charts.add("bound_per_timestep/" + name, ll_per_t)
    charts.add("bound_per_sequence/" + name, ll_per_seq)
  return ll_per_t if config.normalize_by_seq_len else ll_per_seq
