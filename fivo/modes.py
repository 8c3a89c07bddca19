"""What `run_fivo.py` does once its flags are right.

It is a module of its own, since it imports TensorFlow, for seconds: whoever
mistyped a flag or asked for help need not wait for that.
"""

from fivo.cluster import parameter_server
from fivo.config import cluster_spec
from fivo.logdir import checkpoints
from fivo.logdir import validation_record
from fivo.system import log


def run(flags, config):
  """Trains, evaluates, samples or serves.

  Args:
    flags: absl's `FLAGS`.
    config: The `Config` that `config.resolve` made of them.

  Raises:
    UserError: If the data, the logdir or the log directory is wrong, or as
      the runners say.
    SystemExit: After Ctrl-C or SIGTERM, as the runners say.
  """
  log.configure(
      show_all=flags["verbosity"].present,
      # absl's default is what one of its variables says, for tests.
      log_dir=flags.log_dir if flags["log_dir"].present else None)
  if config.cluster is not None and config.cluster.job == cluster_spec.PS:
    _serve(config)
    return
  _find_runner(config)(config)


def _serve(config):
  """Holds variables until training is over, unless it is already."""
  step = checkpoints.step(checkpoints.latest(config.logdir, warn=False))
  if step >= config.max_steps or (
      validation_record.stopped_step(
          config.logdir, config.measure,
          config.early_stop_patience) is not None):
    log.info("Already at step %d of --max_steps=%d: nothing to do.", step,
             config.max_steps)
    return
  parameter_server.serve(config.cluster, config.cluster_timeout_secs)


def _find_runner(config):
  """The function that does what a configuration says.

  It is imported only here: a parameter server, for whose return a whole cluster
  waits, starts in two thirds of the time without the models.

  Args:
    config: A `Config`.

  Returns:
    A callable that takes a configuration.
  """
  # pylint: disable=import-outside-toplevel
  if config.model == "ghmm":
    from fivo import ghmm_runners as family
  else:
    from fivo import runners as family
  return getattr(family, "run_" + config.mode)
