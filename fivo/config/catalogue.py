"""Names and traits of models, bounds, resampling schemes, gradients and data.

Flags, checks, messages, the compiled path and the docs' tables read this plain
data, so a new bound or resampling scheme is one function and one entry here.
"""

import collections
from typing import NamedTuple
from typing import Optional
from typing import Tuple


class Model(NamedTuple):
  """A value of --model.

  Attributes:
    name: Its name.
    is_recurrent: Whether it is trained on data sets by `runners.py`; the others
      are trained on synthetic data by `ghmm_runners.py`.
    knows_posterior: Whether it has true-* proposals and an optimal twist.
    has_tilt: Whether it can be built with a tilt, for fivo-aux.
  """

  name: str
  is_recurrent: bool = True
  knows_posterior: bool = False
  has_tilt: bool = True


class Emission(NamedTuple):
  """A value of --emission.

  Attributes:
    name: Its name.
    binary_class: The class in `base.py` for observations of zeros and ones.
    needs_binary: Whether there is none for other observations.
  """

  name: str
  binary_class: str
  needs_binary: bool = False


class Bound(NamedTuple):
  """A value of --bound.

  Attributes:
    name: Its name.
    function: The function in `bounds.py` that computes it.
    one_particle: Whether it has one particle whatever --num_samples says.
    resamples: Whether its particle filter resamples.
    part: The part that a model needs for it: None, "tilt" or "twist".
    evaluated_as: The bound that evaluation reports for it.
    compiles: Whether --xla can compile it.
  """

  name: str
  function: str
  one_particle: bool = False
  resamples: bool = True
  part: Optional[str] = None
  evaluated_as: str = "fivo"
  compiles: bool = True


class Scheme(NamedTuple):
  """A value of --resampling_type: a function of that name in `schemes.py`.

  Attributes:
    name: Its name.
    copies: Whether new particles are copies of old ones, rather than blends.
      Only then is the bound's estimate of the likelihood unbiased.
    independent: Whether ancestors are independent draws, so that their score
      is known.
    compiles: Whether --xla can compile it.
    options: Pairs of an argument of the function and the flag that sets it.
  """

  name: str
  copies: bool = True
  independent: bool = False
  compiles: bool = True
  options: Tuple[Tuple[str, str], ...] = ()


class Criterion(NamedTuple):
  """A value of --resampling_criterion: a function in `criteria.py`.

  Attributes:
    name: Its name; the function is `NAME_criterion` or
      `NAME_resample_criterion`.
  """

  name: str


class Gradients(NamedTuple):
  """A value of --resampling_gradients or of --iwae_gradients.

  Attributes:
    name: Its name.
    needs: The trait that the resampling scheme must have, or None.
    compiles: Whether --xla can compile it.
    warms_up: Whether it is right with --kl_warmup_steps.
  """

  name: str
  needs: Optional[str] = None
  compiles: bool = False
  warms_up: bool = True


class DatasetType(NamedTuple):
  """A value of --dataset_type.

  Attributes:
    name: Its name.
    create: The function in `datasets.py` that makes batches of it.
    path: What --dataset_path names.
    dimension: The size of an observation; None if the data says.
    is_binary: Whether observations are zeros and ones; None if the data says.
    has_mean: Whether the data has a mean, by which inputs are centred.
    file_per_split: Whether a directory has a file for each split.
  """

  name: str
  create: str
  path: str
  dimension: Optional[int] = None
  is_binary: Optional[bool] = False
  has_mean: bool = True
  file_per_split: bool = False


def _by_name(*entries):
  return collections.OrderedDict((entry.name, entry) for entry in entries)


MODELS = _by_name(
    Model("vrnn"),
    Model("ghmm", is_recurrent=False, knows_posterior=True, has_tilt=False),
    Model("srnn"))

EMISSIONS = _by_name(
    Emission("independent", "ConditionalBernoulliDistribution"),
    Emission("autoregressive", "ConditionalAutoregressiveDistribution",
             needs_binary=True))

BOUNDS = _by_name(
    Bound("elbo", "iwae", one_particle=True, resamples=False,
          evaluated_as="elbo"),
    Bound("iwae", "iwae", resamples=False, evaluated_as="iwae"),
    Bound("fivo", "fivo"),
    Bound("fivo-aux", "fivo", part="tilt"),
    Bound("sixo", "sixo", part="twist", evaluated_as="sixo", compiles=False))

SCHEMES = _by_name(
    Scheme("multinomial", independent=True),
    Scheme("stratified"),
    Scheme("systematic"),
    Scheme("residual"),
    Scheme("relaxed", copies=False, compiles=False,
           options=(("temperature", "relaxed_resampling_temperature"),)),
    Scheme("optimal_transport", copies=False, compiles=False,
           options=(("epsilon", "ot_epsilon"),
                    ("max_iterations", "ot_max_iterations"))))

CRITERIA = _by_name(Criterion("ess"), Criterion("always"), Criterion("never"))

RESAMPLING_GRADIENTS = _by_name(
    Gradients("none", compiles=True),
    Gradients("score", needs="independent"),
    Gradients("stop_gradient", needs="copies"))

IWAE_GRADIENTS = _by_name(
    Gradients("reparameterized", compiles=True),
    Gradients("dreg", warms_up=False))

DATASET_TYPES = _by_name(
    DatasetType("pianoroll", "create_pianoroll_dataset", "pianoroll pickle",
                dimension=88, is_binary=True),
    DatasetType("speech", "create_speech_batches",
                "TFRecord file of speech, or a directory of them",
                dimension=200, has_mean=False, file_per_split=True),
    DatasetType("pose", "create_human_pose_dataset", "pickle of poses"),
    DatasetType("series", "create_series_dataset",
                ".npz file of series, or a directory of CSV files",
                is_binary=None))


def names(table, **traits):
  """The names of a table's entries, of those alone that have given traits."""
  return tuple(
      entry.name for entry in table.values()
      if all(getattr(entry, trait) == value for trait, value in traits.items()))
