"""Training, evaluating and sampling from the VRNN and the SRNN."""

import contextlib
import functools

from absl import logging
import numpy as np
import tensorflow as tf

from fivo.compiled import xla
from fivo.config import config as config_lib
from fivo.data import batching
from fivo.data import datasets
from fivo.data import feeding
from fivo.evaluation import evaluation
from fivo.evaluation import evaluator as evaluator_lib
from fivo.evaluation import following
from fivo.logdir import checkpoints
from fivo.models import base
from fivo.models import recurrent
from fivo.models import srnn
from fivo.models import vrnn
from fivo.sampling import continuations
from fivo.sampling import sample_files
from fivo.system import errors
from fivo.system import faults
from fivo.system import files
from fivo.training import loop as training
from fivo.training import optimization
from fivo.training import validation

_CREATE_MODEL = {"vrnn": vrnn.create_vrnn, "srnn": srnn.create_srnn}


def create_dataset_and_model(config, split, shuffle, repeat):
  """Creates what a runner needs; `run_train` and the others take another.

  Args:
    config: A configuration, see `config.from_object`.
    split: "train", "valid" or "test".
    shuffle: Whether to shuffle the sequences.
    repeat: Whether to repeat the data without end.

  Returns:
    inputs: A float32 Tensor `[T, B, D]`: the targets centred and one step
      later.
    targets: A float32 Tensor `[T, B, D]`.
    lengths: An int32 Tensor `[B]`.
    model: An `ELBOTrainableSequenceModel`.
    mean: A float32 Tensor `[D]`, what the inputs were centred by, or None.

  Raises:
    UserError: If the options do not fit each other, or the data is bad.
  """
  config = config_lib.from_object(config)
  config_lib.validate_data(config, split)
  if config.model not in _CREATE_MODEL:
    raise errors.UserError("--model=%s: must be one of %s" % (
        config.model, ", ".join(sorted(_CREATE_MODEL))))
  order = dict(
      shuffle=shuffle, repeat=repeat, seed=config.random_seed,
      order=_order_of_sequences(config, shuffle, repeat),
      max_length=config.max_train_length if repeat else None,
      input_dropout=config.input_dropout if repeat else 0.,
      skip=config.start_step * config.batch_size if repeat else 0)
  if config.dataset_type == "pianoroll":
    inputs, targets, lengths, mean = datasets.create_pianoroll_dataset(
        config.dataset_path, split, config.batch_size, **order)
    mean_value = tf.get_static_value(mean)
    config_lib.check_train_mean(config, mean_value)
    # A Bernoulli with these logits has the data's mean.
    emission_bias_init = -np.log(
        1. / np.clip(mean_value, 0.0001, 0.9999) - 1.)
    emission_class = base.ConditionalBernoulliDistribution
  else:
    inputs, targets, lengths = datasets.create_speech_dataset(
        config_lib.speech_path(config, split), config.batch_size,
        samples_per_timestep=config_lib.data_dimension(config), **order)
    mean = None
    emission_bias_init = 0.0
    emission_class = base.ConditionalNormalDistribution
  model = _CREATE_MODEL[config.model](
      config_lib.data_dimension(config),
      config.latent_size,
      emission_class,
      proposal_type=config.proposal_type,
      sigma_min=0.0,
      raw_sigma_bias=0.5,
      emission_bias_init=emission_bias_init,
      use_tilt=config_lib.uses_tilt(config),
      random_seed=config_lib.noise_seed(config),
      emission_sigma_min=config.emission_sigma_min)
  return inputs, targets, lengths, model, mean


def _order_of_sequences(config, shuffle, repeat):
  """The order of `batching.ORDERS`: similar lengths waste less on padding."""
  if shuffle and repeat and config.bucket_by_length:
    return batching.BUCKETED
  if config.sort_by_length and not shuffle:
    return batching.SORTED
  return batching.default_order(shuffle)


def run_train(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Trains a model; resumes the run that the logdir holds.

  Args:
    config: A configuration, see `config.from_object`.
    create_dataset_and_model_fn: A callable like `create_dataset_and_model`.

  Raises:
    UserError: If the configuration, the data or the logdir is wrong, or the
      bound is not finite.
    SystemExit: After Ctrl-C or SIGTERM, once a checkpoint is saved.
  """
  config = training.begin(config)
  if training.is_finished(config, config.start_step):
    return
  if config.task == 0:
    files.check_directory("logdir", config.logdir)
  validator = validation.create(config, create_dataset_and_model_fn)
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(config.random_seed)
    if config.xla:
      xla.configure()
    with training.device_setter(config):
      create = functools.partial(
          create_dataset_and_model_fn, config, split="train", shuffle=True,
          repeat=True)
      inputs, targets, lengths, model, mean = create()
      feeder = feeding.feeder(config, lambda: tuple(create()[:3]))
      if feeder is not None:
        inputs, targets, lengths = feeder.placeholders
      log_p_hat, grads_and_vars, hooks = _bound_and_gradients(
          config, model, (inputs, targets), lengths)
      objective = _objective(config, log_p_hat, lengths, summarize=True)
      train_op = optimization.create_train_op(
          -objective, config.bound,
          optimization.scheduled_learning_rate(config),
          config.clip_gradient_norm, grads_and_vars, config.average_variables)
    label = "%s bound per %s" % (
        config.bound,
        "timestep" if config.normalize_by_seq_len else "sequence")
    with training.owning_logdir(config):
      if config.task == 0:
        config_lib.save(config, train_mean=_static_mean(mean))
      training.train(
          config, train_op, {"bound": objective}, lambda step, values:
          "Step %d, %s: %f" % (step, label, values["bound"]), validator,
          hooks + [feeder] if feeder else hooks)


def _bound_and_gradients(config, model, observations, lengths):
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
    log_p_hat = training.create_bound(
        config, model, observations, lengths).log_p_hat
    return log_p_hat, None, []
  if not isinstance(model, recurrent.TrainableRecurrentModel):
    raise errors.UserError(
        "--xla: compiles a VRNN or SRNN; %s is none" % type(model).__name__)
  variables = []

  def compute(observations, lengths, run_filter):
    log_p_hat = training.create_bound(
        config, model, observations, lengths,
        run_filter=run_filter).log_p_hat
    gradients, variables[:] = zip(*optimization.compute_gradients(
        -_objective(config, log_p_hat, lengths)))
    return [log_p_hat] + list(gradients)

  (log_p_hat, *gradients), length = xla.compile_step(
      compute, model, observations, lengths,
      num_particles=1 if config.bound == "elbo" else config.num_samples,
      seed=config_lib.noise_seed(config))
  return (log_p_hat, list(zip(gradients, variables)),
          [xla.CompilationHook(length)])


def _objective(config, log_p_hat, lengths, summarize=False):
  """What training maximizes, a scalar Tensor in nats; maybe with summaries."""
  ll_per_seq = tf.reduce_mean(log_p_hat)
  ll_per_t = tf.reduce_mean(log_p_hat / tf.cast(lengths, log_p_hat.dtype))
  if summarize:
    tf.compat.v1.summary.scalar("train_ll_per_seq", ll_per_seq)
    tf.compat.v1.summary.scalar("train_ll_per_t", ll_per_t)
  return ll_per_t if config.normalize_by_seq_len else ll_per_seq


def _static_mean(mean):
  """The value of a constant mean; None where it is none or not constant."""
  return None if mean is None else tf.get_static_value(
      tf.convert_to_tensor(mean))


def run_eval(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Evaluates the newest checkpoint on all sequences of a split.

  With `eval_interval_secs` it goes on with each new one, see
  `following.evaluate_each`.

  Args:
    config: A configuration, see `config.from_object`.
    create_dataset_and_model_fn: A callable like `create_dataset_and_model`.

  Returns:
    An `evaluation.EvalResult`, the last one.

  Raises:
    UserError: If the configuration, the data or the checkpoint is wrong, or a
      bound is NaN.
    SystemExit: On SIGTERM, if it follows the checkpoints.
  """
  config = config_lib.resolve(config)
  config_lib.validate(config, "eval")
  config, path = following.find_first(config)
  evaluator = evaluator_lib.Evaluator(config, create_dataset_and_model_fn)
  with contextlib.closing(evaluation.create_summaries(config)) as summaries:
    return following.evaluate_each(config, path, functools.partial(
        _evaluate_and_report, evaluator, config, summaries))


def _evaluate_and_report(evaluator, config, summaries, path):
  """Evaluates a checkpoint and gives its `evaluation.EvalResult`."""
  step, result = evaluator.evaluate(path)
  evaluation.report(result, config, step, summaries)
  return result


def run_sample(config, create_dataset_and_model_fn=create_dataset_and_model):
  """Samples continuations of prefixes and writes both to `samples.npz`.

  Args:
    config: A configuration, see `config.from_object`.
    create_dataset_and_model_fn: A callable like `create_dataset_and_model`.

  Returns:
    The path of the file, see `sample_files.write`.

  Raises:
    UserError: If the configuration, the data or the checkpoint is wrong, or no
      sequence is as long as the prefix.
  """
  config = config_lib.resolve(config)
  config_lib.validate(config, "sample")
  path = checkpoints.require(config.logdir, config.wait_for_checkpoint)
  sample_files.load_statistics(config)  # Refuses before any work is done.
  out_dir = config.sample_out_dir or config.logdir
  files.check_directory("sample_out_dir", out_dir, [sample_files.FILE_NAME])
  with tf.Graph().as_default():
    tf.compat.v1.set_random_seed(config.random_seed)
    tf.compat.v1.train.get_or_create_global_step()
    inputs, targets, lengths, model, mean = create_dataset_and_model_fn(
        config, split=config.split, shuffle=True, repeat=False)
    prefix_shape = [config.prefix_length, config.batch_size, targets.shape[2]]
    prefixes = [tf.compat.v1.placeholder(x.dtype, prefix_shape)
                for x in (inputs, targets)]
    samples = continuations.sample_continuations(
        model, prefixes[0], prefixes[1], mean, config.bound,
        config.num_samples, config.sample_length,
        parallel_iterations=config.parallel_iterations,
        random_seed=config_lib.noise_seed(config))
    variables = tf.compat.v1.global_variables()
    checkpoints.check_compatible(path, variables)
    session_creator = tf.compat.v1.train.ChiefSessionCreator(
        tf.compat.v1.train.Scaffold(
            saver=tf.compat.v1.train.Saver(variables)),
        checkpoint_filename_with_path=path)
    with tf.compat.v1.train.MonitoredSession(session_creator) as session:
      values = _draw_prefixes(
          feeding.batches(session, (inputs, targets, lengths)), config)
      sample_values = session.run(samples, feeding.feed(prefixes, values))
  with faults.naming_flag("sample_out_dir", out_dir):
    files.prepare_directory("sample_out_dir", out_dir)
    return sample_files.write(out_dir, values[1], sample_values, config)


def _draw_prefixes(batches, config):
  """Takes prefixes from the first sequences that are long enough.

  Args:
    batches: An iterator over batches `(inputs, targets, lengths)` in random
      order.
    config: A `Config`.

  Returns:
    Inputs and targets, float arrays `[prefix_length, B, D]` each. If fewer
    than B sequences are long enough, some come more than once.

  Raises:
    UserError: If no sequence is long enough.
  """
  drawn = []
  longest = 0
  for inputs, targets, lengths in batches:
    longest = max(longest, lengths.max())
    drawn.extend(
        (inputs[:config.prefix_length, b], targets[:config.prefix_length, b])
        for b in np.flatnonzero(lengths >= config.prefix_length))
    if len(drawn) >= config.batch_size:
      break
  if not drawn:
    raise errors.UserError(
        "--prefix_length=%d: no sequence of the %s split is that long; must be "
        "at most %d" % (config.prefix_length, config.split, longest))
  if len(drawn) < config.batch_size:
    logging.warning(
        "Only %d sequences have %d timesteps: some prefixes come more than "
        "once in the batch of %d.", len(drawn), config.prefix_length,
        config.batch_size)
  chosen = [drawn[b % len(drawn)] for b in range(config.batch_size)]
  return [np.stack(x, axis=1) for x in zip(*chosen)]
