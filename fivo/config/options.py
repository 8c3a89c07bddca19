"""Every option of a run, once: name, default, allowed values, meaning.

`run_fivo.py` makes a flag of each; `checks.py` holds configurations against
this table, wherever they come from.
"""

import collections
import math
import numbers

import numpy as np

from fivo.system import errors

# How far an option reaches.
MODEL = "model"  # It defines the model: kept in the logdir, never changed.
RUN = "run"  # It belongs to the run: kept in the logdir, may be changed.
CALL = "call"  # It belongs to one call of the program only.

RECURRENT = ("vrnn", "srnn")
# Schemes that copy particles, and all of them.
COPYING_TYPES = ("multinomial", "stratified", "systematic", "residual")
RESAMPLING_TYPES = COPYING_TYPES + ("relaxed", "optimal_transport")
GHMM = ("ghmm",)
_MAY_BE_OWN = ("model", "dataset_type", "split")

# What TensorFlow counts in, and computes in.
_MAX_INT = 2 ** 31 - 1
_MAX_LONG = 2 ** 63 - 1
_MAX_FLOAT = 3.4e38
# Nothing of this size fits any memory; without a limit, sizes overflow.
_MAX_SIZE = 1000000


def is_integer(value):
  """Whether a value is an integer, of NumPy's too, and not a bool."""
  return isinstance(value, numbers.Integral) and is_number(value)


def is_number(value):
  """Whether a value is a real number and not a bool."""
  return isinstance(value, numbers.Real) and not isinstance(value, bool)


class Option(collections.namedtuple("Option", (
    "name", "kind", "default", "help", "scope", "choices", "minimum",
    "maximum", "above", "models", "is_path"))):
  """One option.

  Attributes:
    name: Its name, as a flag and as an attribute of a configuration.
    kind: The type of its value: str, int, float or bool.
    default: The value where none is given.
    help: One sentence.
    scope: MODEL, RUN or CALL.
    choices: None, or a tuple of the values allowed.
    minimum: None, or the smallest value allowed.
    maximum: The largest value allowed, None where the kind is no number.
    above: None, or a bound that the value must exceed.
    models: None, or a tuple of the models that heed the option.
    is_path: Whether it names a file or a directory.
  """

  __slots__ = ()

  def concerns(self, model):
    """Whether a model heeds the option; one of a caller's own may heed all."""
    return self.models is None or model not in RECURRENT + GHMM or (
        model in self.models)

  def complaint(self, value, own_names=False):
    """Says what is wrong with a value.

    Args:
      value: The value.
      own_names: Whether a model, a dataset type and a split may have names of
        the caller's own.

    Returns:
      None if the value is allowed, else what would be right, in a few words.
    """
    if value is None:
      return None if self.default is None else "needs a value"
    if self.kind is bool:
      # Callers in Python may write 0 or 1, as ever.
      is_bool = isinstance(value, (bool, np.bool_)) or (
          isinstance(value, numbers.Integral) and value in (0, 1))
      return None if is_bool else "must be true or false"
    if self.kind is str:
      return self._complaint_about_text(
          value, () if own_names and self.name in _MAY_BE_OWN else self.choices)
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
    if not (is_integer(value) if self.kind is int else is_number(value)):
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


def _option(name, kind, default, text, scope=RUN, choices=None, minimum=None,
            above=None, models=None, maximum=None, is_path=False):
  if maximum is None:
    maximum = {int: _MAX_INT, float: _MAX_FLOAT}.get(kind)
  return Option(name, kind, default, text, scope, choices, minimum, maximum,
                above, models, is_path)


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
                "Whether a terminal shows progress bars beside log lines.",
                CALL),
    ]),
    ("Model", [
        _option("model", str, "vrnn", "The model.", MODEL,
                ("vrnn", "ghmm", "srnn")),
        _option("latent_size", int, 64,
                "The size of the latents, of the recurrent network and of all "
                "hidden layers.", MODEL, minimum=1, maximum=1 << 16,
                models=RECURRENT),
        _option("proposal_type", str, "filtering",
                "What the proposal sees: nothing (prior), the current "
                "observation, or all later ones too; true-* are the exact "
                "conditionals of the GHMM.", MODEL,
                ("prior", "filtering", "smoothing", "true-filtering",
                 "true-smoothing")),
        _option("emission_sigma_min", float, None,
                "The smallest scale of a Normal emission. None is the "
                "original's: no floor.", minimum=0., models=RECURRENT),
    ]),
    ("Data", [
        _option("dataset_type", str, "pianoroll", "The kind of data.", MODEL,
                ("pianoroll", "speech", "pose", "series"), models=RECURRENT),
        _option("dataset_path", str, "",
                "A pianoroll pickle; or a TFRecord file of speech, or the "
                "directory of one for each split; or a pickle of poses; or "
                "an .npz file of series, or a directory of CSV files.",
                models=RECURRENT, is_path=True),
        _option("data_dimension", int, None,
                "The size of an observation. None: 88 for pianorolls, 200 for "
                "speech, and what the data has for others.", MODEL, minimum=1,
                maximum=_MAX_SIZE, models=RECURRENT),
        _option("split", str, "train", "The split to evaluate or to sample "
                "prefixes from.", CALL, ("train", "test", "valid"),
                models=RECURRENT),
        _option("batch_size", int, 4, "The number of sequences in a batch.",
                minimum=1, maximum=_MAX_SIZE),
        _option("bucket_by_length", bool, False,
                "Whether training batches are of sequences of similar length, "
                "which saves padding, rather than uniform.",
                models=RECURRENT),
        _option("max_train_length", int, None,
                "Longer training sequences are cut into equal pieces of at "
                "most so many timesteps; evaluation is of whole ones. None: "
                "none are.", minimum=1, models=RECURRENT),
    ]),
    ("Bound", [
        _option("bound", str, "fivo",
                "The bound to train on; fivo-aux builds the model with a "
                "tilt, sixo with a twist.", RUN,
                ("elbo", "iwae", "fivo", "fivo-aux", "sixo")),
        _option("num_samples", int, 4, "The number of particles.", minimum=1,
                maximum=_MAX_SIZE),
        _option("resampling_type", str, "multinomial",
                "How FIVO resamples in training.", RUN, RESAMPLING_TYPES),
        _option("eval_resampling_type", str, "multinomial",
                "How FIVO resamples in evaluation; the schemes that blend "
                "particles would bias it.", CALL, COPYING_TYPES),
        _option("relaxed_resampling_temperature", float, 0.5,
                "The temperature of relaxed resampling.", above=0.),
        _option("ot_epsilon", float, 0.5,
                "The regularisation of optimal transport, in units of the mean "
                "squared distance of particles.", above=0.),
        _option("ot_max_iterations", int, 100,
                "The most iterations that optimal transport may take.",
                minimum=1, maximum=_MAX_SIZE),
        _option("resampling_criterion", str, "ess",
                "When FIVO resamples, in training and evaluation: where the "
                "effective sample size is low, always, or never.", RUN,
                ("ess", "always", "never")),
        _option("ess_threshold", float, 0.5,
                "The share of the particles at which the effective sample size "
                "is low.", above=0., maximum=1.),
        _option("resampling_gradients", str, "none",
                "What the gradient knows of the choice of ancestors: nothing, "
                "as in the paper; their score; or stop_gradient, for the "
                "gradient of the likelihood.", RUN,
                ("none", "score", "stop_gradient")),
        _option("iwae_gradients", str, "reparameterized",
                "The gradient estimator of IWAE; dreg is doubly "
                "reparameterized.", RUN, ("reparameterized", "dreg")),
        _option("twist", str, "dre",
                "How the twist of SIXO is learned: as the logit of a "
                "classifier, on data that the model draws (dre), or by the "
                "bound itself (joint); optimal is the exact one of the GHMM.",
                MODEL, ("dre", "joint", "optimal")),
        _option("twist_steps", int, 1,
                "How many steps of the classifier follow on every "
                "--model_steps.", minimum=1),
        _option("model_steps", int, 1,
                "How many steps of the bound come before --twist_steps.",
                minimum=1),
        _option("diagnostics", bool, False,
                "Whether training charts more of how the particles fare, and "
                "evaluation writes diagnostics of one batch.", CALL),
        _option("parallel_iterations", int, 30,
                "How many timesteps of the filter may run at once.",
                minimum=1),
    ]),
    ("Training", [
        _option("normalize_by_seq_len", bool, True,
                "Whether the loss is the mean bound per timestep rather than "
                "per sequence.", models=RECURRENT),
        _option("xla", bool, False,
                "Whether XLA compiles the training step: some seconds for each "
                "of a few lengths of batches, and faster from then on.",
                models=RECURRENT),
        _option("learning_rate", float, 0.0002, "Adam's learning rate.",
                above=0.),
        _option("learning_rate_schedule", str, "constant",
                "How the learning rate goes on: cosine lets it fall to a "
                "hundredth of --learning_rate over --schedule_steps.",
                choices=("constant", "cosine")),
        _option("schedule_steps", int, None,
                "The step at which the schedule ends; from then on the rate "
                "stays. cosine needs it.", minimum=1, maximum=_MAX_LONG),
        _option("average_variables", float, None,
                "The decay of exponential moving averages of the variables, "
                "e.g. 0.999; they are what is evaluated, exported and sampled "
                "from. None: no averages.", above=0., maximum=0.999999),
        _option("input_dropout", float, 0.,
                "With what probability training sets a number of an input, the "
                "observation before, to zero: so fewer are learned by heart.",
                minimum=0., maximum=0.999, models=RECURRENT),
        _option("kl_warmup_steps", int, None,
                "In how many first steps of training the log ratio of prior "
                "and proposal comes to count in full, from nothing: a VRNN or "
                "SRNN learns to use its latents. None: it counts from the "
                "start.", minimum=1, maximum=_MAX_LONG, models=RECURRENT),
        _option("clip_gradient_norm", float, None,
                "The largest norm of the gradient; a longer one is scaled down "
                "to it. None: as it is.", above=0.),
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
                "Whether LOGDIR/best keeps the checkpoint with the best bound "
                "on the valid split."),
        _option("early_stop_patience", int, None,
                "After how many evaluations without a better bound on the "
                "valid split training stops. None: it does not.", minimum=1),
    ]),
    ("Evaluation", [
        _option("wait_for_checkpoint", bool, False,
                "Whether to wait for a checkpoint to appear, as the original "
                "did, rather than to fail.", CALL),
        _option("eval_interval_secs", float, None,
                "Seconds between looks for a new checkpoint; each is "
                "evaluated, until the one of step --max_steps. None: the "
                "newest is evaluated, once.", CALL, above=0.),
        _option("eval_repeats", int, 1,
                "How often to evaluate; from 2 on, standard errors are "
                "printed too.", CALL, minimum=1, maximum=_MAX_SIZE,
                models=RECURRENT),
    ]),
    ("Sampling", [
        _option("sample_length", int, 50, "The number of timesteps to sample.",
                CALL, minimum=1, maximum=_MAX_SIZE, models=RECURRENT),
        _option("prefix_length", int, 25,
                "The number of timesteps to condition on.", CALL, minimum=1,
                maximum=_MAX_SIZE, models=RECURRENT),
        _option("sample_out_dir", str, None,
                "Where samples.npz goes; None is the logdir.", CALL,
                is_path=True),
        _option("sample_wav", bool, False,
                "Whether to write each sampled utterance as a WAV file too.",
                CALL, models=RECURRENT),
        _option("render", bool, False,
                "Whether to draw what is sampled, and to write pianorolls as "
                "MIDI files and speech as WAV files; in training, whether each "
                "evaluation draws samples for TensorBoard. Needs the extra "
                "render.",
                CALL),
        # MIDI counts a quarter note in 24 bits of microseconds.
        _option("tempo", float, 120.,
                "The quarter notes per minute of MIDI files.", CALL,
                minimum=4., maximum=1000., models=RECURRENT),
        _option("steps_per_quarter", int, None,
                "The timesteps in a quarter note of the dataset, for MIDI "
                "files. None: what the dataset says, else 1.", CALL, minimum=1,
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
                "Whether data is drawn from the model itself rather than, as "
                "in the original, from a chain with one more transition.",
                models=GHMM),
    ]),
    ("Distributed training", [
        _option("job_name", str, None,
                "What this process of a cluster is; the chief is worker 0. "
                "None: training runs in this process alone, unless the "
                "variable TF_CONFIG says otherwise.", CALL,
                ("ps", "chief", "worker")),
        _option("task", int, 0, "This process's number in its job.", CALL,
                minimum=0),
        _option("ps_hosts", str, "",
                "The parameter servers: host:port,host:port...", CALL),
        _option("worker_hosts", str, "",
                "The workers, the chief first: host:port,host:port...", CALL),
        _option("cluster_timeout_secs", float, 60.,
                "How long a process of a cluster waits for another that does "
                "not answer before it gives up.", CALL, above=0.),
        _option("master", str, "",
                "The TensorFlow server to use, where you run the servers "
                "yourself.", CALL),
        _option("ps_tasks", int, 0,
                "The number of parameter servers behind --master.", CALL,
                minimum=0),
        _option("stagger_workers", bool, True,
                "Whether worker k waits for step 1000 * k before it starts.",
                CALL),
    ]),
])

OPTIONS = collections.OrderedDict(
    (option.name, option) for group in GROUPS.values() for option in group)
