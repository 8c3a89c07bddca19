"""Every option of a run, once: name, default, allowed values, meaning.

Programs make a flag of each option in this table, and `checks.py` checks every
configuration against it, wherever the configuration comes from.
"""

import collections
import math
import numbers
from typing import Any
from typing import Collection
from typing import NamedTuple
from typing import Optional

from absl import flags
import numpy as np

from fivo.config import catalogue
from fivo.system import errors

# Scopes of an option.
MODEL = "model"  # Defines the model: kept in the logdir, never changed.
RUN = "run"  # Belongs to the run: kept in the logdir, may be changed.
CALL = "call"  # Belongs to one call of the program: not kept.

RECURRENT = catalogue.names(catalogue.MODELS, needs_data=True)
GHMM = catalogue.names(catalogue.MODELS, needs_data=False)
# Options whose values a caller's own function may understand.
_MAY_BE_OWN = ("model", "dataset_type", "split")

# The largest values of TensorFlow's int32, float32 and int64.
_MAXIMA = {int: 2 ** 31 - 1, float: 3.4e38}
_MAX_LONG = 2 ** 63 - 1
# Sizes above this fit no memory and overflow int32 products.
_MAX_SIZE = 1000000

# Flags belong to the program that defines them, in --help too.
flags.disclaim_key_flags()
_DEFINE = {bool: flags.DEFINE_boolean, float: flags.DEFINE_float,
           int: flags.DEFINE_integer, str: flags.DEFINE_string}


class Option(NamedTuple):
  """One option."""

  name: str  # As a flag, and as an attribute of a configuration.
  kind: type  # str, int, float or bool.
  default: Any
  help: str
  scope: str = RUN
  choices: Optional[Collection[str]] = None
  minimum: Any = None
  maximum: Any = None
  above: Any = None  # An exclusive minimum.
  models: Optional[Collection[str]] = None  # Those with the option; None: all.
  is_path: bool = False

  def concerns(self, model):
    """Returns whether a model uses the option; a caller's own may use all."""
    return (self.models is None or model in self.models or
            model not in catalogue.MODELS)

  def complaint(self, value, own_names=False):
    """Says what a value must be, or None; `own_names` is as in `Config`."""
    if value is None:
      return None if self.default is None else "needs a value"
    if self.kind is bool:
      # Callers in Python may write 0 or 1.
      is_bool = isinstance(value, (bool, np.bool_)) or (
          isinstance(value, numbers.Integral) and value in (0, 1))
      return None if is_bool else "must be true or false"
    if self.kind is not str:
      return self._complaint_about_number(value)
    if not isinstance(value, str):
      return "must be text"
    is_own = own_names and self.name in _MAY_BE_OWN
    if self.choices and value not in self.choices and not is_own:
      return "must be one of %s%s" % (
          ", ".join(self.choices), errors.did_you_mean(value, self.choices))
    if "\0" in value:
      return "must not hold a NUL byte"
    return None

  def _complaint_about_number(self, value):
    kind = numbers.Integral if self.kind is int else numbers.Real
    if not isinstance(value, kind) or isinstance(value, bool):
      return "must be %s" % ("an integer" if self.kind is int else "a number")
    if value != value or abs(value) == math.inf:
      return "must be finite"
    if self.minimum is not None and value < self.minimum:
      return "must be at least %s" % self.minimum
    if value > self.maximum:
      return "must be at most %s" % self.maximum
    if self.above is not None and np.float32(value) <= self.above:
      rounded = " when rounded to 32 bits" if value > self.above else ""
      return "must be greater than %s%s" % (self.above, rounded)
    return None


# The options by the titles of their groups, in the order of docs/flags.md.
GROUPS = collections.OrderedDict()


def _group(title, **shared):
  """Begins a group; returns a function that adds an option to it."""
  group = GROUPS[title] = []

  def add(name, kind, default, text, **traits):
    traits = {"maximum": _MAXIMA.get(kind), **shared, **traits}
    group.append(Option(name, kind, default, text, **traits))

  return add


_add = _group("What to do", scope=CALL)
_add("mode", str, "train", "Train, evaluate or sample.",
     choices=("train", "eval", "sample"))
_add("logdir", str, "/tmp/smc_vi",
     "The directory of checkpoints, summaries and the run's configuration.",
     is_path=True)
_add("random_seed", int, None,
     "The seed of all random numbers, for a repeatable run.", scope=RUN,
     minimum=-_MAX_LONG, maximum=_MAX_LONG)
_add("progress", bool, True,
     "Whether a terminal shows progress bars below the log lines.")

_add = _group("Model", scope=MODEL)
_add("model", str, "vrnn", "The model.", choices=catalogue.MODELS)
_add("latent_size", int, 64,
     "The size of the latents, of the recurrent network and of all hidden "
     "layers.", minimum=1, maximum=1 << 16, models=RECURRENT)
_add("proposal_type", str, "filtering",
     "What the proposal of a latent conditions on: nothing (prior), the "
     "current observation (filtering), or all later ones too (smoothing); "
     "true-* are the exact posteriors of the GHMM.",
     choices=("prior", "filtering", "smoothing", "true-filtering",
              "true-smoothing"))
_add("emission", str, "independent",
     "How the entries of an observation depend on each other, given the latent "
     "and the past: not at all (independent), or each on those before it "
     "(autoregressive), which needs pianorolls or series of zeros and ones.",
     choices=catalogue.EMISSIONS, models=RECURRENT)
_add("emission_sigma_min", float, None,
     "The smallest standard deviation of a Normal emission. Default: no lower "
     "limit, as in the original.", scope=RUN, minimum=0., models=RECURRENT)

_add = _group("Data", models=RECURRENT)
_add("dataset_type", str, "pianoroll", "The kind of data.", scope=MODEL,
     choices=catalogue.DATASET_TYPES)
_add("dataset_path", str, "",
     "The data, depending on --dataset_type: a %s." % "; a ".join(
         kind.path for kind in catalogue.DATASET_TYPES.values()), is_path=True)
_add("data_dimension", int, None,
     "The size of an observation. Default: 88 for pianorolls, 200 for speech, "
     "else that of the data.", scope=MODEL, minimum=1, maximum=_MAX_SIZE)
_add("split", str, "train",
     "The split to evaluate, or to take prefixes of samples from.", scope=CALL,
     choices=("train", "test", "valid"))
_add("batch_size", int, 4, "The number of sequences in a batch.", minimum=1,
     maximum=_MAX_SIZE, models=None)
_add("bucket_by_length", bool, False,
     "Whether a training batch has sequences of similar length, which saves "
     "padding.")
_add("max_train_length", int, None,
     "Training sequences longer than this are cut into equal pieces of at most "
     "this many timesteps; evaluation uses whole sequences. Default: no "
     "cutting.", minimum=1)
_add("transpose_octaves", int, 0,
     "Training takes each pianoroll transposed, too: by 1 to this many "
     "octaves, up and down; reduces overfitting.", scope=MODEL, minimum=0,
     maximum=7, models=RECURRENT)

_add = _group("Bound")
_add("bound", str, "fivo",
     "The bound to train on; fivo-aux builds the model with a tilt, sixo with "
     "a twist.", choices=catalogue.BOUNDS)
_add("num_samples", int, 4, "The number of particles.", minimum=1,
     maximum=_MAX_SIZE)
_add("resampling_type", str, "multinomial", "How FIVO resamples in training.",
     choices=catalogue.SCHEMES)
_add("eval_resampling_type", str, "multinomial",
     "How FIVO resamples in evaluation; only schemes that copy particles, as "
     "blending would bias the bound.", scope=CALL,
     choices=catalogue.names(catalogue.SCHEMES, copies=True))
_add("relaxed_resampling_temperature", float, 0.5,
     "The temperature of relaxed resampling.", above=0.)
_add("ot_epsilon", float, 0.5,
     "The regularisation of optimal transport, relative to the mean squared "
     "distance between particles.", above=0.)
_add("ot_max_iterations", int, 100,
     "The maximum number of Sinkhorn iterations of optimal transport.",
     minimum=1, maximum=_MAX_SIZE)
_add("resampling_criterion", str, "ess",
     "When FIVO resamples, in training and evaluation: if the effective sample "
     "size is low (ess), always, or never.", choices=catalogue.CRITERIA)
_add("ess_threshold", float, 0.5,
     "The effective sample size, as a fraction of num_samples, at or "
     "below which --resampling_criterion=ess resamples.", maximum=1., above=0.)
_add("resampling_gradients", str, "none",
     "How the gradient accounts for the choice of ancestors: not at all, as in "
     "the paper (none); with their score function (score); or so that it is "
     "the gradient of the likelihood (stop_gradient).",
     choices=catalogue.RESAMPLING_GRADIENTS)
_add("iwae_gradients", str, "reparameterized",
     "The gradient estimator of IWAE; dreg is doubly reparameterized.",
     choices=catalogue.IWAE_GRADIENTS)
_add("twist", str, "dre",
     "How the twist of SIXO is learned: by a classifier on data drawn from the "
     "model (dre), or by the bound itself (joint); optimal is the exact twist "
     "of the GHMM.", scope=MODEL, choices=("dre", "joint", "optimal"))
_add("twist_steps", int, 1,
     "The number of classifier steps after every --model_steps.", minimum=1)
_add("model_steps", int, 1,
     "The number of steps on the bound before --twist_steps.", minimum=1)
_add("diagnostics", bool, False,
     "Whether training charts more statistics of the particle filter, and "
     "evaluation writes those of one batch to a file.", scope=CALL)
_add("parallel_iterations", int, 30,
     "The number of iterations of the filter's loop that may run in parallel.",
     minimum=1)

_add = _group("Training")
_add("normalize_by_seq_len", bool, True,
     "Whether the loss is the mean bound per timestep rather than per "
     "sequence.", models=RECURRENT)
_add("xla", bool, False,
     "Whether XLA compiles the training step, which takes seconds for each of "
     "a few batch lengths and makes steps faster.", models=RECURRENT)
_add("learning_rate", float, 0.0002, "Adam's learning rate.", above=0.)
_add("learning_rate_schedule", str, "constant",
     "The schedule of the learning rate: cosine lowers it to a hundredth of "
     "--learning_rate over --schedule_steps.", choices=("constant", "cosine"))
_add("schedule_steps", int, None,
     "The step at which the cosine schedule ends; the learning rate is "
     "constant from then on.", minimum=1, maximum=_MAX_LONG)
_add("average_variables", float, None,
     "The decay of exponential moving averages of the variables, e.g. 0.999; "
     "evaluation, export and sampling use the averages. Default: no averages.",
     maximum=0.999999, above=0.)
_add("input_dropout", float, 0.,
     "The probability of zeroing an entry of the input (the previous "
     "observation) in training, where the others are scaled up to keep the "
     "mean; reduces overfitting.", minimum=0.,
     maximum=0.999, models=RECURRENT)
_add("kl_warmup_steps", int, None,
     "The number of steps over which the weight of log p(z)/q(z) rises from 0 "
     "to 1, so that a VRNN or SRNN learns to use its latents. Default: 1 from "
     "the start.", minimum=1, maximum=_MAX_LONG, models=RECURRENT)
_add("clip_gradient_norm", float, None,
     "The maximum global norm of the gradient, to which it is scaled down. "
     "Default: no clipping.", above=0.)
_add("max_steps", int, int(1e9), "The global step at which training ends.",
     scope=CALL, minimum=0, maximum=_MAX_LONG)
_add("summarize_every", int, 50, "Steps between log lines and summaries.",
     minimum=1)
_add("save_checkpoint_secs", float, 120., "Seconds between checkpoints.",
     above=0.)
_add("eval_every", int, None,
     "Steps between evaluations of the bound on the valid split during "
     "training, and at its end. Default: never.", minimum=1, maximum=_MAX_LONG)
_add("export_best", bool, False,
     "Whether to keep the checkpoint with the best bound on the valid split in "
     "LOGDIR/best.")
_add("early_stop_patience", int, None,
     "The number of evaluations without a better bound on the valid split "
     "after which training stops. Default: no early stop.", minimum=1)

_add = _group("Evaluation", scope=CALL)
_add("wait_for_checkpoint", bool, False,
     "Whether to wait for a first checkpoint, as the original did, rather than "
     "fail without one.")
_add("eval_interval_secs", float, None,
     "Seconds between checks for a new checkpoint; each is evaluated, up to "
     "that of step --max_steps. Default: only the newest is evaluated.",
     above=0.)
_add("eval_repeats", int, 1,
     "The number of evaluations to average; two or more give standard errors.",
     minimum=1, maximum=_MAX_SIZE, models=RECURRENT)

_add = _group("Sampling", scope=CALL, models=RECURRENT)
_add("sample_length", int, 50, "The number of timesteps to sample.", minimum=1,
     maximum=_MAX_SIZE)
_add("prefix_length", int, 25, "The number of timesteps to condition on.",
     minimum=1, maximum=_MAX_SIZE)
_add("sample_out_dir", str, None,
     "The directory of samples.npz. Default: the logdir.", models=None,
     is_path=True)
_add("sample_wav", bool, False,
     "Whether to write each sampled utterance as a WAV file too.")
_add("render", bool, False,
     "Whether to write samples as pictures, pianorolls as MIDI and speech as "
     "WAV files; in training, whether each evaluation draws samples for "
     "TensorBoard. Needs the extra render.", models=None)
# MIDI stores the microseconds of a quarter note in 24 bits.
_add("tempo", float, 120., "The quarter notes per minute of MIDI files.",
     minimum=4., maximum=1000.)
_add("steps_per_quarter", int, None,
     "The number of timesteps per quarter note, for MIDI files. Default: what "
     "the dataset says, else 1.", minimum=1, maximum=480)

_add = _group("Gaussian hidden Markov model", models=GHMM)
_add("variance", float, 0.1,
     "GHMM only: the variance of transitions and emissions.", above=0.)
# Each timestep has its own ops, and T^2 numbers are in memory.
_add("num_timesteps", int, 5, "GHMM only: the length of a sequence.",
     scope=MODEL, minimum=1, maximum=10000)
_add("data_from_model", bool, False,
     "GHMM only: whether data is drawn from the model itself rather than from "
     "the original's chain, which has one more transition.")

_add = _group("Distributed training", scope=CALL)
_add("job_name", str, None,
     "The job of this process in a cluster; the chief is worker 0. Default: "
     "the job in the variable TF_CONFIG, else training runs in this process "
     "alone.", choices=("ps", "chief", "worker"))
_add("task", int, 0, "The number of this process in its job.", minimum=0)
_add("ps_hosts", str, "",
     "The addresses of the parameter servers: host:port,...")
_add("worker_hosts", str, "",
     "The addresses of the workers, the chief's first: host:port,...")
_add("cluster_timeout_secs", float, 60.,
     "Seconds that a process of a cluster waits for another that does not "
     "answer, before giving up.", above=0.)
_add("master", str, "",
     "The address of a TensorFlow server that you run yourself.")
_add("ps_tasks", int, 0, "The number of parameter servers behind --master.",
     minimum=0)
_add("stagger_workers", bool, True,
     "Whether worker k starts only at step 1000 * k.")

OPTIONS = collections.OrderedDict(
    (option.name, option) for group in GROUPS.values() for option in group)


def define_flags():
  """Defines a flag for every option."""
  for option in OPTIONS.values():
    if option.choices:
      flags.DEFINE_enum(
          option.name, option.default, list(option.choices), option.help)
    else:
      _DEFINE[option.kind](option.name, option.default, option.help)
