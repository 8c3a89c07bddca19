"""Lower bounds on the log likelihood of sequences: ELBO, IWAE and FIVO.

Here a model, which takes one timestep at a time and knows nothing of particles,
meets `smc.smc`, which knows nothing of models; `compiled/noise.py` has a
particle filter to put in its place. Each bound is E[log p_hat] for an unbiased
estimate p_hat of the likelihood, hence by Jensen's inequality at most log
p(x_{1:T}). With the incremental weights alpha_t^n of N trajectories drawn from
a proposal,

    ELBO = E[ sum_t log alpha_t^1 ]
    IWAE = E[ log (1/N) sum_n prod_t alpha_t^n ]
    FIVO = E[ sum over r of log (1/N) sum_n prod_{t in r} alpha_t^n ]

where r ranges over the stretches of time between resamplings: FIVO resamples
after each step at which the resampling criterion holds, so that unlikely
trajectories end and likely ones are continued in their place (Maddison et al.,
Filtering Variational Objectives, 2017). FIVO-AUX and SIXO are FIVO of a model
whose weights have one more factor, which looks ahead: a tilt, see
`models/recurrent.py`, or a twist, see `twists.py`.

Bias of the gradients. Latents are reparameterized, so the gradient flows
through the samples. Ancestors are discrete, and like the paper, the gradient of
FIVO omits the score term of their choice, because of its variance;
`resampling/gradients.py` can add it. ELBO and IWAE draw no ancestors: their
gradients are unbiased. Relaxed resampling needs no such term either, but its
estimate of the likelihood is biased, and so is the bound itself.
"""

import collections
import functools

import tensorflow as tf

from fivo import dreg
from fivo import nested_utils as nested
from fivo import smc
from fivo import twists
from fivo.config import catalogue
from fivo.models import base
from fivo.resampling import particles
from fivo.system import errors

IWAEBound = collections.namedtuple(
    "IWAEBound", ("log_p_hat", "log_weights", "final_state"))


class FIVOBound(collections.namedtuple("FIVOBound", (
    "log_p_hat", "log_weights", "resampled", "final_state"))):
  """The result of `fivo`: a tuple of four fields, with two more attributes.

  These are `ancestors` and `particle_states`, see `smc.SMCResult`.

  Attributes:
    log_p_hat: A float Tensor `[B]`, the bound of each sequence in nats.
    log_weights: A float Tensor `[T, B, N]`, accumulated since the last
      resampling, recorded before resampling resets them to zero.
    resampled: A float Tensor `[T, B]`, 1 where a filter resampled, else 0.
    final_state: The model's state after the last step, `[N*B, ...]`.
  """

  ancestors = None
  particle_states = ()


def elbo(model, observations, seq_lengths, parallel_iterations=30,
         swap_memory=True):
  """The evidence lower bound (ELBO): see `iwae`; the number of samples is 1."""
  return iwae(model, observations, seq_lengths, num_samples=1,
              parallel_iterations=parallel_iterations, swap_memory=swap_memory)


def iwae(model, observations, seq_lengths, num_samples=1,
         parallel_iterations=30, swap_memory=True, run_filter=smc.smc,
         iwae_gradients="reparameterized"):
  """The importance weighted autoencoder (IWAE) bound.

  Burda, Grosse & Salakhutdinov, Importance Weighted Autoencoders, 2016. The
  bound of a particle filter that never resamples.

  Args:
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`, as the model takes them.
    seq_lengths: An int Tensor `[B]`.
    num_samples: N, the number of trajectories. One gives the ELBO.
    parallel_iterations: How many timesteps may run in parallel.
    swap_memory: Whether a GPU may swap the loop's memory to the host.
    run_filter: The particle filter, `smc.smc` or a callable with its signature.
    iwae_gradients: "reparameterized"; or "dreg", see `dreg.py`, for a model
      that draws its latents with `ELBOTrainableSequenceModel.draw`.

  Returns:
    An `IWAEBound`:
      log_p_hat: A float Tensor `[B]`, the bound of each sequence in nats.
      log_weights: A float Tensor `[T, B, N]`, accumulated over time.
      final_state: The model's state after the last step, `[N*B, ...]`.

  Raises:
    UserError: If the model's latents are not drawn with `draw`, but "dreg" is
      asked for: the gradient would be wrong.
  """
  run = functools.partial(
      _particle_filter, run_filter, model, observations, seq_lengths,
      resampling_criterion=smc.never_resample_criterion,
      parallel_iterations=parallel_iterations, swap_memory=swap_memory)
  assert iwae_gradients in catalogue.IWAE_GRADIENTS, iwae_gradients
  if iwae_gradients == "dreg":
    return _dreg(run, model, smc.to_size(num_samples))
  result = run(num_samples)
  return IWAEBound(
      result.log_z_hat, result.log_weights, result.final_particle_state)


def _dreg(run, model, num_samples):
  """An `IWAEBound` with the gradient of `dreg.py`."""
  has_drawn = []

  def draw(distribution, seed=None):
    has_drawn.append(True)
    return dreg.draw_copies(distribution, seed)

  with base.replaced_draw(model, draw):
    result = run(dreg.COPIES * num_samples)
  if not has_drawn:
    raise errors.UserError(
        "--iwae_gradients=dreg: needs a model that draws its latents with its "
        "method `draw`, which %s does not" % type(model).__name__)
  # If all sequences are empty there are no weights, and the sums are zero.
  log_weights, surrogates = dreg.split_copies(result.log_weights[-1:])
  log_p_hat = smc.log_average_weight(log_weights, axis=2) + surrogates
  rows = tf.shape(result.log_weights)[1] * num_samples
  return IWAEBound(
      tf.reduce_sum(log_p_hat, axis=0), result.log_weights[:, :, :num_samples],
      nested.map_nested(lambda x: x[:rows], result.final_particle_state))


def fivo(model, observations, seq_lengths, num_samples=1,
         resampling_criterion=smc.ess_criterion,
         resampling_type="multinomial", relaxed_resampling_temperature=0.5,
         parallel_iterations=30, swap_memory=True, random_seed=None,
         run_filter=smc.smc, resampling_gradients="none",
         resampling_options=None):
  """The filtering variational objective of Maddison et al. (2017).

  Args:
    model: See `iwae`.
    observations: See `iwae`.
    seq_lengths: See `iwae`.
    num_samples: N, the number of particles.
    resampling_criterion: When to resample, see `smc.smc`.
    resampling_type: The name of a scheme in `resampling/schemes.py`. "relaxed"
      and "optimal_transport", whose weights are differentiable but which bias
      the estimate, are for training only.
    relaxed_resampling_temperature: A positive float, or a scalar Tensor.
    parallel_iterations: See `iwae`.
    swap_memory: See `iwae`.
    random_seed: The op seed of the resampling, or None.
    run_filter: See `iwae`.
    resampling_gradients: See `smc.smc`.
    resampling_options: A dict of more arguments for the scheme, or None; its
      "temperature" goes before `relaxed_resampling_temperature`.

  Returns:
    A `FIVOBound`.
  """
  options = dict(resampling_options or {}, random_seed=random_seed)
  if resampling_type == "relaxed":
    options.setdefault("temperature", relaxed_resampling_temperature)
  result = _particle_filter(
      run_filter, model, observations, seq_lengths, num_samples,
      resampling_criterion=resampling_criterion,
      resampling_fn=particles.by_name(resampling_type, **options),
      resampling_gradients=resampling_gradients,
      parallel_iterations=parallel_iterations, swap_memory=swap_memory)
  bound = FIVOBound(
      result.log_z_hat, result.log_weights, result.resampled,
      result.final_particle_state)
  bound.ancestors = result.ancestors
  bound.particle_states = result.particle_states
  return bound


def sixo(model, *args, **kwargs):
  """FIVO of a model with a twist, see `twists.py`; for arguments see `fivo`."""
  return fivo(twists.TwistedModel(model), *args, **kwargs)


def create_bound(name, model, observations, seq_lengths, num_samples=1,
                 parallel_iterations=30, run_filter=smc.smc,
                 iwae_gradients="reparameterized", **fivo_options):
  """Creates the bound named in `catalogue.BOUNDS`, as `--bound` does.

  "fivo-aux" is FIVO of a model built with a tilt, "sixo" that of a model with a
  twist. For arguments see `iwae` and `fivo`; each bound uses those that apply
  to it, and the ELBO always has one sample.

  Returns:
    A `FIVOBound`. For bounds that never resample, `resampled` is zero.
  """
  bound = catalogue.BOUNDS[name]
  options = (fivo_options if bound.resamples else
             {"iwae_gradients": iwae_gradients})
  result = globals()[bound.function](
      model, observations, seq_lengths,
      num_samples=1 if bound.one_particle else num_samples,
      parallel_iterations=parallel_iterations, run_filter=run_filter, **options)
  if bound.resamples:
    return result
  return FIVOBound(
      result.log_p_hat, result.log_weights,
      tf.zeros_like(result.log_weights[:, :, 0]), result.final_state)


AllBounds = collections.namedtuple("AllBounds", ("elbo", "iwae", "fivo"))
AllBoundsAndSIXO = collections.namedtuple(
    "AllBoundsAndSIXO", AllBounds._fields + ("sixo",))


def all_bounds(model, observations, seq_lengths, num_samples=1,
               parallel_iterations=30, random_seed=None,
               resampling_criterion=smc.ess_criterion,
               resampling_type="multinomial", has_twist=False):
  """Computes ELBO, IWAE and FIVO in one pass, for evaluation.

  Each sequence is filtered twice side by side in one batch: once without
  resampling, for the IWAE bound, and once with it, for FIVO. The ELBO is the
  mean over the N trajectories of the first, which has the same expectation as a
  single trajectory and less noise. If `has_twist`, SIXO is computed as well, in
  a separate pass. For the other arguments see `fivo`.

  Returns:
    An `AllBounds`, or `AllBoundsAndSIXO`, of float Tensors `[B]`, in nats.
  """
  options = dict(
      num_samples=num_samples, resampling_type=resampling_type,
      parallel_iterations=parallel_iterations, random_seed=random_seed)
  batch_size = tf.shape(seq_lengths)[0]
  may_resample = tf.concat(
      [tf.fill([batch_size], False), tf.fill([batch_size], True)], axis=0)

  def criterion(log_weights, t):
    return tf.logical_and(may_resample, resampling_criterion(log_weights, t))

  result = fivo(
      model, nested.tile_tensors(observations, [1, 2]),
      tf.tile(seq_lengths, [2]), resampling_criterion=criterion, **options)
  # Past a sequence's end its weights stay constant, so the last are final. If
  # all sequences are empty there are none, and the sum is zero.
  elbos = tf.reduce_mean(
      tf.reduce_sum(result.log_weights[-1:], axis=0), axis=1)
  values = AllBounds(elbos[:batch_size], result.log_p_hat[:batch_size],
                     result.log_p_hat[batch_size:])
  if not has_twist:
    return values
  return AllBoundsAndSIXO(*values, sixo=sixo(
      model, observations, seq_lengths,
      resampling_criterion=resampling_criterion, **options).log_p_hat)


def resample_by_final_weights(bound, num_samples, batch_size,
                              random_seed=None):
  """Resamples the final states, nested `[N*B, ...]`, of a `FIVOBound`.

  All sequences must have the same length.
  """
  # Particles resampled in the last step already have equal weights.
  log_weights = tf.compat.v1.where(
      bound.resampled[-1] > 0, tf.zeros_like(bound.log_weights[-1]),
      bound.log_weights[-1])
  return smc.multinomial_resampling(
      tf.transpose(log_weights), bound.final_state, num_samples, batch_size,
      random_seed=random_seed)


def _particle_filter(run_filter, model, observations, seq_lengths, num_samples,
                     resampling_criterion, **kwargs):
  """Runs a particle filter on a model and returns its `smc.SMCResult`."""
  num_samples = smc.to_size(num_samples)
  observations = nested.map_nested(tf.convert_to_tensor, observations)
  seq_lengths = tf.cast(seq_lengths, tf.int32)
  batch_size = (tf.compat.dimension_value(seq_lengths.shape[0]) or
                tf.shape(seq_lengths)[0])
  base.set_particle_observations(model, observations, seq_lengths, num_samples)
  initial_state = model.zero_state(
      num_samples * batch_size, getattr(model, "dtype", tf.float32))

  weighs_later = (
      resampling_criterion is smc.never_resample_criterion and
      run_filter is smc.smc and getattr(model, "weighs_emissions_later", False))
  options = dict(weigh_emission=False) if weighs_later else {}

  def transition_fn(state, t):
    return initial_state if state is None else model.propose_and_weight(
        state, t, **options)

  result = run_filter(
      transition_fn, seq_lengths, num_particles=num_samples,
      resampling_criterion=resampling_criterion, **kwargs)
  return (_weigh_emissions(model, result, seq_lengths, num_samples)
          if weighs_later else result)


def _weigh_emissions(model, result, seq_lengths, num_samples):
  """Weighs the emissions of a filter that never resampled.

  Nothing in its loop depends on the weights, so a few large operations over all
  timesteps replace many small ones.
  """
  log_probs = model.emission_log_probs(result.particle_states)
  max_num_steps = tf.shape(log_probs)[0]
  in_sequence = tf.range(max_num_steps)[:, tf.newaxis] < tf.tile(
      seq_lengths, [num_samples])
  # Masks select rather than multiply: 0 * -inf is NaN.
  sums = tf.cumsum(tf.compat.v1.where(
      in_sequence, log_probs, tf.zeros_like(log_probs)))
  log_weights = result.log_weights + tf.transpose(
      tf.reshape(sums, [max_num_steps, num_samples, -1]), [0, 2, 1])
  # If all sequences are empty there are no weights, and the sum is zero.
  log_z_hat = tf.reduce_sum(
      smc.log_average_weight(log_weights[-1:], axis=2), axis=0)
  weighed = result._replace(log_z_hat=log_z_hat, log_weights=log_weights)
  weighed.ancestors = result.ancestors
  weighed.particle_states = result.particle_states
  return weighed
