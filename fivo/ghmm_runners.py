"""Training, evaluating and sampling from the Gaussian hidden Markov model.

Its likelihood is known exactly, so every run shows how far a bound is from it.
Data is synthetic and endless: there is no dataset file and no split.
"""

import contextlib

import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo import smc
from fivo.config import checks
from fivo.config import config as config_lib
from fivo.data import datasets
from fivo.evaluation import charts
from fivo.evaluation import diagnostics_file
from fivo.evaluation import new_checkpoints
from fivo.logdir import checkpoints
from fivo.logdir import result_files
from fivo.logdir import run_directory
from fivo.models import ghmm
from fivo.rendering import samples as samples_rendering
from fivo.system import errors
from fivo.system import files
from fivo.system import log
from fivo.system import sessions
from fivo.training import objectives
from fivo.training import runs
from fivo.training import twist_steps

EVAL_FILE = "out.npz"
_SUMMARY_DIRECTORY = "eval"

_LEARNED_PROPOSALS = ("filtering", "smoothing")


class _GaussianHMM(runs.Family):
  """The Gaussian HMM, whose proposal is trained."""

  def create(self, config):
    learns_by_bound = config.proposal_type in _LEARNED_PROPOSALS or (
        config.uses_twist and config.twist == "joint")
    if not learns_by_bound:
      raise errors.UserError(
          "--proposal_type=%s: leaves the ghmm nothing to train; use %s" % (
              config.proposal_type, " or ".join(_LEARNED_PROPOSALS)))
    _set_seeds(config)
    return _create_model_and_data(config) + (None,)

  def objective(self, config, model, batch):
    lengths = _seq_lengths(config)
    bound = objectives.bound_of_config(config, model, batch, lengths)
    bound_per_t = tf.reduce_mean(bound.log_p_hat) / config.num_timesteps
    likelihood_per_t = tf.reduce_mean(
        model.likelihood(batch)) / config.num_timesteps
    gap = likelihood_per_t - bound_per_t
    tf.compat.v1.summary.scalar("train_ll_bound", bound_per_t)
    tf.compat.v1.summary.scalar("train_true_ll", likelihood_per_t)
    tf.compat.v1.summary.scalar("bound_gap", gap)
    for tag, value in _charts(config, bound_per_t, likelihood_per_t):
      charts.add(tag, value)
    objectives.summarize_particles(bound, lengths, config.diagnostics)
    objective = runs.Objective(
        bound_per_t, (bound_per_t, likelihood_per_t, gap),
        lambda step, values: "Step %d, %s/t: %.3f, likelihood: %.3f, gap: %.3e"
        % ((step, config.bound) + tuple(values)),
        num_timesteps=tf.reduce_sum(lengths))
    if not config.learns_density_ratio:
      return objective
    draws = model.sample(config.batch_size, seed=config.noise_seed)
    return twist_steps.learn_by_density_ratio(
        config, model, objective, lambda _: draws + (lengths,),
        config.num_timesteps)


def run_train(config):
  """Trains the proposal of a GHMM; resumes the run that the logdir holds.

  Args:
    config: A configuration, see `config.from_object`.

  Raises:
    UserError: If the configuration or the logdir is wrong, the proposal has
      nothing to learn, or the bound is not finite.
    SystemExit: After Ctrl-C or SIGTERM, once a checkpoint is saved.
  """
  runs.train(config, _GaussianHMM())


def run_eval(config):
  """Evaluates a bound on a batch of sequences and writes `out.npz`.

  With `eval_interval_secs` it continues with each new checkpoint, see
  `new_checkpoints.evaluate`, and writes summaries to `LOGDIR/eval`.

  Args:
    config: A configuration, see `config.from_object`. A checkpoint is needed
      only if the proposal has something to learn.

  Returns:
    A dict of the arrays written:
      mean, std: Of the bound per timestep over the batch, in nats.
      likelihood: `[B]`, the exact log likelihood of each sequence.
      log_p_hat: `[B]`, the bound of each sequence.
      log_weights: `[T, B, N]`.
      log_weight_means: `[T]`, the mean over all particles.
      log_weight_variances: `[T]`, of a filter's particles, mean over the batch.
      resampled, avg_resampled: For FIVO and SIXO, `[T, B]` and `[T]`, the
        fraction of filters that resampled.

  Raises:
    UserError: If the configuration or the checkpoint is wrong.
  """
  config = config_lib.resolve(config, "eval")
  checks.log_remarks(config)
  files.check_directory("logdir", config.logdir, [EVAL_FILE])
  _check_size(
      config, 1 if config.bound_traits.one_particle else config.num_samples)
  directory = run_directory.RunDirectory(config.logdir)
  path = _find_checkpoint(config, directory)
  if path is None and config.eval_interval_secs is not None:
    raise errors.UserError(
        "--eval_interval_secs=%g: --proposal_type=%s has nothing to learn, so "
        "there are no checkpoints to follow; leave the flag out" % (
            config.eval_interval_secs, config.proposal_type))
  if config.wait_for_checkpoint:  # A run may have begun meanwhile.
    config = config_lib.complete_from_logdir(config)
  with contextlib.closing(
      charts.Summaries(config.logdir, _SUMMARY_DIRECTORY)) as writer:
    return new_checkpoints.evaluate(
        config, directory, path, _Evaluator(config, writer).evaluate)


class _Evaluator(object):
  """Evaluates checkpoints in a graph that is built once."""

  def __init__(self, config, writer):
    """Builds the graph for a `Config`; `writer` is a `Summaries`."""
    # Blending particles is for training only: it would bias the bound.
    self._config = config._replace(
        resampling_type=config.eval_resampling_type,
        resampling_gradients="none", iwae_gradients="reparameterized")
    self._summaries = writer
    self._graph = tf.Graph()
    with self._graph.as_default():
      _set_seeds(self._config)
      model, observations = _create_model_and_data(self._config)
      lengths = _seq_lengths(self._config)
      bound = objectives.bound_of_config(
          self._config, model, observations, lengths)
      self._fetches = (bound._asdict(), model.likelihood(observations))
      self._diagnosis = ()
      if config.diagnostics and bound.ancestors is not None:
        self._diagnosis = diagnostics_file.tensors(bound, lengths)
      self._saver = tf.compat.v1.train.Saver(allow_empty=True)

  def evaluate(self, path):
    """Reports on a checkpoint, or None; returns the result of `run_eval`."""
    # With a seed the data is the same for every checkpoint.
    with tf.compat.v1.Session(
        graph=self._graph, config=sessions.options()) as session:
      _set_seeds(self._config)
      _restore(session, path, self._saver)
      values, figures = session.run([self._fetches, self._diagnosis])
    results = _statistics(self._config, *values)
    likelihood_per_t = results["likelihood"].mean() / self._config.num_timesteps
    _report(self._config, results, likelihood_per_t)
    result_files.write("logdir", self._config.logdir, EVAL_FILE, results)
    if figures:
      diagnostics_file.write(
          self._config.logdir, _SUMMARY_DIRECTORY, figures)
    if self._config.eval_interval_secs is not None:
      self._summaries.add(
          _charts(self._config, results["mean"], likelihood_per_t) + [
              ("eval_ll_bound", results["mean"]),
              ("eval_true_ll", likelihood_per_t),
              ("eval_bound_gap", likelihood_per_t - results["mean"])],
          checkpoints.step(path))
    return results


def _charts(config, bound_per_t, likelihood_per_t):
  """Pairs of a tag of `charts` and its value, floats or Tensors."""
  return [
      ("bound_per_timestep/" + config.bound_traits.evaluated_as, bound_per_t),
      ("exact/log_likelihood_per_timestep", likelihood_per_t),
      ("exact/gap_per_timestep", likelihood_per_t - bound_per_t)]


def _report(config, results, likelihood_per_t):
  """Logs the results of `_statistics`."""
  log.info("Evaled bound %s with batch_size: %d, num_samples: %d.",
           config.bound, config.batch_size, config.num_samples)
  log.info("mean: %f, std: %f", results["mean"], results["std"])
  log.info("true likelihood: %s", likelihood_per_t)
  log.info("avg log weight: %s", results["log_weight_means"])
  log.info("log weight variance: %s", results["log_weight_variances"])
  if "avg_resampled" in results:
    log.info("avg resamples per t: %s", results["avg_resampled"])
  log.info(
      "%s/t: %.6f, likelihood: %.6f, gap: %.6e, standard deviation of the gap "
      "per sequence: %.6f", config.bound, results["mean"], likelihood_per_t,
      likelihood_per_t - results["mean"],
      (results["likelihood"] - results["log_p_hat"]).std())


def run_sample(config):
  """Draws trajectories, infers their latents, and writes `samples.npz`.

  Args:
    config: A configuration, see `config.from_object`.

  Returns:
    The path of the file:
      latents: `[T, B]`, drawn from the model.
      observations: `[T, B]`, drawn from the model given the latents.
      samples: `[T, B, N]`, latent trajectories given the observations: the
        paths of the particles of FIVO, or SIXO, resampled by final weights.
    With `render`, `sample_BATCH.png` beside it draws them and the exact
    posterior.

  Raises:
    UserError: If the configuration or the checkpoint is wrong.
  """
  config = config_lib.resolve(config, "sample")
  checks.log_remarks(config)
  out_dir = config.sample_out_dir or config.logdir
  files.check_directory(
      "sample_out_dir", out_dir, [samples_rendering.FILE_NAME])
  _check_size(config, config.num_samples)
  directory = run_directory.RunDirectory(config.logdir)
  path = _find_checkpoint(config, directory)
  with tf.Graph().as_default():
    _set_seeds(config)
    model = _create_model(config)
    latents, observations = model.sample(
        config.batch_size, seed=config.noise_seed)
    fetches = dict(
        latents=latents, observations=observations,
        samples=_posterior_trajectories(config, model, observations))
    posterior = model.smoothed(observations) if config.render else ()

    def draw(path):
      with tf.compat.v1.Session(config=sessions.options()) as session:
        _restore(session, path)
        return session.run((fetches, posterior))

    values, posterior = directory.use_newest(path, draw)
  path = result_files.write(
      "sample_out_dir", out_dir, samples_rendering.FILE_NAME, values)
  if config.render:
    with errors.writing_to("sample_out_dir", out_dir):
      samples_rendering.write_trajectories(out_dir, values, *posterior)
  return path


def _check_size(config, num_samples):
  """Refuses results that are too large."""
  row = 4 * config.num_timesteps * config.batch_size
  result_files.check_size(
      "num_samples", num_samples, row, "--batch_size or --num_timesteps",
      2 * row)


def _create_model(config):
  twist = None
  if config.uses_twist:
    twist = "optimal" if config.twist == "optimal" else "learned"
  return ghmm.TrainableGaussianHMM(
      config.num_timesteps, config.proposal_type,
      transition_variances=config.variance,
      emission_variances=config.variance,
      random_seed=config.noise_seed, twist=twist)


def _create_model_and_data(config):
  """The model, and a Tensor `[T, B]` of observations, new with every run."""
  observations, _ = datasets.create_chain_graph_dataset(
      config.batch_size, config.num_timesteps, steps_per_observation=1,
      state_size=1, transition_variance=config.variance,
      observation_variance=config.variance,
      model_consistent=config.data_from_model)
  return _create_model(config), tf.squeeze(observations, axis=2)


def _seq_lengths(config):
  return tf.fill([config.batch_size], config.num_timesteps)


def _set_seeds(config):
  """Seeds TensorFlow, and NumPy, which draws the data."""
  tf.compat.v1.set_random_seed(config.noise_seed)
  # NumPy takes seeds of 32 bits only.
  np.random.seed(
      None if config.noise_seed is None else config.noise_seed % 2 ** 32)


def _find_checkpoint(config, directory):
  """The path of the newest checkpoint; None if there is nothing to learn."""
  if config.proposal_type in _LEARNED_PROPOSALS or (
      config.uses_twist and config.twist != "optimal"):
    return directory.require(config.wait_for_checkpoint)
  log.info("--proposal_type=%s has nothing to learn: no checkpoint is "
           "needed.", config.proposal_type)
  return None


def _restore(session, path, saver=None):
  if path is not None:
    checkpoints.restore(session, path, saver)
    log.info("Model restored from step %d.", checkpoints.step(path))


def _statistics(config, bound, likelihood):
  """Computes the result of `run_eval` from a `FIVOBound`'s dict of arrays."""
  bound_per_t = bound["log_p_hat"] / config.num_timesteps
  log_weights = bound["log_weights"]
  results = dict(
      mean=bound_per_t.mean(),
      std=bound_per_t.std(),
      likelihood=likelihood,
      log_p_hat=bound["log_p_hat"],
      log_weights=log_weights,
      log_weight_means=log_weights.mean(axis=(1, 2)),
      log_weight_variances=log_weights.var(axis=2).mean(axis=1))
  if config.bound_traits.resamples:
    results["resampled"] = bound["resampled"]
    results["avg_resampled"] = bound["resampled"].mean(axis=1)
  return results


def _posterior_trajectories(config, model, observations):
  """Latent trajectories given observations, `[T, B, N]`."""
  create_bound = bounds.sixo if config.uses_twist else bounds.fivo
  result = create_bound(
      model, observations, _seq_lengths(config), num_samples=config.num_samples,
      parallel_iterations=config.parallel_iterations,
      random_seed=config.noise_seed)
  paths = smc.trajectories(result.particle_states, result.ancestors)
  chosen = bounds.resample_by_final_weights(
      result._replace(final_state=tf.transpose(paths)), config.num_samples,
      config.batch_size, random_seed=config.noise_seed)
  return tf.transpose(tf.reshape(
      chosen, [config.num_samples, config.batch_size, config.num_timesteps]),
                      [2, 1, 0])
