"""Names and traits of models, bounds, resampling schemes, gradients and data.

Flags, checks, messages, charts and the compiled path read this plain data, so a
new bound or resampling scheme is one function and one entry here.
"""

import collections
from typing import NamedTuple
from typing import Optional
from typing import Tuple


class Model(NamedTuple):
  """A value of --model."""

  name: str
  needs_data: bool = True  # Run by runners.py; others by ghmm_runners.py.
  knows_posterior: bool = False  # Has true-* proposals, an optimal twist.
  has_tilt: bool = True  # For fivo-aux.


class Emission(NamedTuple):
  """A value of --emission."""

  name: str
  binary_class: str  # In base.py, for observations of zeros and ones.
  needs_binary: bool = False  # Has no class for other observations.


class Bound(NamedTuple):
  """A value of --bound."""

  name: str
  function: str  # In bounds.py.
  # The field of `bounds.AllBounds` that validation compares, and training's
  # charts of the bound are named for.
  evaluated_as: str
  one_particle: bool = False  # Whatever --num_samples is.
  resamples: bool = True
  part: Optional[str] = None  # That the model needs: "tilt" or "twist".
  # With --xla, which pads batches: see the log weights of `smc.SMCResult`.
  compiles: bool = False


class Scheme(NamedTuple):
  """A value of --resampling_type: a function of that name in `schemes.py`."""

  name: str
  copies: bool = True  # Otherwise it blends particles, which biases the bound.
  independent: bool = False  # Draws ancestors independently, by the weights.
  compiles: bool = False  # With --xla; it then takes `uniforms`.
  # Its arguments and their flags; evaluation leaves these at their defaults.
  options: Tuple[Tuple[str, str], ...] = ()


class Gradients(NamedTuple):
  """A value of --resampling_gradients or of --iwae_gradients."""

  name: str
  needs: Optional[str] = None  # A trait that the scheme must have.
  compiles: bool = False
  warms_up: bool = True  # Works with --kl_warmup_steps.

  @property
  def schemes(self):
    """The names of the resampling schemes that it suits."""
    traits = {self.needs: True} if self.needs else {}
    return names(SCHEMES, **traits)


class DatasetType(NamedTuple):
  """A value of --dataset_type."""

  name: str
  create: str  # In datasets.py.
  path: str  # What --dataset_path names, after "a".
  fixed_dimension: Optional[int] = None  # Of an observation.
  is_binary: Optional[bool] = False  # None: as the series' info says.
  file_per_split: bool = False  # --dataset_path may be a directory of them.


def _by_name(*entries):
  return collections.OrderedDict((entry.name, entry) for entry in entries)


MODELS = _by_name(
    Model("vrnn"),
    Model("ghmm", needs_data=False, knows_posterior=True, has_tilt=False),
    Model("srnn"))

EMISSIONS = _by_name(
    Emission("independent", "ConditionalBernoulliDistribution"),
    Emission("autoregressive", "ConditionalAutoregressiveDistribution",
             needs_binary=True))

BOUNDS = _by_name(
    Bound("elbo", "iwae", "elbo", one_particle=True, resamples=False,
          compiles=True),
    Bound("iwae", "iwae", "iwae", resamples=False, compiles=True),
    Bound("fivo", "fivo", "fivo", compiles=True),
    Bound("fivo-aux", "fivo", "fivo", part="tilt", compiles=True),
    Bound("sixo", "sixo", "sixo", part="twist"))

SCHEMES = _by_name(
    Scheme("multinomial", independent=True, compiles=True),
    Scheme("stratified", compiles=True),
    Scheme("systematic", compiles=True),
    Scheme("residual", compiles=True),
    Scheme("relaxed", copies=False,
           options=(("temperature", "relaxed_resampling_temperature"),)),
    Scheme("optimal_transport", copies=False,
           options=(("epsilon", "ot_epsilon"),
                    ("max_iterations", "ot_max_iterations"))))

# Values of --resampling_criterion, made into functions in `criteria.py`.
CRITERIA = ("ess", "always", "never")

RESAMPLING_GRADIENTS = _by_name(
    Gradients("none", compiles=True),
    Gradients("score", needs="independent"),
    Gradients("stop_gradient", needs="copies"))

IWAE_GRADIENTS = _by_name(
    Gradients("reparameterized", compiles=True),
    Gradients("dreg", warms_up=False))

DATASET_TYPES = _by_name(
    DatasetType("pianoroll", "create_pianoroll_dataset", "pianoroll pickle",
                fixed_dimension=88, is_binary=True),
    DatasetType("speech", "create_speech_batches",
                "TFRecord file of speech, or a directory of them",
                file_per_split=True),
    DatasetType("pose", "create_human_pose_dataset", "pickle of poses"),
    DatasetType("series", "create_series_dataset",
                "NumPy .npz file of series, or a directory of CSV files",
                is_binary=None))


def names(table, **traits):
  """The names of the entries of a table that have the given traits."""
  return tuple(
      entry.name for entry in table.values()
      if all(getattr(entry, trait) == value for trait, value in traits.items()))
