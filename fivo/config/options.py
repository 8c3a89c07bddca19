"""Every option of a run, once: name, default, allowed values, meaning.

`run_fivo.py` makes a flag of each option in this table, and `checks.py` checks
every configuration against it, wherever the configuration comes from.
"""

import collections
import math
import numbers
from typing import Any
from typing import NamedTuple
from typing import Optional
from typing import Tuple

import numpy as np

from fivo.config import catalogue
from fivo.system import errors

# Scopes of an option.
MODEL = "model"  # Defines the model: kept in the logdir, never changed.
RUN = "run"  # Belongs to the run: kept in the logdir, may be changed.
CALL = "call"  # Belongs to one call of the program: not kept.

RECURRENT = catalogue.names(catalogue.MODELS, is_recurrent=True)
GHMM = catalogue.names(catalogue.MODELS, is_recurrent=False)
# Options whose values a caller's own function may understand.
_MAY_BE_OWN = ("model", "dataset_type", "split")

# The ranges of TensorFlow's int32, int64 and float32.
_MAX_INT = 2 ** 31 - 1
_MAX_LONG = 2 ** 63 - 1
_MAX_FLOAT = 3.4e38
# Sizes above this fit no memory and overflow int32 products.
_MAX_SIZE = 1000000


class Option(NamedTuple):
  """One option."""

  name: str  # As a flag, and as an attribute of a configuration.
  kind: type  # str, int, float or bool.
  default: Any
  help: str
  scope: str = RUN
  choices: Optional[Tuple[str, ...]] = None
  minimum: Any = None
  maximum: Any = None
  above: Any = None  # The value must exceed it.
  models: Optional[Tuple[str, ...]] = None  # Those that use the option.
  is_path: bool = False

  def concerns(self, model):
    """Returns whether a model uses the option; a caller's own may use all."""
    return (self.models is None or model in self.models or
            model not in catalogue.MODELS)

  def complaint(self, value, own_names=False):
    """Says what a value must be, in a few words; None if it is allowed.

    With `own_names`, `model`, `dataset_type` and `split` may have names that
    only a caller's own function knows.
    """
    if value is None:
      return None if self.default is None else "needs a value"
    if self.kind is bool:
      # Callers in Python may write 0 or 1.
      is_bool = isinstance(value, (bool, np.bool_)) or (
          isinstance(value, numbers.Integral) and value in (0, 1))
      return None if is_bool else "must be true or false"
    if self.kind is str:
      is_own = own_names and self.name in _MAY_BE_OWN
      return self._complaint_about_text(value, () if is_own else self.choices)
    return self._complaint_about_number(value)

  def _complaint_about_text(self, value, choices):
    if not isinstance(value, str):
      return "must be text"
    if choices and value not in choices:
      return "must be one of %s%s" % (
          ", ".join(choices), errors.did_you_mean(value, choices))
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
    if self.above is not None and value <= self.above:
      return "must be greater than %s" % self.above
    if self.above is not None and np.float32(value) <= self.above:
      return "must be greater than %s when rounded to 32 bits" % self.above
    return None


def _option(name, kind, default, text, scope=RUN, choices=None, maximum=None,
            **kwargs):
  if maximum is None:
    maximum = {int: _MAX_INT, float: _MAX_FLOAT}.get(kind)
  return Option(name, kind, default, text, scope,
                choices and tuple(choices), maximum=maximum, **kwargs)


# Groups, in the order in which they are shown.
GROUPS = collections.OrderedDict([
    ("What to do", [
        _option("mode", str, "train", "What to do.", CALL,
                ("train", "eval", "sample")),
        _option("logdir", str, "/tmp/smc_vi",
                "The directory of checkpoints, summaries and the run's "
                "configuration.", CALL, is_path=True),
        _option("random_seed", int, None,
                "The seed of all random numbers, for a repeatable run.",
                minimum=-_MAX_LONG, maximum=_MAX_LONG),
        _option("progress", bool, True,
                "Whether a terminal shows progress bars below the log lines.",
                CALL),
    ]),
    ("Model", [
        _option("model", str, "vrnn", "The model.", MODEL,
                catalogue.MODELS),
        _option("latent_size", int, 64,
                "The size of the latents, of the recurrent network and of all "
                "hidden layers.", MODEL, minimum=1, maximum=1 << 16,
                models=RECURRENT),
        _option("proposal_type", str, "filtering",
                "What the proposal of a latent conditions on: nothing (prior), "
                "the current observation (filtering), or all later ones too "
                "(smoothing); true-* are the exact posteriors of the GHMM.",
                MODEL,
                ("prior", "filtering", "smoothing", "true-filtering",
                 "true-smoothing")),
        _option("emission", str, "independent",
                "How the entries of an observation depend on each other, given "
                "the latent and the past: not at all (independent), or each on "
                "the lower ones (autoregressive), which needs pianorolls or "
                "series of zeros and ones.", MODEL, catalogue.EMISSIONS,
                models=RECURRENT),
        _option("emission_sigma_min", float, None,
                "The smallest standard deviation of a Normal emission. None: "
                "no lower limit, as in the original.", minimum=0.,
                models=RECURRENT),
    ]),
    ("Data", [
        _option("dataset_type", str, "pianoroll", "The kind of data.", MODEL,
                catalogue.DATASET_TYPES, models=RECURRENT),
        _option("dataset_path", str, "",
                "The data: by --dataset_type a %s." % "; a ".join(
                    kind.path for kind in catalogue.DATASET_TYPES.values()),
                models=RECURRENT, is_path=True),
        _option("data_dimension", int, None,
                "The size D of an observation. None: 88 for pianorolls, 200 "
                "for speech, else what the data has.", MODEL, minimum=1,
                maximum=_MAX_SIZE, models=RECURRENT),
        _option("split", str, "train", "The split to evaluate, or to take "
                "prefixes of samples from.", CALL, ("train", "test", "valid"),
                models=RECURRENT),
        _option("batch_size", int, 4, "The number of sequences in a batch.",
                minimum=1, maximum=_MAX_SIZE),
        _option("bucket_by_length", bool, False,
                "Whether a training batch has sequences of similar length, "
                "which saves padding, rather than of any length.",
                models=RECURRENT),
        _option("max_train_length", int, None,
                "Training sequences longer than this are cut into equal pieces "
                "of at most this many timesteps; evaluation uses whole "
                "sequences. None: no cutting.", minimum=1, models=RECURRENT),
    ]),
    ("Bound", [
        _option("bound", str, "fivo",
                "The bound to train on; fivo-aux builds the model with a "
                "tilt, sixo with a twist.", RUN, catalogue.BOUNDS),
        _option("num_samples", int, 4, "The number of particles.", minimum=1,
                maximum=_MAX_SIZE),
        _option("resampling_type", str, "multinomial",
                "How FIVO resamples in training.", RUN, catalogue.SCHEMES),
        _option("eval_resampling_type", str, "multinomial",
                "How FIVO resamples in evaluation: by schemes that copy "
                "particles, since blending them would bias the bound.", CALL,
                catalogue.names(catalogue.SCHEMES, copies=True)),
        _option("relaxed_resampling_temperature", float, 0.5,
                "The temperature of relaxed resampling.", above=0.),
        _option("ot_epsilon", float, 0.5,
                "The regularisation of optimal transport, in units of the mean "
                "squared distance of particles.", above=0.),
        _option("ot_max_iterations", int, 100,
                "The largest number of Sinkhorn iterations of optimal "
                "transport.",
                minimum=1, maximum=_MAX_SIZE),
        _option("resampling_criterion", str, "ess",
                "When FIVO resamples, in training and evaluation: where the "
                "effective sample size is low, always, or never.", RUN,
                catalogue.CRITERIA),
        _option("ess_threshold", float, 0.5,
                "The effective sample size, as a share of the number of "
                "particles, at or below which --resampling_criterion=ess "
                "resamples.", above=0., maximum=1.),
        _option("resampling_gradients", str, "none",
                "How the gradient accounts for the choice of ancestors: not at "
                "all, as in the paper; by their score function; or by "
                "stop_gradient, which gives the gradient of the likelihood.",
                RUN, catalogue.RESAMPLING_GRADIENTS),
        _option("iwae_gradients", str, "reparameterized",
                "The gradient estimator of IWAE; dreg is doubly "
                "reparameterized.", RUN, catalogue.IWAE_GRADIENTS),
        _option("twist", str, "dre",
                "How the twist of SIXO is learned: by a classifier on data "
                "drawn from the model (dre), or by the bound itself (joint); "
                "optimal is the exact twist of the GHMM.",
                MODEL, ("dre", "joint", "optimal")),
        _option("twist_steps", int, 1,
                "The number of classifier steps after every --model_steps.",
                minimum=1),
        _option("model_steps", int, 1,
                "The number of steps on the bound before --twist_steps.",
                minimum=1),
        _option("diagnostics", bool, False,
                "Whether training charts more statistics of the particle "
                "filter, and evaluation writes those of one batch to a file.",
                CALL),
        _option("parallel_iterations", int, 30,
                "The number of iterations of the filter's loop that may run "
                "at once.",
                minimum=1),
    ]),
    ("Training", [
        _option("normalize_by_seq_len", bool, True,
                "Whether the loss is the mean bound per timestep rather than "
                "per sequence.", models=RECURRENT),
        _option("xla", bool, False,
                "Whether XLA compiles the training step: takes seconds for "
                "each of a few batch lengths, then steps are faster.",
                models=RECURRENT),
        _option("learning_rate", float, 0.0002, "Adam's learning rate.",
                above=0.),
        _option("learning_rate_schedule", str, "constant",
                "The schedule of the learning rate: cosine lowers it to a "
                "hundredth of --learning_rate over --schedule_steps.",
                choices=("constant", "cosine")),
        _option("schedule_steps", int, None,
                "The step at which the cosine schedule ends; the learning rate "
                "is constant from then on.", minimum=1, maximum=_MAX_LONG),
        _option("average_variables", float, None,
                "The decay of exponential moving averages of the variables, "
                "e.g. 0.999; evaluation, export and sampling use the averages. "
                "None: no averages.", above=0., maximum=0.999999),
        _option("input_dropout", float, 0.,
                "The probability of zeroing an entry of the input (the "
                "previous observation) in training; reduces overfitting.",
                minimum=0., maximum=0.999, models=RECURRENT),
        _option("kl_warmup_steps", int, None,
                "The number of steps over which the weight of log p(z)/q(z) "
                "rises from 0 to 1, so that a VRNN or SRNN learns to use its "
                "latents. None: it is 1 from the start.", minimum=1,
                maximum=_MAX_LONG, models=RECURRENT),
        _option("clip_gradient_norm", float, None,
                "The largest global norm of the gradient; a larger one is "
                "scaled down to it. None: no clipping.", above=0.),
        _option("max_steps", int, int(1e9),
                "The global step at which training ends.", CALL, minimum=0,
                maximum=_MAX_LONG),
        _option("summarize_every", int, 50,
                "Steps between log lines and summaries.", minimum=1),
        _option("save_checkpoint_secs", float, 120.,
                "Seconds between checkpoints.", above=0.),
        _option("eval_every", int, None,
                "Steps between evaluations of the bound on the valid split "
                "during training, and at its end. None: never.",
                minimum=1, maximum=_MAX_LONG),
        _option("export_best", bool, False,
                "Whether to keep the checkpoint with the best bound on the "
                "valid split in LOGDIR/best."),
        _option("early_stop_patience", int, None,
                "The number of evaluations without a better bound on the valid "
                "split after which training stops. None: no early stop.",
                minimum=1),
    ]),
    ("Evaluation", [
        _option("wait_for_checkpoint", bool, False,
                "Whether to wait for a first checkpoint, as the original did, "
                "rather than to fail without one.", CALL),
        _option("eval_interval_secs", float, None,
                "Seconds between looks for a new checkpoint: each one is "
                "evaluated, until that of step --max_steps. None: only the "
                "newest is evaluated.", CALL, above=0.),
        _option("eval_repeats", int, 1,
                "The number of evaluations to average; two or more give "
                "standard errors.", CALL, minimum=1, maximum=_MAX_SIZE,
                models=RECURRENT),
    ]),
    ("Sampling", [
        _option("sample_length", int, 50, "The number of timesteps to sample.",
                CALL, minimum=1, maximum=_MAX_SIZE, models=RECURRENT),
        _option("prefix_length", int, 25,
                "The number of timesteps to condition on.", CALL, minimum=1,
                maximum=_MAX_SIZE, models=RECURRENT),
        _option("sample_out_dir", str, None,
                "The directory of samples.npz. None: the logdir.", CALL,
                is_path=True),
        _option("sample_wav", bool, False,
                "Whether to write each sampled utterance as a WAV file too.",
                CALL, models=RECURRENT),
        _option("render", bool, False,
                "Whether to write samples as pictures, pianorolls as MIDI and "
                "speech as WAV files; in training, whether each evaluation "
                "draws samples for TensorBoard. Needs the extra render.",
                CALL),
        # MIDI counts a quarter note in 24 bits of microseconds.
        _option("tempo", float, 120.,
                "The quarter notes per minute of MIDI files.", CALL,
                minimum=4., maximum=1000., models=RECURRENT),
        _option("steps_per_quarter", int, None,
                "The number of timesteps per quarter note, for MIDI files. "
                "None: what the dataset says, else 1.", CALL, minimum=1,
                maximum=480, models=RECURRENT),
    ]),
    ("Gaussian hidden Markov model", [
        _option("variance", float, 0.1,
                "The variance of transitions and emissions.", above=0.,
                models=GHMM),
        # Each timestep has ops of its own, and T^2 numbers are at hand.
        _option("num_timesteps", int, 5, "The length of a sequence.", MODEL,
                minimum=1, maximum=10000, models=GHMM),
        _option("data_from_model", bool, False,
                "Whether data is drawn from the model itself rather than from "
                "the original's chain, which has one more transition.",
                models=GHMM),
    ]),
    ("Distributed training", [
        _option("job_name", str, None,
                "The job of this process in a cluster; the chief is worker 0. "
                "None: the job in the variable TF_CONFIG, else training runs "
                "in this process alone.", CALL,
                ("ps", "chief", "worker")),
        _option("task", int, 0, "The number of this process in its job.", CALL,
                minimum=0),
        _option("ps_hosts", str, "",
                "The addresses of the parameter servers: host:port,...", CALL),
        _option("worker_hosts", str, "",
                "The addresses of the workers, the chief's first: "
                "host:port,...", CALL),
        _option("cluster_timeout_secs", float, 60.,
                "Seconds that a process of a cluster waits for another that "
                "does not answer before it gives up.", CALL, above=0.),
        _option("master", str, "",
                "The address of a TensorFlow server that you run yourself.",
                CALL),
        _option("ps_tasks", int, 0,
                "The number of parameter servers behind --master.", CALL,
                minimum=0),
        _option("stagger_workers", bool, True,
                "Whether worker k starts at step 1000 * k only.",
                CALL),
    ]),
])

OPTIONS = collections.OrderedDict(
    (option.name, option) for group in GROUPS.values() for option in group)
