"""The configuration of a run: plain data, checked, and kept in its logdir.

Flags fill a configuration, but any object with the options as attributes will
do: an options table (`options.py`) supplies what it lacks. Training stores the
configuration in the logdir; a later call there takes from it every option that
it is not given itself, so that a run is evaluated as the model it is.
"""

import collections
import json
import os

from absl import logging
import numpy as np

from fivo.config import cluster_spec
from fivo.config import options
from fivo.config import validation_options
from fivo.system import errors
from fivo.system import files

FILE_NAME = "config.json"
_FORMAT = 1
_REMEDY = "restore it, or delete it to go by flags alone"

# Particles of all sequences together; TensorFlow counts rows in 32 bits.
_MAX_ROWS = 2 ** 31 - 1

PIANOROLL_DIMENSION = 88
SPEECH_DIMENSION = 200

# Beside the options: which of them were given rather than left at a default;
# the global step at which the run resumes; the mean of the run's training data,
# if it keeps one; whether data that is not shuffled may come by length.
Config = collections.namedtuple("Config", tuple(options.OPTIONS) + (
    "given", "start_step", "train_mean", "sort_by_length"))


def from_object(source):
  """Reads a configuration.

  Args:
    source: A `Config`; absl's `FLAGS`; or any object with options as
      attributes, all of which count as given.

  Returns:
    A `Config`.

  Raises:
    UserError: If a URL is given for a path.
  """
  if isinstance(source, Config):
    return source
  values = {}
  given = set()
  for name, option in options.OPTIONS.items():
    values[name] = getattr(source, name, option.default)
    if _is_given(source, name):
      given.add(name)
    if option.is_path and isinstance(values[name], (str, os.PathLike)):
      with errors.naming_flag(name):
        values[name] = files.local_path(values[name])
  return Config(given=frozenset(given), start_step=0, train_mean=None,
                sort_by_length=False, **values)


def _is_given(source, name):
  """Whether an option was given, rather than left at a flag's default."""
  try:
    return bool(source[name].present)  # absl's flags.
  except (TypeError, KeyError, AttributeError):
    return hasattr(source, name)


def uses_tilt(config):
  """Whether the model has a tilt."""
  return config.bound == "fivo-aux"


def noise_seed(config):
  """The op seed of the model's samples and the resampling, or None.

  A resumed run goes on with numbers that it has not used yet.

  Args:
    config: A `Config`.

  Returns:
    An int or None.
  """
  if config.random_seed is None:
    return None
  return config.random_seed + config.start_step


def data_dimension(config):
  """The size of an observation."""
  if config.data_dimension is not None:
    return config.data_dimension
  return (PIANOROLL_DIMENSION
          if config.dataset_type == "pianoroll" else SPEECH_DIMENSION)


def model_options(config):
  """What defines a model.

  Args:
    config: A `Config`.

  Returns:
    A list of pairs, the name of an option and its value: None where the model
    does not heed it. Of bounds, those without a tilt count as one.
  """
  resolved = config._replace(data_dimension=data_dimension(config))
  pairs = [(option.name, getattr(resolved, option.name)
            if option.models is None or config.model in option.models else None)
           for option in options.OPTIONS.values()
           if option.scope == options.MODEL]
  return pairs + [("bound", config.bound if uses_tilt(config) else "fivo")]


def validate(config, mode=None):
  """Refuses options out of range and combinations that cannot work.

  Args:
    config: A `Config`.
    mode: "train", "eval" or "sample": logs a warning for every option given
      that this mode, or the model, ignores.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  for name, option in options.OPTIONS.items():
    value = getattr(config, name)
    complaint = option.complaint(value)
    if complaint:
      raise errors.UserError("--%s=%s: %s" % (name, value, complaint))
  _validate_logdir(config.logdir)
  _validate_model(config)
  if mode:
    _warn_of_ignored(config, mode)


def _validate_logdir(logdir):
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


def _validate_model(config):
  """Refuses combinations of model, proposal and bound that cannot work."""
  if config.model == "ghmm" and uses_tilt(config):
    raise errors.UserError(
        "--bound=fivo-aux: the ghmm has no tilt; use elbo, iwae or fivo")
  if config.model != "ghmm" and config.proposal_type.startswith("true-"):
    raise errors.UserError(
        "--proposal_type=%s: only the ghmm knows its true conditionals; the %s "
        "takes prior, filtering or smoothing" % (
            config.proposal_type, config.model))
  if config.num_samples * config.batch_size > _MAX_ROWS:
    raise errors.UserError(
        "--num_samples=%d: times --batch_size=%d must be at most %d" % (
            config.num_samples, config.batch_size, _MAX_ROWS))
  _validate_cluster(config)
  _validate_xla(config)
  if (config.learning_rate_schedule != "constant" and
      config.schedule_steps is None):
    raise errors.UserError(
        "--learning_rate_schedule=%s: needs --schedule_steps, the step at "
        "which it ends" % config.learning_rate_schedule)
  validation_options.validate(config)


def _validate_cluster(config):
  """Refuses a place in a cluster that cannot be."""
  spec = cluster_spec.parse(config)
  if spec is None:
    for name in ("task", "ps_tasks"):
      if getattr(config, name) and not config.master:
        raise errors.UserError(
            "--%s=%d: needs --master, the address of this task's TensorFlow "
            "server, or --job_name, --ps_hosts and --worker_hosts" % (
                name, getattr(config, name)))
    if config.master:
      cluster_spec.master_address(config.master)
    return
  for name in ("master", "ps_tasks"):
    if getattr(config, name):
      raise errors.UserError(
          "--%s=%s: is for servers that you run yourself; leave it out, "
          "--ps_hosts and --worker_hosts say it all" % (
              name, getattr(config, name)))


def _validate_xla(config):
  """Refuses what cannot be compiled."""
  if not config.xla:
    return
  if config.resampling_type != "multinomial":
    raise errors.UserError(
        "--xla: cannot compile --resampling_type=%s; use multinomial" %
        config.resampling_type)
  if config.master or cluster_spec.parse(config) is not None:
    raise errors.UserError(
        "--xla: cannot compile variables of another process; train in one "
        "process, or without --xla")


def validate_data(config, split):
  """Refuses data options that cannot work with each other.

  Args:
    config: A `Config`.
    split: The split that is wanted.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  if not config.dataset_path:
    raise errors.UserError(
        "--dataset_path is empty: must be a %s" % (
            "pianoroll pickle" if config.dataset_type == "pianoroll" else
            "TFRecord file of speech, or a directory of them"))
  if (config.dataset_type == "pianoroll" and
      data_dimension(config) != PIANOROLL_DIMENSION):
    raise errors.UserError(
        "--data_dimension=%d: must be %d for --dataset_type=pianoroll" % (
            config.data_dimension, PIANOROLL_DIMENSION))
  if config.dataset_type == "speech" and os.path.isdir(config.dataset_path):
    path = speech_path(config, split)
    if not os.path.exists(path):
      raise errors.UserError(
          "--dataset_path=%s: has no %s split, which would be the file %s" % (
              config.dataset_path, split, path))


def speech_path(config, split):
  """The TFRecord file of a split of speech.

  Args:
    config: A `Config`.
    split: "train", "valid" or "test".

  Returns:
    `dataset_path` if it is a file; if it is a directory, the file in it that is
    named like the split.
  """
  if os.path.isdir(config.dataset_path):
    return os.path.join(config.dataset_path, split)
  return config.dataset_path


def _warn_of_ignored(config, mode):
  """Logs a warning for options that were given but have no effect."""
  for name in sorted(config.given):
    option = options.OPTIONS[name]
    if option.models and config.model not in option.models and (
        getattr(config, name) != option.default):
      logging.warning("--%s is ignored by --model=%s.", name, config.model)
  file_split = os.path.basename(speech_path(config, config.split))
  if (config.dataset_type == "speech" and mode != "train" and
      file_split in ("train", "valid", "test") and file_split != config.split):
    logging.warning(
        "--split=%s is ignored: --dataset_path=%s is the %s split. Give the "
        "directory to choose by --split.", config.split, config.dataset_path,
        file_split)
  is_fivo = config.bound in ("fivo", "fivo-aux")
  if mode == "train":
    if config.resampling_type != "multinomial" and not is_fivo:
      logging.warning("--resampling_type=%s is ignored: --bound=%s does not "
                      "resample.", config.resampling_type, config.bound)
    if is_fivo and config.num_samples == 2:
      logging.warning(
          "--num_samples=2 makes FIVO the same as IWAE: with two particles the "
          "effective sample size never falls to N/2. Use at least 3.")


def load(logdir):
  """Reads what a logdir keeps of its run.

  Args:
    logdir: A directory, which need not exist.

  Returns:
    A dict of options, empty where the logdir keeps none (one that the original
    code made, for example), and the mean of the training data or None.

  Raises:
    UserError: If the file cannot be understood.
  """
  path = os.path.join(logdir, FILE_NAME)
  if not os.path.exists(path):
    return {}, None
  culprit = "--logdir=%s: its %s" % (logdir, FILE_NAME)
  try:
    stored = files.read_json(path)
    stored_options = dict(stored["options"])
    mean = stored["train_mean"]
    if mean is not None:
      mean = _checked_mean(mean)
  except OSError as e:
    raise errors.UserError("%s cannot be read: %s" % (
        culprit, e.strerror)) from e
  except (ValueError, OverflowError, TypeError, KeyError) as e:
    raise errors.UserError(
        "%s is no configuration that this program wrote (%s: %s); %s" % (
            culprit, type(e).__name__, e, _REMEDY)) from e
  known = {name: value for name, value in stored_options.items()
           if name in options.OPTIONS}
  for name, value in known.items():
    complaint = options.OPTIONS[name].complaint(value)
    if complaint:
      raise errors.UserError("%s has a %s that %s; %s" % (
          culprit, name, complaint, _REMEDY))
  return known, mean


def _checked_mean(values):
  """Makes a mean of a list, or raises a ValueError or TypeError."""
  mean = np.array(values, dtype=np.float32)
  if mean.ndim != 1 or not np.isfinite(mean).all():
    raise ValueError("train_mean must be a list of finite numbers")
  return mean


def resolve(config, log_changes=False):
  """Completes a configuration from the one that its logdir keeps.

  Args:
    config: A `Config`, or an object for `from_object`.
    log_changes: Whether to log options that differ from the run's so far.

  Returns:
    A `Config`. An option that was not given has the run's value.

  Raises:
    UserError: If an option that was given contradicts what the run's model is.
  """
  config = from_object(config)
  stored, train_mean = load(config.logdir)
  changes = {}
  for name, value in stored.items():
    option = options.OPTIONS[name]
    if option.scope == options.CALL:
      continue
    if name not in config.given:
      changes[name] = files.local_path(value) if option.is_path else value
    elif _stored_value(config, name) != value:
      _check_change(config, option, value, stored)
      if log_changes:
        logging.info("--%s=%s: was %s so far in %s.", name,
                     getattr(config, name), value, config.logdir)
  return config._replace(train_mean=train_mean, **changes)


def _stored_value(config, name):
  """An option's value in the form in which a logdir keeps it."""
  value = getattr(config, name)
  if name == "dataset_path" and value:
    return os.path.abspath(value)  # For a later call from another directory.
  return value


def _check_change(config, option, stored_value, stored):
  """Refuses a change of what defines the run's model."""
  name, value = option.name, getattr(config, option.name)
  model = stored.get("model", config.model)
  heeded = option.models is None or model in option.models
  is_tilt = name == "bound" and "fivo-aux" in (value, stored_value)
  if heeded and (option.scope == options.MODEL or is_tilt):
    if option.default is None and None in (value, stored_value):
      return  # Left open once, spelled out the other time.
    raise errors.UserError(
        "--%s=%s: the run in %s has %s, which defines its model; leave the "
        "flag out, or use another --logdir" % (
            name, value, config.logdir, stored_value))


def check_train_mean(config, mean):
  """Refuses data whose mean is not the one that the run was trained with.

  The mean centres the inputs and sets the emission's bias, so another one makes
  another model of the same checkpoint.

  Args:
    config: A `Config` that `resolve` returned.
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


def save(config, train_mean=None):
  """Keeps a configuration in its logdir.

  Args:
    config: A `Config`.
    train_mean: None, or a float array `[D]`, the mean of the training data.

  Raises:
    OSError: If the logdir cannot be written to.
  """
  stored = collections.OrderedDict(
      (name, _stored_value(config, name))
      for name, option in options.OPTIONS.items()
      if option.scope != options.CALL)
  if train_mean is not None:
    train_mean = [float(x) for x in np.asarray(train_mean)]
  with files.atomic_write(os.path.join(config.logdir, FILE_NAME), "w") as f:
    json.dump(collections.OrderedDict([
        ("format", _FORMAT), ("options", stored), ("train_mean", train_mean)
    ]), f, indent=2)
    f.write("\n")
