"""Refuses options that cannot work, alone or with each other."""

import os

import numpy as np

from fivo.config import cluster_spec
from fivo.config import options
from fivo.system import errors
from fivo.system import log
from fivo.system import rendering_extra

PIANOROLL_DIMENSION = 88

# Particles of all sequences together; TensorFlow counts rows in 32 bits.
_MAX_ROWS = 2 ** 31 - 1

_DATASET_PATHS = {
    "pianoroll": "pianoroll pickle",
    "pose": "pickle of poses",
    "series": ".npz file of series, or a directory of CSV files",
    "speech": "TFRecord file of speech, or a directory of them",
}


def check_options(config):
  """Refuses options out of their range.

  Args:
    config: A `Config`.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  for name, option in options.OPTIONS.items():
    value = getattr(config, name)
    complaint = option.complaint(value, config.own_names)
    if complaint:
      raise errors.UserError("--%s=%s: %s" % (name, value, complaint))
  _check_logdir(config.logdir)


def _check_logdir(logdir):
  """Refuses names that TensorFlow cannot open, and the nameless directory."""
  if not logdir:
    raise errors.UserError("--logdir is empty: must be a directory's name")
  try:
    logdir.encode("utf-8")
  except UnicodeEncodeError:
    raise errors.UserError(
        "--logdir=%s: must be UTF-8, as TensorFlow wants names" % (
            ascii(logdir)[1:-1])) from None
  if any(c in logdir for c in "*?[\\"):
    raise errors.UserError(
        "--logdir=%s: must hold none of * ? [ \\, which TensorFlow takes for a "
        "pattern when it restores" % logdir)


def check_combinations(config):
  """Refuses options that cannot work with each other.

  Args:
    config: A `Config` whose options are in their ranges, with its `cluster`.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  if config.model == "ghmm" and config.uses_tilt:
    raise errors.UserError(
        "--bound=fivo-aux: the ghmm has no tilt; use elbo, iwae, fivo or sixo")
  if config.model in options.RECURRENT and (
      config.proposal_type.startswith("true-")):
    raise errors.UserError(
        "--proposal_type=%s: only the ghmm knows its true conditionals; the %s "
        "takes prior, filtering or smoothing" % (
            config.proposal_type, config.model))
  if config.num_samples * config.batch_size > _MAX_ROWS:
    raise errors.UserError(
        "--num_samples=%d: times --batch_size=%d must be at most %d" % (
            config.num_samples, config.batch_size, _MAX_ROWS))
  _check_gradients(config)
  _check_warm_up(config)
  _check_cluster(config)
  _check_twist(config)
  _check_xla(config)
  if (config.learning_rate_schedule != "constant" and
      config.schedule_steps is None):
    raise errors.UserError(
        "--learning_rate_schedule=%s: needs --schedule_steps, the step at "
        "which it ends" % config.learning_rate_schedule)
  _check_validation(config)
  if config.render:
    rendering_extra.check("render")


def _check_gradients(config):
  """Refuses gradients that a resampling scheme does not have."""
  schemes = {"score": ("multinomial",), "stop_gradient": options.COPYING_TYPES}
  allowed = schemes.get(config.resampling_gradients)
  if allowed and config.resampling_type not in allowed:
    raise errors.UserError(
        "--resampling_gradients=%s: needs --resampling_type of %s, not %s" % (
            config.resampling_gradients, ", ".join(allowed),
            config.resampling_type))


def _check_warm_up(config):
  """Refuses to warm up what is not there, or what it would bias."""
  if config.kl_warmup_steps is None or config.model not in options.RECURRENT:
    return
  for name, value in (("proposal_type", "prior"), ("iwae_gradients", "dreg")):
    if getattr(config, name) == value:
      raise errors.UserError(
          "--kl_warmup_steps=%d: weighs the log ratio of prior and proposal, "
          "which --%s=%s takes for granted; leave one of them out" % (
              config.kl_warmup_steps, name, value))


def _check_cluster(config):
  """Refuses a place in a cluster that cannot be."""
  for name in ("task", "ps_tasks"):
    if config.cluster is None and getattr(config, name) and not config.master:
      raise errors.UserError(
          "--%s=%d: needs --master, the address of this task's TensorFlow "
          "server, or --job_name, --ps_hosts and --worker_hosts" % (
              name, getattr(config, name)))
  if config.cluster is None and config.master:
    cluster_spec.master_address(config.master)
  for name in ("master", "ps_tasks"):
    if config.cluster is not None and getattr(config, name):
      raise errors.UserError(
          "--%s=%s: is for servers that you run yourself; leave it out, "
          "--ps_hosts and --worker_hosts say it all" % (
              name, getattr(config, name)))


def _check_twist(config):
  """Refuses a twist that cannot be learned."""
  if not config.uses_twist:
    return
  if config.twist == "optimal" and config.model in options.RECURRENT:
    raise errors.UserError(
        "--twist=optimal: only the ghmm knows its optimal twist; the %s takes "
        "dre or joint" % config.model)
  if (config.learns_density_ratio and config.mode == "train" and
      config.batch_size < 2):
    raise errors.UserError(
        "--batch_size=%d: --twist=dre tells sequences of a batch from each "
        "other; use at least 2" % config.batch_size)


def _check_xla(config):
  """Refuses what cannot be compiled."""
  if not config.xla:
    return
  if config.resampling_type not in options.COPYING_TYPES:
    raise errors.UserError(
        "--xla: cannot compile --resampling_type=%s; use one of %s" % (
            config.resampling_type, ", ".join(options.COPYING_TYPES)))
  if config.uses_twist:
    raise errors.UserError(
        "--xla: cannot compile --bound=sixo; use elbo, iwae, fivo or fivo-aux")
  for name in ("resampling_gradients", "iwae_gradients"):
    if getattr(config, name) != options.OPTIONS[name].default:
      raise errors.UserError("--xla: cannot compile --%s=%s" % (
          name, getattr(config, name)))
  if config.master or config.cluster is not None:
    raise errors.UserError(
        "--xla: cannot compile variables of another process; train in one "
        "process, or without --xla")


def _check_validation(config):
  """Refuses evaluation in training that cannot be."""
  if config.eval_every is None:
    for name in ("export_best", "early_stop_patience"):
      if getattr(config, name):
        raise errors.UserError(
            "--%s=%s: goes by the bound on the valid split; give --eval_every, "
            "the steps between its evaluations" % (name, getattr(config, name)))
  elif config.model == "ghmm":
    raise errors.UserError(
        "--eval_every=%d: the ghmm has no valid split: its data is endless; "
        "its log lines compare the bound with the exact likelihood; leave the "
        "flag out" % config.eval_every)


def check_data(config, split):
  """Refuses data options that cannot work with each other.

  Args:
    config: A `Config`.
    split: The split that is wanted.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  if config.dataset_type not in _DATASET_PATHS:
    raise errors.UserError("--dataset_type=%s: must be one of %s" % (
        config.dataset_type, ", ".join(sorted(_DATASET_PATHS))))
  if not config.dataset_path:
    raise errors.UserError("--dataset_path is empty: must be a %s" % (
        _DATASET_PATHS[config.dataset_type]))
  if config.dataset_type == "pianoroll":
    check_dimension(config, PIANOROLL_DIMENSION, "--dataset_type=pianoroll")
  path = config.path_of_split(split)
  if path != config.dataset_path and not os.path.exists(path):
    raise errors.UserError(
        "--dataset_path=%s: has no %s split, which would be the file %s" % (
            config.dataset_path, split, path))


def check_dimension(config, dimension, culprit):
  """Refuses a `data_dimension` that is not the one of the data."""
  if config.data_dimension not in (None, dimension):
    raise errors.UserError("--data_dimension=%d: must be %d for %s" % (
        config.data_dimension, dimension, culprit))


def check_train_mean(config, mean):
  """Refuses data whose mean is not the one that the run was trained with.

  The mean centres the inputs and sets the emission's bias, so another one makes
  another model of the same checkpoint.

  Args:
    config: A `Config` that `config.resolve` returned.
    mean: A float array `[D]`, the data's mean.

  Raises:
    UserError: If the run has another mean.
  """
  if config.train_mean is None:
    return
  mean = np.asarray(mean)
  if mean.shape == config.train_mean.shape and np.allclose(
      mean, config.train_mean, rtol=1e-5, atol=1e-6):
    return
  raise errors.UserError(
      "--dataset_path=%s: its train_mean is not the one that the run in %s was "
      "trained with; use that run's dataset, or another --logdir" % (
          config.dataset_path, config.logdir))


def log_remarks(config):
  """Logs which options have no effect, and in training which have changed.

  Args:
    config: A `Config` that `config.resolve` returned.
  """
  if config.mode == "train":
    for name, value in config.former.items():
      log.info("--%s=%s: was %s so far in %s.", name, getattr(config, name),
               value, config.logdir)
  for name in sorted(config.given):
    option = options.OPTIONS[name]
    if not option.concerns(config.model) and (
        getattr(config, name) != option.default):
      log.warning("--%s is ignored by --model=%s.", name, config.model)
  if config.diagnostics and config.bound in ("elbo", "iwae") and (
      config.model == "ghmm" or config.mode == "train"):
    log.warning("--diagnostics is ignored: --bound=%s does not resample.",
                config.bound)
  if config.mode == "train":
    if config.kl_warmup_steps and config.model in options.RECURRENT:
      log.info("Until step %d the log lines show the warm-up's objective, not "
               "the %s bound.", config.kl_warmup_steps, config.bound)
    if (config.diagnostics and config.xla and
        config.model in options.RECURRENT):
      log.warning("--diagnostics is ignored: with --xla the filter records no "
                  "ancestors.")
    _remark_on_resampling(config)
    _remark_on_twist(config)
  elif config.dataset_type == "speech":
    _remark_on_split(config)


def _remark_on_resampling(config):
  """Warns of resampling that does not take place."""
  is_fivo = config.bound in ("fivo", "fivo-aux", "sixo")
  for name in ("resampling_type", "resampling_criterion",
               "resampling_gradients", "iwae_gradients"):
    if getattr(config, name) == options.OPTIONS[name].default:
      continue
    if name == "iwae_gradients" and config.bound not in ("iwae", "elbo"):
      log.warning("--iwae_gradients=%s is ignored: --bound=%s is another.",
                  config.iwae_gradients, config.bound)
    elif name != "iwae_gradients" and not is_fivo:
      log.warning("--%s=%s is ignored: --bound=%s does not resample.", name,
                  getattr(config, name), config.bound)
  if (is_fivo and config.num_samples == 2 and config.ess_threshold <= .5 and
      config.resampling_criterion == "ess"):
    log.warning(
        "--num_samples=2 makes FIVO the same as IWAE: with two particles the "
        "effective sample size never falls to N/2. Use at least 3, or an "
        "--ess_threshold above 0.5.")


def _remark_on_twist(config):
  """Warns of options of a twist that is not learned so."""
  if (config.uses_twist and config.twist == "joint" and
      config.resampling_gradients == "none"):
    log.warning(
        "--twist=joint: learns by how the filter resamples, which the gradient "
        "leaves out; use --resampling_gradients=score.")
  ignored, reason = (), ""
  if not config.uses_twist:
    ignored = ("twist", "twist_steps", "model_steps")
    reason = "--bound=%s has no twist" % config.bound
  elif not config.learns_density_ratio:
    ignored = ("twist_steps", "model_steps")
    reason = "--twist=%s needs no classifier" % config.twist
  for name in ignored:
    if getattr(config, name) != options.OPTIONS[name].default:
      log.warning("--%s=%s is ignored: %s.", name, getattr(config, name),
                  reason)


def _remark_on_split(config):
  """Warns of a split that is not the one of the file."""
  file_split = os.path.basename(config.path_of_split(config.split))
  if file_split in ("train", "valid", "test") and file_split != config.split:
    log.warning(
        "--split=%s is ignored: --dataset_path=%s is the %s split. Give the "
        "directory to choose by --split.", config.split, config.dataset_path,
        file_split)
