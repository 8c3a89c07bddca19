"""Training, evaluating and sampling from the VRNN and the SRNN."""

import contextlib
import functools
import os

import numpy as np
import tensorflow as tf

from fivo import twists
from fivo.compiled import xla
from fivo.config import catalogue
from fivo.config import checks
from fivo.config import config as config_lib
from fivo.data import batching
from fivo.data import datasets
from fivo.data import series_info
from fivo.evaluation import averages
from fivo.evaluation import charts
from fivo.evaluation import diagnostics_file
from fivo.evaluation import new_checkpoints
from fivo.logdir import run_directory
from fivo.models import base
from fivo.models import srnn
from fivo.models import vrnn
from fivo.rendering import samples as samples_rendering
from fivo.resampling import criteria
from fivo.sampling import sampler as sampler_lib
from fivo.system import errors
from fivo.system import files
from fivo.training import objectives
from fivo.training import runs
from fivo.training import twist_steps
from fivo.training import validation

_CREATE_MODEL = {"vrnn": vrnn.create_vrnn, "srnn": srnn.create_srnn}


def create_dataset_and_model(config, split, shuffle, repeat):
  """Creates what a runner needs; `run_train` and others accept a replacement.

  Args:
    config: A configuration, see `config.from_object`.
    split: "train", "valid" or "test".
    shuffle: Whether to shuffle the sequences.
    repeat: Whether to repeat the data without end.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets, centred and shifted one
      step later.
    targets: A float32 Tensor `[T, B, D]`.
    lengths: An int32 Tensor `[B]`.
    model: An `ELBOTrainableSequenceModel`.
    mean: A float32 Tensor `[D]`, the mean subtracted from inputs, or None.

  Raises:
    UserError: If the options do not fit each other, or the data is bad.
  """
  config = config_lib.from_object(config)
  checks.check_data(config, split)
  if config.dataset_type == "series" and config.series is None:
    config = config._replace(series=series_info.read(config.dataset_path))
  if config.model not in _CREATE_MODEL:
    raise errors.UserError("--model=%s: must be one of %s" % (
        config.model, ", ".join(sorted(_CREATE_MODEL))))
  is_binary = catalogue.DATASET_TYPES[config.dataset_type].is_binary
  if is_binary is None:
    is_binary = config.series.is_binary
  checks.check_emission(config, is_binary)
  inputs, targets, lengths, mean = _create_dataset(
      config, split, shuffle, repeat)
  emission_class = base.ConditionalNormalDistribution
  emission_bias_init = 0.0
  if is_binary:
    emission_class = getattr(
        base, catalogue.EMISSIONS[config.emission].binary_class)
  if mean is not None:
    mean_value = tf.get_static_value(mean)
    checks.check_train_mean(config, mean_value)
    if is_binary:  # With these logits its mean is the data's.
      emission_bias_init = -np.log(
          1. / np.clip(mean_value, 0.0001, 0.9999) - 1.)
  model = _CREATE_MODEL[config.model](
      tf.compat.dimension_value(targets.shape[2]),
      config.latent_size,
      emission_class,
      proposal_type=config.proposal_type,
      sigma_min=0.0,
      raw_sigma_bias=0.5,
      emission_bias_init=emission_bias_init,
      use_tilt=config.bound_traits.part == "tilt",
      use_twist=config.uses_twist,
      random_seed=config.noise_seed,
      emission_sigma_min=config.emission_sigma_min)
  return inputs, targets, lengths, model, mean


def _create_dataset(config, split, shuffle, repeat):
  """Returns inputs, targets, lengths and the mean, None for speech."""
  path = config.path_of_split(split)
  options = batching.Options(
      seed=config.random_seed, dimension=config.data_dimension,
      series=config.series, octaves=config.transpose_octaves)
  if config.sort_by_length and not shuffle:
    options = options._replace(order=batching.SORTED)
  if repeat:
    options = options._replace(
        skip=config.start_step * config.batch_size,
        max_length=config.max_train_length, input_dropout=config.input_dropout)
    if shuffle and config.bucket_by_length:
      # Similar lengths waste less on padding.
      options = options._replace(order=batching.BUCKETED)
  create = getattr(
      datasets, catalogue.DATASET_TYPES[config.dataset_type].create)
  dataset = create(path, split, config.batch_size, shuffle=shuffle,
                   repeat=repeat, options=options)
  checks.check_dimension(
      config, tf.compat.dimension_value(dataset[1].shape[2]),
      "--dataset_path=%s" % path)
  return dataset


class _Recurrent(runs.Family):
  """The VRNN, the SRNN, and models of a caller's function."""

  def __init__(self, source, create_dataset_and_model_fn):
    self.own_names = create_dataset_and_model_fn is not create_dataset_and_model
    self._function = create_dataset_and_model_fn
    if self.own_names:
      self._function = config_lib.CallersFunction(
          source, create_dataset_and_model_fn)
    self._train_mean = None
    self._series = None  # Once `with_series_info` has read it.

  def with_series_info(self, config):
    """Adds the `SeriesInfo` of the data, which is read once, to a `Config`."""
    if (config.dataset_type == "series" and config.series is None
        and config.model in _CREATE_MODEL and config.dataset_path):
      if self._series is None:
        self._series = series_info.read(config.dataset_path)
      config = config._replace(series=self._series)
    return config

  def _create(self, config, **kwargs):
    """Calls the function that creates the dataset and the model."""
    return self._function(self.with_series_info(config), **kwargs)

  def create_validator(self, config, directory):
    if config.eval_every is None:
      return None
    dataset_path = config.dataset_path
    if config.dataset_type == "speech" and os.path.isfile(dataset_path):
      # The file of the valid split is beside it.
      dataset_path = os.path.dirname(os.path.abspath(dataset_path))
    # Every evaluation draws the same noise, wherever the run was resumed.
    valid = config._replace(
        split=validation.SPLIT, start_step=0, dataset_path=dataset_path)
    try:
      evaluator = self.create_evaluator(valid)
    except errors.UserError as e:
      raise errors.UserError("--eval_every=%d: the %s split: %s" % (
          config.eval_every, valid.split, e)) from e
    draw_picture = None
    if config.render:
      draw_picture = functools.partial(
          _create_renderer(self.with_series_info(valid)).draw_first,
          self.create_sampler(valid._replace(batch_size=1)))
    return validation.Validator(config, directory, evaluator, draw_picture)

  def create_evaluator(self, config, can_diagnose=False):
    # The order does not matter to an average.
    config = config._replace(sort_by_length=True)
    return averages.Evaluator(
        functools.partial(self._create, config, split=config.split),
        dict(num_samples=config.num_samples,
             parallel_iterations=config.parallel_iterations,
             random_seed=config.noise_seed,
             resampling_criterion=criteria.by_name(
                 config.resampling_criterion, config.ess_threshold),
             resampling_type=config.eval_resampling_type),
        has_twist=config.uses_twist, num_repeats=config.eval_repeats,
        graph_seed=config.random_seed, show_bar=config.progress,
        can_diagnose=can_diagnose)

  def create(self, config):
    tf.compat.v1.set_random_seed(config.random_seed)
    if config.xla:
      xla.configure()
    inputs, targets, lengths, model, mean = self._create(
        config, split="train", shuffle=True, repeat=True)
    if self._train_mean is None:  # A feeder's graph has its own.
      self._train_mean = mean
    return model, (inputs, targets, lengths), mean

  def config_to_keep(self, config):
    config = config._replace(series=config.series or self._series)
    return self._function.updated(config) if self.own_names else config

  def create_sampler(self, config):
    return sampler_lib.Sampler(
        functools.partial(self._create, config, split=config.split),
        config.batch_size, config.prefix_length, config.sample_length,
        config.num_samples, split=config.split, graph_seed=config.random_seed,
        bound_name=config.bound, random_seed=config.noise_seed,
        parallel_iterations=config.parallel_iterations)

  def objective(self, config, model, batch):
    inputs, targets, lengths = batch
    if config.kl_warmup_steps is not None:
      objectives.warm_up(model, config.kl_warmup_steps)
    grads_and_vars, hooks = None, []
    if config.xla:
      bound, grads_and_vars, hooks = objectives.compile_bound_and_gradients(
          config, model, (inputs, targets), lengths)
    else:
      bound = objectives.bound_of_config(
          config, model, (inputs, targets), lengths)
    objectives.summarize_particles(bound, lengths, config.diagnostics)
    mean_bound = objectives.mean_bound(
        config, bound.log_p_hat, lengths, summarize=True)
    unit = "timestep" if config.normalize_by_seq_len else "sequence"
    objective = runs.Objective(
        value=mean_bound, log_values=mean_bound,
        log_line=lambda step, value: "Step %d, %s bound per %s: %f" % (
            step, config.bound, unit, value),
        grads_and_vars=grads_and_vars, hooks=hooks,
        num_timesteps=tf.reduce_sum(lengths))
    if not config.learns_density_ratio:
      return objective
    data_size = tf.compat.dimension_value(targets.shape[2])
    return twist_steps.learn_by_density_ratio(
        config, model, objective,
        lambda num_steps: twists.simulate(
            model, config.batch_size, num_steps, data_size, self._train_mean),
        tf.shape(targets)[0])


def _create_renderer(config):
  """Creates the `Renderer` of samples."""
  return samples_rendering.Renderer(
      config.dataset_type, config.path_of_split(config.split), config.series,
      config.steps_per_quarter, config.tempo)


def run_train(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Trains a model; resumes the run that the logdir holds.

  Args:
    config: A configuration, see `config.from_object`.
    create_dataset_and_model_fn: A callable like `create_dataset_and_model`. It
      is called with `config` itself.

  Raises:
    UserError: If the configuration, the data or the logdir is wrong, or the
      bound is not finite.
    SystemExit: After Ctrl-C or SIGTERM, once a checkpoint is saved.
  """
  runs.train(config, _Recurrent(config, create_dataset_and_model_fn))


def run_eval(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Evaluates the newest checkpoint on all sequences of a split.

  With `eval_interval_secs` it continues with each new one, see
  `new_checkpoints.evaluate`.

  Args:
    config: See `run_train`.
    create_dataset_and_model_fn: See `run_train`.

  Returns:
    The last `averages.EvalResult`.

  Raises:
    UserError: If the configuration, the data or the checkpoint is wrong, or a
      bound is NaN.
  """
  family = _Recurrent(config, create_dataset_and_model_fn)
  config = config_lib.resolve(config, "eval", family.own_names)
  checks.log_remarks(config)
  directory = run_directory.RunDirectory(config.logdir)
  path = directory.require(config.wait_for_checkpoint)
  if config.wait_for_checkpoint:  # A run may have begun meanwhile.
    config = config_lib.complete_from_logdir(config)
  evaluator = family.create_evaluator(config, config.diagnostics)
  writer = charts.Summaries(config.logdir, config.split)

  def evaluate(path):
    step, result = evaluator.evaluate(path)
    averages.report(result, config.split, step, writer)
    if config.diagnostics:
      diagnostics_file.write(
          config.logdir, config.split, evaluator.diagnose(path))
    return result

  with contextlib.closing(writer):
    return new_checkpoints.evaluate(config, directory, path, evaluate)


def run_sample(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Samples continuations of prefixes and writes both to `samples.npz`.

  Args:
    config: See `run_train`.
    create_dataset_and_model_fn: See `run_train`.

  Returns:
    The path of the file, see `Renderer.write`.

  Raises:
    UserError: If the configuration, the data or the checkpoint is wrong, no
      sequence is as long as the prefix, or the samples are too large.
  """
  family = _Recurrent(config, create_dataset_and_model_fn)
  config = config_lib.resolve(config, "sample", family.own_names)
  checks.log_remarks(config)
  directory = run_directory.RunDirectory(config.logdir)
  path = directory.require(config.wait_for_checkpoint)
  config = family.with_series_info(config)
  renderer = _create_renderer(config)
  if config.sample_wav:
    checks.check_sound(config, renderer.statistics)
  out_dir = config.sample_out_dir or config.logdir
  files.check_directory(
      "sample_out_dir", out_dir, [samples_rendering.FILE_NAME])
  sampler = family.create_sampler(config)
  samples = directory.use_newest(path, sampler.sample)
  return renderer.write(
      out_dir, sampler.prefixes, samples,
      sound=config.sample_wav or config.render, pictures=config.render)


def restore_checkpoint_if_exists(saver, sess, logdir):
  """Restores the newest checkpoint of a logdir; returns whether there is one.

  Args:
    saver: A `tf.train.Saver`.
    sess: A Session.
    logdir: A directory, which need not exist.
  """
  path = run_directory.RunDirectory(logdir).latest()
  if path is not None:
    saver.restore(sess, path)
  return path is not None


def wait_for_checkpoint(saver, sess, logdir):
  """As `restore_checkpoint_if_exists`, after waiting until there is one."""
  saver.restore(sess, run_directory.RunDirectory(logdir).require(wait=True))
