"""The bound that training maximizes, and the gradients that come with it."""

import tensorflow as tf

from fivo import bounds
from fivo import diagnostics
from fivo.compiled import xla
from fivo.models import recurrent
from fivo.resampling import criteria
from fivo.system import charts
from fivo.system import errors
from fivo.training import optimization


def bound_of_config(config, model, observations, lengths, **kwargs):
  """The bound that a configuration asks for.

  Args:
    config: A `Config`.
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`.
    lengths: An int Tensor `[B]`.
    **kwargs: Passed on to `bounds.create_bound`.

  Returns:
    A `bounds.FIVOBound`.
  """
  return bounds.create_bound(
      config.bound, model, observations, lengths,
      num_samples=config.num_samples,
      parallel_iterations=config.parallel_iterations,
      iwae_gradients=config.iwae_gradients,
      resampling_criterion=criteria.by_name(
          config.resampling_criterion, config.ess_threshold),
      resampling_type=config.resampling_type,
      relaxed_resampling_temperature=config.relaxed_resampling_temperature,
      ot_epsilon=config.ot_epsilon,
      ot_max_iterations=config.ot_max_iterations,
      resampling_gradients=config.resampling_gradients,
      random_seed=config.noise_seed, **kwargs)


def warm_up(config, model):
  """Lets the log ratio of prior and proposal count for less at first.

  In the first `kl_warmup_steps` steps p(z_t | .) / q(z_t | .) has the exponent
  step / `kl_warmup_steps` in a particle's weight. So the proposal need not be
  close to the prior before the emission has learned to use what a latent says
  (Bowman et al., Generating sentences from a continuous space, 2016, section
  3.1). Until it ends, the objective is no bound.

  Args:
    config: A `Config`.
    model: An `ELBOTrainableSequenceModel`, which is changed.

  Raises:
    UserError: If the model has weights of its own.
  """
  if config.kl_warmup_steps is None:
    return
  if not isinstance(model, recurrent.TrainableRecurrentModel) or (
      recurrent.overrides(model, "propose_and_weight")):
    raise errors.UserError(
        "--kl_warmup_steps=%d: needs the weights of a VRNN or SRNN; %s has its "
        "own" % (config.kl_warmup_steps, type(model).__name__))
  step = tf.cast(tf.compat.v1.train.get_or_create_global_step(), tf.float32)
  model.kl_weight = tf.minimum(1., step / config.kl_warmup_steps)


def bound_and_gradients(config, model, observations, lengths):
  """The bound, and the gradients of the loss where they come with it.

  Args:
    config: A `Config`.
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`.
    lengths: An int Tensor `[B]`.

  Returns:
    log_p_hat: A float Tensor `[B]`, in nats.
    grads_and_vars: A list of pairs of gradients and variables, or None where
      they can be had from the bound.
    hooks: A list of SessionRunHooks.
  """
  if not config.xla:
    bound = bound_of_config(config, model, observations, lengths)
    summarize_particles(bound, lengths, config.diagnostics)
    return bound.log_p_hat, None, []
  if not isinstance(model, recurrent.TrainableRecurrentModel):
    raise errors.UserError(
        "--xla: compiles a VRNN or SRNN; %s is none" % type(model).__name__)
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
      num_particles=1 if config.bound == "elbo" else config.num_samples,
      seed=config.noise_seed)
  # Outside of what is compiled, where steps without summaries leave it out.
  summarize_particles(bounds.FIVOBound(
      log_p_hat, log_weights, resampled, None), lengths)
  return (log_p_hat, list(zip(gradients, variables)),
          [xla.CompilationHook(length)])


def summarize_particles(bound, lengths, has_more=False):
  """Adds summaries of how the particles fare.

  They cost nothing in a step that writes no summaries.

  Args:
    bound: A `bounds.FIVOBound`.
    lengths: An int Tensor `[B]`.
    has_more: Whether to add all of `diagnostics.Diagnostics`, as far as the
      bound knows its ancestors.
  """
  figures = {
      "effective_sample_size":
          diagnostics.effective_sample_size(bound.log_weights),
      # A filter past its end does not resample.
      "resampling_rate": bound.resampled}
  if has_more and bound.ancestors is not None:
    more = diagnostics.diagnose(
        bound.log_weights, bound.resampled, bound.ancestors)
    figures.update((name, getattr(more, name)) for name in (
        "log_weight_variance", "num_ancestors", "num_roots"))
  in_sequence = tf.cast(tf.transpose(tf.sequence_mask(
      lengths, tf.shape(bound.resampled)[0])), bound.resampled.dtype)
  for name, values in sorted(figures.items()):
    charts.add("particles/" + name, tf.reduce_sum(
        values * in_sequence) / tf.reduce_sum(in_sequence))


def mean_bound(config, log_p_hat, lengths, summarize=False):
  """What training maximizes, a scalar Tensor in nats; maybe with summaries."""
  ll_per_seq = tf.reduce_mean(log_p_hat)
  ll_per_t = tf.reduce_mean(log_p_hat / tf.cast(lengths, log_p_hat.dtype))
  if summarize:
    tf.compat.v1.summary.scalar("train_ll_per_seq", ll_per_seq)
    tf.compat.v1.summary.scalar("train_ll_per_t", ll_per_t)
    name = charts.of_bound(config.bound)
    charts.add("bound_per_timestep/" + name, ll_per_t)
    charts.add("bound_per_sequence/" + name, ll_per_seq)
  return ll_per_t if config.normalize_by_seq_len else ll_per_seq
