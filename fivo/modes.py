"""What `run_fivo.py` does once its flags are right.

It is a module of its own, since it imports TensorFlow, for seconds: whoever
mistyped a flag or asked for help need not wait for that.
"""

from fivo import cluster_spec
from fivo import faults
from fivo import ghmm_runners
from fivo import logs
from fivo import parameter_server
from fivo import runners

_RUNNERS = {
    ("recurrent", "train"): runners.run_train,
    ("recurrent", "eval"): runners.run_eval,
    ("recurrent", "sample"): runners.run_sample,
    ("ghmm", "train"): ghmm_runners.run_train,
    ("ghmm", "eval"): ghmm_runners.run_eval,
    ("ghmm", "sample"): ghmm_runners.run_sample,
}


def run(flags, config):
  """Trains, evaluates, samples or serves.

  Args:
    flags: absl's `FLAGS`.
    config: The valid `Config` that they make.

  Raises:
    UserError: If the data, the logdir or the log directory is wrong, or as the
      runners say.
    SystemExit: After Ctrl-C or SIGTERM, as the runners say.
  """
  logs.configure(
      show_all=flags["verbosity"].present,
      # absl's default is what one of its variables says, for tests.
      log_dir=flags.log_dir if flags["log_dir"].present else None)
  spec = cluster_spec.parse(config)
  if spec is not None and spec.job == cluster_spec.PS:
    parameter_server.serve(config)
    return
  family = "ghmm" if config.model == "ghmm" else "recurrent"
  with faults.naming_memory():
    _RUNNERS[family, config.mode](flags)
