"""Training, evaluating and sampling from the Gaussian hidden Markov model.

Its likelihood is known exactly, so every run shows how far a bound is from
what it bounds. Data is synthetic and endless: there is no dataset file and no
split.
"""

import collections
import contextlib
import os

from absl import logging
import numpy as np
import tensorflow as tf

from fivo import bounds
from fivo.config import config as config_lib
from fivo.data import datasets
from fivo.data import feeding
from fivo.evaluation import evaluation
from fivo.evaluation import following
from fivo.logdir import checkpoints
from fivo.models import ghmm
from fivo.sampling import sample_files
from fivo.system import arrays
from fivo.system import errors
from fivo.system import faults
from fivo.system import files
from fivo.training import loop as training
from fivo.training import optimization

EVAL_FILE = "out.npz"
_SUMMARY_DIRECTORY = "eval"

_LEARNED_PROPOSALS = ("filtering", "smoothing")


def run_train(config):
  """Trains the proposal of a GHMM; resumes the run that the logdir holds.

  Args:
    config: A configuration, see `config.from_object`.

  Raises:
    UserError: If the configuration or the logdir is wrong, the proposal has
      nothing to learn, or the bound is not finite.
    SystemExit: After Ctrl-C or SIGTERM, once a checkpoint is saved.
  """
  config = training.begin(config)
  if config.proposal_type not in _LEARNED_PROPOSALS:
    raise errors.UserError(
        "--proposal_type=%s: leaves the ghmm nothing to train; use %s" % (
            config.proposal_type, " or ".join(_LEARNED_PROPOSALS)))
  if training.is_finished(config, config.start_step):
    return
  if config.task == 0:
    files.check_directory("logdir", config.logdir)
  with tf.Graph().as_default():
    _set_seeds(config)
    with training.device_setter(config):
      model, observations = _create_model_and_data(config)
      feeder = feeding.feeder(
          config, lambda: _create_model_and_data(config)[1])
      if feeder is not None:
        observations = feeder.placeholders
      bound = training.create_bound(
          config, model, observations, _seq_lengths(config))
      bound_per_t = tf.reduce_mean(bound.log_p_hat) / config.num_timesteps
      likelihood_per_t = tf.reduce_mean(
          model.likelihood(observations)) / config.num_timesteps
      gap = likelihood_per_t - bound_per_t
      tf.compat.v1.summary.scalar("train_ll_bound", bound_per_t)
      tf.compat.v1.summary.scalar("train_true_ll", likelihood_per_t)
      tf.compat.v1.summary.scalar("bound_gap", gap)
      train_op = optimization.create_train_op(
          -bound_per_t, config.bound,
          optimization.scheduled_learning_rate(config),
          config.clip_gradient_norm, average_decay=config.average_variables)
    log_format = "Step %%d, %s/t: %%.3f, likelihood: %%.3f, gap: %%.3e" % (
        config.bound)
    with training.owning_logdir(config):
      if config.task == 0:
        config_lib.save(config)
      training.train(
          config, train_op, (bound_per_t, likelihood_per_t, gap),
          lambda step, values: log_format % ((step,) + tuple(values)),
          hooks=[feeder] if feeder else [])


def run_eval(config):
  """Evaluates a bound on a batch of sequences and writes `out.npz`.

  With `eval_interval_secs` it goes on with each new checkpoint, see
  `following.evaluate_each`, and writes summaries of them into `LOGDIR/eval`.

  The file holds, beside what `EvalResult` says, the array `log_weights`
  `[T, B, N]` and, for FIVO, `resampled` `[T, B]`.

  Args:
    config: A configuration, see `config.from_object`. A checkpoint is needed
      only where the proposal has something to learn.

  Returns:
    A dict of the arrays written:
      mean, std: Mean and standard deviation over the batch of the bound per
        sequence, in nats.
      likelihood: `[B]`, the exact log likelihood of each sequence.
      log_p_hat: `[B]`, the bound of each sequence.
      log_weights: `[T, B, N]`.
      log_weight_means: `[T]`, the mean over all particles.
      log_weight_variances: `[T]`, the mean over the batch of the variance of a
        filter's log weights.
      resampled, avg_resampled: For FIVO, `[T, B]` and `[T]`, the share of
        filters that resampled.

  Raises:
    UserError: If the configuration or the checkpoint is wrong.
  """
  config = config_lib.resolve(config)
  config_lib.validate(config, "eval")
  files.check_directory("logdir", config.logdir, [EVAL_FILE])
  if config.proposal_type in _LEARNED_PROPOSALS:
    config, path = following.find_first(config)
  else:
    path = _required_checkpoint(config)
    _refuse_to_follow(config)
  with contextlib.closing(_Evaluator(config)) as evaluator:
    return following.evaluate_each(config, path, evaluator.evaluate)


def _refuse_to_follow(config):
  """Refuses to wait for checkpoints that no run writes."""
  if config.eval_interval_secs is not None:
    raise errors.UserError(
        "--eval_interval_secs=%g: --proposal_type=%s has nothing to learn, so "
        "there are no checkpoints to follow; leave the flag out" % (
            config.eval_interval_secs, config.proposal_type))


class _Evaluator(object):
  """Evaluates checkpoint after checkpoint in a graph that is built once."""

  def __init__(self, config):
    """Builds the graph.

    Args:
      config: A `Config`.
    """
    # Relaxed resampling is for training: the bound would be biased.
    self._config = config._replace(resampling_type="multinomial")
    self._summaries = evaluation.Summaries(
        os.path.join(config.logdir, _SUMMARY_DIRECTORY))
    self._graph = tf.Graph()
    with self._graph.as_default():
      _set_seeds(self._config)
      model, observations = _create_model_and_data(self._config)
      bound = training.create_bound(
          self._config, model, observations, _seq_lengths(self._config))
      self._fetches = (bound._asdict(), model.likelihood(observations))
      variables = tf.compat.v1.global_variables()
      self._saver = tf.compat.v1.train.Saver(variables) if variables else None

  def evaluate(self, path):
    """Evaluates a checkpoint and reports it.

    Args:
      path: The checkpoint's path; None if the model has nothing to learn.

    Returns:
      What `run_eval` returns.
    """
    # The data is the same for every checkpoint, if there is a seed.
    _set_numpy_seed(self._config)
    with tf.compat.v1.Session(graph=self._graph) as session:
      _restore(session, path, self._saver)
      values, likelihood = session.run(self._fetches)
    results = _report(self._config, values, likelihood)
    if self._config.eval_interval_secs is not None:
      self._summarize(results, checkpoints.step(path))
    return results

  def close(self):
    """Closes the file of summaries."""
    self._summaries.close()

  def _summarize(self, results, step):
    """Writes summaries of what is logged."""
    bound_per_t = results["mean"] / self._config.num_timesteps
    likelihood_per_t = results["likelihood"].mean() / self._config.num_timesteps
    self._summaries.add([
        ("eval_ll_bound", bound_per_t), ("eval_true_ll", likelihood_per_t),
        ("eval_bound_gap", likelihood_per_t - bound_per_t)], step)


def _report(config, values, likelihood):
  """Logs a bound and writes `out.npz`.

  Args:
    config: A `Config`.
    values: A dict of arrays, a `bounds.FIVOBound`.
    likelihood: A float array `[B]`.

  Returns:
    What `run_eval` returns.
  """
  results = _statistics(values, likelihood)
  if config.bound == "fivo":
    results["resampled"] = values["resampled"]
    results["avg_resampled"] = values["resampled"].mean(axis=1)
  logging.info(
      "%s/t: %.6f, likelihood: %.6f, gap: %.6e, standard deviation of the gap "
      "per sequence: %.6f", config.bound,
      results["mean"] / config.num_timesteps,
      likelihood.mean() / config.num_timesteps,
      (likelihood.mean() - results["mean"]) / config.num_timesteps,
      (likelihood - values["log_p_hat"]).std())
  _write("logdir", config.logdir, EVAL_FILE, results)
  return results


def run_sample(config):
  """Draws trajectories, infers their latents again, and writes `samples.npz`.

  Args:
    config: A configuration, see `config.from_object`.

  Returns:
    The path of the file:
      latents: `[T, B]`, drawn from the model.
      observations: `[T, B]`, drawn from the model given the latents.
      samples: `[T, B, N]`, latent trajectories given the observations: the
        particles of FIVO with `num_samples` particles, resampled by their final
        weights, with the paths that led to them.

  Raises:
    UserError: If the configuration or the checkpoint is wrong.
  """
  config = config_lib.resolve(config)
  config_lib.validate(config, "sample")
  out_dir = config.sample_out_dir or config.logdir
  files.check_directory("sample_out_dir", out_dir, [sample_files.FILE_NAME])
  path = _required_checkpoint(config)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    _set_seeds(config)
    model = _create_model(config)
    latents, observations = model.sample(
        config.batch_size, seed=config_lib.noise_seed(config))
    fetches = collections.OrderedDict([
        ("latents", latents),
        ("observations", observations),
        ("samples", _posterior_trajectories(config, model, observations)),
    ])
    _restore(session, path)
    values = session.run(fetches)
  return _write("sample_out_dir", out_dir, sample_files.FILE_NAME, values)


def _write(flag, directory, name, named_arrays):
  """Writes an array file into the directory that a flag names."""
  path = os.path.join(directory, name)
  with faults.naming_flag(flag, directory):
    files.prepare_directory(flag, directory)
    arrays.save(path, named_arrays)
  logging.info("Wrote %s.", path)
  return path


def _create_model(config):
  return ghmm.TrainableGaussianHMM(
      config.num_timesteps, config.proposal_type,
      transition_variances=config.variance,
      emission_variances=config.variance,
      random_seed=config_lib.noise_seed(config))


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
  """Seeds TensorFlow and NumPy."""
  tf.compat.v1.set_random_seed(config_lib.noise_seed(config))
  _set_numpy_seed(config)


def _set_numpy_seed(config):
  """Seeds NumPy, which draws the data."""
  seed = config_lib.noise_seed(config)
  # NumPy takes seeds of 32 bits only.
  np.random.seed(None if seed is None else seed % 2 ** 32)


def _required_checkpoint(config):
  """The checkpoint to restore; None where the model has nothing to learn."""
  if config.proposal_type in _LEARNED_PROPOSALS:
    return checkpoints.require(config.logdir, config.wait_for_checkpoint)
  logging.info("--proposal_type=%s has nothing to learn: no checkpoint is "
               "needed.", config.proposal_type)
  return None


def _restore(session, path, saver=None):
  if path is not None:
    checkpoints.restore(session, path, saver)
    logging.info("Model restored from step %d.", checkpoints.step(path))


def _statistics(values, likelihood):
  """What `run_eval` reports of every bound.

  Args:
    values: A dict of arrays, a `bounds.FIVOBound`.
    likelihood: A float array `[B]`.

  Returns:
    An ordered dict of arrays.
  """
  log_weights = values["log_weights"]
  return collections.OrderedDict([
      ("mean", values["log_p_hat"].mean()),
      ("std", values["log_p_hat"].std()),
      ("likelihood", likelihood),
      ("log_p_hat", values["log_p_hat"]),
      ("log_weights", log_weights),
      ("log_weight_means", log_weights.mean(axis=(1, 2))),
      ("log_weight_variances", log_weights.var(axis=2).mean(axis=1)),
  ])


class _WithTrajectories(object):
  """A model whose state keeps the latents of all steps so far.

  Resampling then carries along the path by which a particle came.
  """

  def __init__(self, model, num_timesteps):
    self._model = model
    self._num_timesteps = num_timesteps
    self.set_observations = model.set_observations

  def zero_state(self, batch_size, dtype):
    return (self._model.zero_state(batch_size, dtype),
            tf.zeros([batch_size, self._num_timesteps], dtype))

  def propose_and_weight(self, state, t):
    latent, path = state
    log_weights, latent = self._model.propose_and_weight(latent, t)
    is_now = tf.one_hot(t, self._num_timesteps, dtype=path.dtype)
    return log_weights, (latent, path + latent[:, tf.newaxis] * is_now)


def _posterior_trajectories(config, model, observations):
  """Latent trajectories given observations, `[T, B, N]`."""
  result = bounds.fivo(
      _WithTrajectories(model, config.num_timesteps), observations,
      _seq_lengths(config), num_samples=config.num_samples,
      parallel_iterations=config.parallel_iterations,
      random_seed=config_lib.noise_seed(config))
  _, paths = bounds.resample_by_final_weights(
      result, config.num_samples, config.batch_size,
      random_seed=config_lib.noise_seed(config))
  return tf.transpose(tf.reshape(
      paths, [config.num_samples, config.batch_size, config.num_timesteps]),
                      [2, 1, 0])
