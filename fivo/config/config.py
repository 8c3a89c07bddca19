"""The configuration of a run: plain data, resolved and checked once.

Flags fill a configuration, but any object with the options as attributes will
do: an options table (`options.py`) supplies what it lacks. What it leaves open
comes from the configuration that the logdir keeps (`stored.py`), so that a run
is evaluated as the model it is; what cannot work is refused (`checks.py`). All
that happens at the door of a run, in `resolve`; inside there is only `Config`.
"""

import collections
import os

import numpy as np

from fivo.config import checks
from fivo.config import cluster_spec
from fivo.config import options
from fivo.config import stored
from fivo.data import series_info
from fivo.system import errors
from fivo.system import files

SPEECH_DIMENSION = 200


class Config(collections.namedtuple("Config", tuple(options.OPTIONS) + (
    "given", "own_names", "former", "cluster", "checkpoint", "start_step",
    "train_mean", "series", "sort_by_length"))):
  """A configuration: every option, and what follows from them.

  Attributes:
    given: A frozenset of the options that were given rather than left at a
      default.
    own_names: Whether models, datasets and splits may have names of the
      caller's own, which a function of the caller's understands.
    former: A dict from options that were given to the values that they had in
      the run so far, where those are others.
    cluster: A `ClusterSpec`; None for a process on its own.
    checkpoint: The path of the checkpoint from which training goes on, or None.
    start_step: The global step of that checkpoint, else 0.
    train_mean: A float array `[D]`, the mean of the run's training data; None
      if the logdir keeps none.
    series: The `SeriesInfo` of the time series that the run is trained on;
      None for other data, and where it is not known yet.
    sort_by_length: Whether data that is not shuffled may come by length.
  """

  __slots__ = ()

  @property
  def uses_tilt(self):
    """Whether the model has a tilt."""
    return self.bound == "fivo-aux"

  @property
  def uses_twist(self):
    """Whether the model has a twist."""
    return self.bound == "sixo"

  @property
  def learns_density_ratio(self):
    """Whether a twist is learned by a classifier."""
    return self.uses_twist and self.twist == "dre"

  @property
  def noise_seed(self):
    """The op seed of the model's samples and the resampling, or None.

    A resumed run goes on with numbers that it has not used yet.
    """
    return (None if self.random_seed is None else
            self.random_seed + self.start_step)

  def path_of_split(self, split):
    """The file of a split: of speech, each may have one in a directory."""
    if self.dataset_type == "speech" and os.path.isdir(self.dataset_path):
      return os.path.join(self.dataset_path, split)
    return self.dataset_path


def model_options(config):
  """What defines a model.

  Args:
    config: A `Config`.

  Returns:
    A list of pairs, the name of an option and its value: None where the model
    does not heed it. Of bounds, those with neither tilt nor twist count as one.
  """
  dimensions = {"pianoroll": checks.PIANOROLL_DIMENSION,
                "speech": SPEECH_DIMENSION}
  resolved = config._replace(
      data_dimension=config.data_dimension or dimensions.get(
          config.dataset_type))
  pairs = [(option.name, getattr(resolved, option.name)
            if option.concerns(config.model) else None)
           for option in options.OPTIONS.values()
           if option.scope == options.MODEL]
  has_part = config.uses_tilt or config.uses_twist
  return pairs + [("bound", config.bound if has_part else "fivo")]


# Pairs of a running `CallersFunction` and the configuration of its run.
_running = []


def from_object(source):
  """Reads a configuration; options that it lacks have their defaults.

  Args:
    source: A `Config`; absl's `FLAGS`; or any object with options as
      attributes, all of which count as given unless they are None. Within a
      function of `CallersFunction`, the caller's object stands for the
      configuration of the run, but for what the function has changed in it.

  Returns:
    A `Config`.

  Raises:
    UserError: If a URL is given for a path.
  """
  if isinstance(source, Config):
    return source
  for function, config in _running:
    if function.source is source:
      return function.updated(config)
  return _read(source)


class CallersFunction(object):
  """A function of a caller's, which gets the caller's own configuration.

  Attributes:
    source: The configuration that the caller gave to a runner.
  """

  def __init__(self, source, function):
    """Takes note of the options before the function may change them.

    Args:
      source: See the class.
      function: A callable like `runners.create_dataset_and_model`.
    """
    self.source = source
    self._function = function
    self._before = from_object(source)

  def __call__(self, config, **kwargs):
    """Calls the function with `source` in place of a `Config`."""
    if isinstance(self.source, Config):
      return self._function(config, **kwargs)
    _running.insert(0, (self, config))
    try:
      return self._function(self.source, **kwargs)
    finally:
      del _running[0]

  def updated(self, config):
    """A `Config` with the options that the function has set in `source`."""
    if isinstance(self.source, Config):
      return config
    now = _read(self.source)
    return config._replace(**{
        name: getattr(now, name) for name in options.OPTIONS
        if getattr(now, name) != getattr(self._before, name)})


def _read(source):
  """The `Config` of an object by itself."""
  values = {}
  given = set()
  for name, option in options.OPTIONS.items():
    value = _plain(getattr(source, name, None), option)
    if value is None and option.default is not None:
      value = option.default
    elif _is_given(source, name):
      given.add(name)
    if option.is_path and isinstance(value, str):
      with errors.naming_flag(name):
        value = files.local_path(value)
    values[name] = value
  return Config(given=frozenset(given), own_names=False, former={},
                cluster=None, checkpoint=None, start_step=0, train_mean=None,
                series=None, sort_by_length=False, **values)


def _plain(value, option):
  """A value as flags have it: NumPy's scalars, whole floats, paths."""
  if isinstance(value, np.generic):
    value = value.item()
  if isinstance(value, os.PathLike):
    value = os.fspath(value)
  if option.kind is int and isinstance(value, float) and value.is_integer():
    value = int(value)
  return value


def _is_given(source, name):
  """Whether an option was given, rather than left at a flag's default."""
  try:
    return bool(source[name].present)  # absl's flags.
  except (TypeError, KeyError, AttributeError):
    return hasattr(source, name)


def resolve(source, mode=None, own_names=False):
  """Completes a configuration, and refuses what cannot work.

  Args:
    source: What `from_object` takes. A `Config` has been resolved before.
    mode: What it is resolved for, "train", "eval" or "sample"; None: what it
      says itself.
    own_names: What `Config.own_names` is to be.

  Returns:
    A `Config`. An option that was not given has the run's value.

  Raises:
    UserError: Naming the option, its value, and what would be right.
  """
  config = from_object(source)
  if mode is not None:
    config = config._replace(mode=mode)
  if isinstance(source, Config):
    return config
  return resolve_again(config._replace(own_names=own_names))


def resolve_again(config):
  """As `resolve`, of a `Config` whose logdir has come to keep another."""
  config = stored.complete(config)
  checks.check_options(config)
  config = config._replace(cluster=cluster_spec.parse(config))
  checks.check_combinations(config)
  return config


def enter(source, mode, own_names=False):
  """As `resolve`, for who does the work: logs what is ignored or changed.

  Time series that the run does not know yet are read.
  """
  config = resolve(source, mode, own_names)
  if (config.dataset_type == "series" and config.series is None
      and config.model in options.RECURRENT and config.dataset_path):
    config = config._replace(series=series_info.read(config.dataset_path))
  checks.log_remarks(config)
  return config
