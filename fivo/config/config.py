"""The configuration of a run: plain data, resolved and checked once.

It is filled from flags or any object with options as attributes. Options that
they lack have the value kept in the run's logdir (`stored.py`), or their
default (`options.py`). Options that cannot work are refused (`checks.py`).
After `resolve` there is only `Config`.
"""

import collections
import os

import numpy as np

from fivo.config import catalogue
from fivo.config import checks
from fivo.config import cluster_spec
from fivo.config import options
from fivo.config import stored
from fivo.system import errors
from fivo.system import files

_SEEDS_PER_WORKER = 1000003
# The traits of a model that only a caller's own function knows.
_OWN_MODEL = catalogue.Model("own", knows_posterior=True)


class Config(collections.namedtuple("Config", tuple(options.OPTIONS) + (
    "given", "own_names", "former", "cluster", "start_step", "train_mean",
    "series", "sort_by_length"))):
  """A configuration: every option, and what follows from them.

  Attributes:
    given: A frozenset of the options that were given rather than left at a
      default.
    own_names: True if `model`, `dataset_type` and `split` may have names that
      only a caller's own function knows.
    former: A dict from given options that change to their values so far.
    cluster: A `ClusterSpec`; None for a single process.
    start_step: The global step of the checkpoint from which training resumes.
    train_mean: The mean `[D]` of the run's training data, if the logdir has it.
    series: The `SeriesInfo` of the run's time series, once they are read.
    sort_by_length: True if data that is not shuffled may be sorted by length.
  """

  __slots__ = ()

  @property
  def model_traits(self):
    """The model's entry in the catalogue."""
    return catalogue.MODELS.get(self.model, _OWN_MODEL)

  @property
  def bound_traits(self):
    """The bound's entry in the catalogue."""
    return catalogue.BOUNDS[self.bound]

  @property
  def scheme(self):
    """The resampling scheme's entry in the catalogue."""
    return catalogue.SCHEMES[self.resampling_type]

  @property
  def uses_twist(self):
    """True if the model has a twist."""
    return self.bound_traits.part == "twist"

  @property
  def learns_density_ratio(self):
    """True if a classifier learns the twist."""
    return self.uses_twist and self.twist == "dre"

  @property
  def warms_up(self):
    """True if the weight of log p(z)/q(z) rises from 0 to 1 in training."""
    return self.kl_warmup_steps is not None and self.model_traits.needs_data

  @property
  def process_seed(self):
    """The random seed of this process; workers of a cluster have their own."""
    if self.random_seed is None or not (self.cluster and self.cluster.task):
      return self.random_seed
    return (self.random_seed + _SEEDS_PER_WORKER * self.cluster.task) % 2 ** 63

  @property
  def noise_seed(self):
    """The op seed of samples and resampling, different in a resumed run."""
    return (None if self.random_seed is None else
            self.random_seed + self.start_step)

  @property
  def measure(self):
    """The kind of bound in `validation.json`; only equal kinds compare."""
    return "%s bound per %s with --num_samples=%d" % (
        self.bound_traits.evaluated_as,
        "timestep" if self.normalize_by_seq_len else "sequence",
        self.num_samples)

  def path_of_split(self, split):
    """The file of a split; a directory of speech may have one for each."""
    kind = catalogue.DATASET_TYPES.get(self.dataset_type)
    if kind and kind.file_per_split and os.path.isdir(self.dataset_path):
      return os.path.join(self.dataset_path, split)
    return self.dataset_path


# Pairs of a running `CallersFunction` and the `Config` of its run.
_running = []


def from_object(source):
  """Reads a configuration; options that it lacks have their defaults.

  The source is a `Config`; absl's `FLAGS`; or any object with options as
  attributes, all of which count as given unless they are None. Inside a
  `CallersFunction`, the caller's object stands for the configuration of the
  run, with the changes that the function has made to it.
  """
  if isinstance(source, Config):
    return source
  for function, config in _running:
    if function.source is source:
      return function.updated(config)
  return _read(source)


class CallersFunction(object):
  """A caller's function, which gets `source`, the caller's configuration."""

  def __init__(self, source, function):
    """Notes the options before the function may change them."""
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
  """The `Config` of an object, regardless of any run."""
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
                cluster=None, start_step=0, train_mean=None,
                series=None, sort_by_length=False, **values)


def _plain(value, option):
  """Converts NumPy's scalars, whole floats and path objects."""
  if isinstance(value, np.generic):
    value = value.item()
  if isinstance(value, os.PathLike):
    value = os.fspath(value)
  if option.kind is int and isinstance(value, float) and value.is_integer():
    value = int(value)
  return value


def _is_given(source, name):
  """Returns whether an option was given, not left at a flag's default."""
  try:
    return bool(source[name].present)  # absl's flags.
  except (TypeError, KeyError, AttributeError):
    return hasattr(source, name)


def resolve(source, mode=None, own_names=False):
  """The `Config` of a source, completed from its logdir and checked.

  A source that is a `Config` was resolved before; a `mode` of None is the
  source's.
  """
  config = from_object(source)
  if mode is not None:
    config = config._replace(mode=mode)
  if isinstance(source, Config):
    return config
  return complete_from_logdir(config._replace(own_names=own_names))


def complete_from_logdir(config):
  """Completes a `Config` from the present state of its logdir; checks it."""
  config = stored.fill_in(config)
  checks.check_options(config)
  config = config._replace(cluster=cluster_spec.parse(config))
  checks.check_combinations(config)
  return config
