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
  """Trains, evaluates, samples or serves, by absl's `FLAGS` and a `Config`."""
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
  """The runner for a configuration's model and mode.

  It is imported only here: a parameter server, for whose return a whole cluster
  waits, starts in two thirds of the time without the models.
  """
  # pylint: disable=import-outside-toplevel
  if config.model_traits.is_recurrent:
    from fivo import runners as family
  else:
    from fivo import ghmm_runners as family
  return getattr(family, "run_" + config.mode)
