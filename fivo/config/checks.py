"""Refuses option values that cannot work, alone or together."""

import importlib.util
import os

import numpy as np

from fivo.config import catalogue
from fivo.config import cluster_spec
from fivo.config import options
from fivo.system import errors
from fivo.system import log

# The largest number of particles of all sequences: rows are int32.
_MAX_ROWS = 2 ** 31 - 1


def check_options(config):
  """Refuses options of a `Config` that are out of their range."""
  for name, option in options.OPTIONS.items():
    value = getattr(config, name)
    complaint = option.complaint(value, config.own_names)
    if complaint:
      raise errors.UserError("--%s=%s: %s" % (name, value, complaint))
  _check_logdir(config.logdir)


def _check_logdir(logdir):
  """Refuses names that TensorFlow cannot open, and an empty one."""
  if not logdir:
    raise errors.UserError("--logdir is empty: must be a directory's name")
  try:
    logdir.encode("utf-8")
  except UnicodeEncodeError:
    raise errors.UserError(
        "--logdir=%s: must be UTF-8, as TensorFlow requires" % (
            ascii(logdir)[1:-1])) from None
  if any(c in logdir for c in "*?[\\"):
    raise errors.UserError(
        "--logdir=%s: must not contain * ? [ \\, which TensorFlow takes for a "
        "pattern when it restores" % logdir)


def check_combinations(config):
  """Refuses options of a `Config` that cannot work with each other."""
  for name, is_wrong, message in _refusals(config):
    if is_wrong:
      raise errors.UserError("%s: %s" % (_flag(config, name), message))
  if config.cluster is None and config.master:
    cluster_spec.master_address(config.master)
  if config.render:
    check_rendering("render")


def _flag(config, name):
  value = getattr(config, name)
  return "--" + name if value is True else "--%s=%s" % (name, value)


def _refusals(c):
  """Yields an option's name, whether it is wrong in a `Config`, and why."""
  yield ("bound",
         c.bound_traits.part == "tilt" and not c.model_traits.has_tilt,
         "the %s has no tilt; use one of %s" % (c.model, ", ".join(
             name for name, bound in catalogue.BOUNDS.items()
             if bound.part != "tilt")))
  yield ("proposal_type",
         c.proposal_type.startswith("true-") and (
             not c.model_traits.knows_posterior),
         "only the ghmm knows its true conditionals; the %s takes prior, "
         "filtering or smoothing" % c.model)
  yield ("num_samples", c.num_samples * c.batch_size > _MAX_ROWS,
         "times --batch_size=%d must be at most %d" % (
             c.batch_size, _MAX_ROWS))
  schemes = _gradients(c, "resampling_gradients").schemes
  yield ("resampling_gradients", c.resampling_type not in schemes,
         "needs --resampling_type of %s, not %s" % (
             ", ".join(schemes), c.resampling_type))
  yield ("transpose_octaves",
         c.transpose_octaves and c.dataset_type != "pianoroll",
         "transposes pianorolls, not --dataset_type=" + str(c.dataset_type))
  for name, is_fixed in (
      ("proposal_type", c.proposal_type == "prior"),
      ("iwae_gradients", not _gradients(c, "iwae_gradients").warms_up)):
    yield ("kl_warmup_steps", c.warms_up and is_fixed,
           "scales the log ratio of prior and proposal, which does not work "
           "with %s; leave one of them out" % _flag(c, name))
  for name in ("task", "ps_tasks"):
    yield (name, c.cluster is None and getattr(c, name) and not c.master,
           "needs --master, the address of this task's TensorFlow server, or "
           "--job_name, --ps_hosts and --worker_hosts")
  for name in ("master", "ps_tasks"):
    yield (name, c.cluster is not None and getattr(c, name),
           "is for servers that you run yourself; leave it out: --ps_hosts and "
           "--worker_hosts suffice")
  yield ("twist", c.uses_twist and c.twist == "optimal" and (
      not c.model_traits.knows_posterior),
         "only the ghmm knows its optimal twist; the %s takes dre or joint" % (
             c.model))
  yield ("batch_size",
         c.learns_density_ratio and c.mode == "train" and c.batch_size < 2,
         "--twist=dre contrasts the sequences of a batch; use at least 2")
  yield from _refusals_of_xla(c)
  yield ("learning_rate_schedule",
         c.learning_rate_schedule != "constant" and c.schedule_steps is None,
         "needs --schedule_steps, the step at which it ends")
  for name in ("export_best", "early_stop_patience"):
    yield (name, c.eval_every is None and getattr(c, name),
           "depends on the bound on the valid split; give --eval_every, the "
           "steps between its evaluations")
  yield ("eval_every",
         c.eval_every is not None and not c.model_traits.needs_data,
         "the ghmm has no valid split: its data is endless; its log lines "
         "compare the bound with the exact likelihood; leave the flag out")


def _refusals_of_xla(c):
  """Yields what `_refusals` does, of options that cannot be compiled."""
  yield ("xla", c.xla and not c.scheme.compiles,
         "cannot compile %s; use one of %s" % (
             _flag(c, "resampling_type"),
             ", ".join(catalogue.names(catalogue.SCHEMES, compiles=True))))
  yield ("xla", c.xla and not c.bound_traits.compiles,
         "cannot compile %s; use one of %s" % (
             _flag(c, "bound"),
             ", ".join(catalogue.names(catalogue.BOUNDS, compiles=True))))
  for name in ("resampling_gradients", "iwae_gradients"):
    yield ("xla", c.xla and not _gradients(c, name).compiles,
           "cannot compile " + _flag(c, name))
  yield ("xla", c.xla and (c.master or c.cluster is not None),
         "cannot compile variables of another process; train in one process, "
         "or without --xla")


def _gradients(config, name):
  """The catalogue's entry for --resampling_gradients or --iwae_gradients."""
  return getattr(catalogue, name.upper())[getattr(config, name)]


def check_data(config, split):
  """Refuses options of data that do not provide a split."""
  kind = catalogue.DATASET_TYPES.get(config.dataset_type)
  if kind is None:
    raise errors.UserError("--dataset_type=%s: must be one of %s" % (
        config.dataset_type, ", ".join(sorted(catalogue.DATASET_TYPES))))
  if not config.dataset_path:
    raise errors.UserError("--dataset_path is required: a " + kind.path)
  if kind.fixed_dimension:
    check_dimension(config, kind.fixed_dimension, "--dataset_type=" + kind.name)
  path = config.path_of_split(split)
  if path != config.dataset_path and not os.path.exists(path):
    raise errors.UserError(
        "--dataset_path=%s: has no %s split, which would be the file %s" % (
            config.dataset_path, split, path))


def check_dimension(config, dimension, culprit):
  """Refuses a `data_dimension` that is not the data's."""
  if config.data_dimension not in (None, dimension):
    raise errors.UserError("--data_dimension=%d: must be %d for %s" % (
        config.data_dimension, dimension, culprit))


def check_emission(config, is_binary):
  """Refuses an `emission` that does not suit the data."""
  if catalogue.EMISSIONS[config.emission].needs_binary and not is_binary:
    raise errors.UserError(
        "--dataset_path=%s: has observations other than zeros and ones, which "
        "--emission=%s is for; use --emission=independent" % (
            config.dataset_path, config.emission))


def check_train_mean(config, mean):
  """Refuses data with another mean `[D]` than that of the run's model."""
  if config.train_mean is None:
    return
  mean = np.asarray(mean)
  if mean.shape != config.train_mean.shape or not np.allclose(
      mean, config.train_mean, rtol=1e-5, atol=1e-6):
    raise errors.UserError(
        "--dataset_path=%s: its train_mean is not the one that the run in %s "
        "was trained with; use that run's dataset, or another --logdir" % (
            config.dataset_path, config.logdir))


def check_sound(config, statistics):
  """Refuses --sample_wav if there is no `SpeechStatistics` of the data."""
  if config.dataset_type != "speech":
    raise errors.UserError(
        "--sample_wav: only speech is sound; the data is of "
        "--dataset_type=%s" % config.dataset_type)
  if statistics is None:
    raise errors.UserError(
        "--sample_wav: needs speech with statistics.json beside its records, "
        "as create_timit_dataset.py writes it; --dataset_path=%s has none" % (
            config.dataset_path))


def missing_for_rendering():
  """The packages of the extra `render` that are missing; loads none."""
  return [name for name in ("matplotlib", "mido")
          if importlib.util.find_spec(name) is None]


def check_rendering(flag):
  """Refuses a flag that asks to render if packages are missing."""
  if missing_for_rendering():
    raise errors.UserError(
        "--%s: needs %s; install with: pip install 'fivo[render]', or leave "
        "the flag out" % (flag, " and ".join(missing_for_rendering())))


def log_remarks(config):
  """Logs options that have no effect and, in training, that have changed."""
  is_training = config.mode == "train"
  if is_training:
    for name, value in config.former.items():
      log.info("%s: was %s so far in %s.", _flag(config, name), value,
               config.logdir)
  for name in sorted(config.given):
    if not options.OPTIONS[name].concerns(config.model) and (
        _is_set(config, name)):
      log.warning("--%s is ignored by --model=%s.", name, config.model)
  for name, has_no_effect, reason in _ignored(config):
    if has_no_effect and (name == "split" or _is_set(config, name)):
      log.warning("%s is ignored: %s", _flag(config, name), reason)
  if not is_training:
    return
  if config.warms_up:
    log.info("Until step %d the log lines show the warm-up's objective, not "
             "the %s bound.", config.kl_warmup_steps, config.bound)
  if (config.bound_traits.resamples and config.num_samples == 2 and
      config.ess_threshold <= .5 and config.resampling_criterion == "ess"):
    log.warning(
        "--num_samples=2 makes FIVO the same as IWAE: with two particles the "
        "effective sample size never falls to N/2. Use at least 3, or an "
        "--ess_threshold above 0.5.")
  if (config.uses_twist and config.twist == "joint" and
      config.resampling_gradients == "none"):
    log.warning(
        "--twist=joint: learns only through resampling, which the gradient "
        "ignores; use --resampling_gradients=score.")


def _is_set(config, name):
  return getattr(config, name) != options.OPTIONS[name].default


def _ignored(c):
  """Yields an option's name, whether it has no effect, and why."""
  is_training, needs_data = c.mode == "train", c.model_traits.needs_data
  resamples, bound = c.bound_traits.resamples, _flag(c, "bound")
  yield ("diagnostics", not resamples and (is_training or not needs_data),
         bound + " does not resample.")
  file_split = os.path.basename(c.path_of_split(c.split))
  yield ("split", (not is_training and c.dataset_type == "speech" and
                   file_split in options.OPTIONS["split"].choices and
                   file_split != c.split),
         "--dataset_path=%s is the %s split. Give the directory to choose by "
         "--split." % (c.dataset_path, file_split))
  if not is_training:
    return
  yield ("diagnostics", c.xla and needs_data,
         "with --xla the filter records no ancestors.")
  for name in ("resampling_type", "resampling_criterion",
               "resampling_gradients"):
    yield name, not resamples, bound + " does not resample."
  yield "iwae_gradients", resamples, bound + " does not use it."
  for name in ("twist", "twist_steps", "model_steps"):
    yield name, not c.uses_twist, bound + " has no twist."
  for name in ("twist_steps", "model_steps"):
    yield (name, c.uses_twist and not c.learns_density_ratio,
           "%s needs no classifier." % _flag(c, "twist"))
