"""Running a mode of `run_fivo.py`, once its flags are known to be right.

A separate module, so that help and mistyped flags need not wait for TensorFlow.
"""

from fivo.cluster import session as cluster_session
from fivo.config import cluster_spec
from fivo.logdir import run_directory
from fivo.system import log
from fivo.training import steps


def run(flags, config):
  """Trains, evaluates, samples or serves, given absl's `FLAGS`, a `Config`."""
  log.configure(
      show_all=flags["verbosity"].present,
      # absl's default is an environment variable of its own, for tests.
      log_dir=flags.log_dir if flags["log_dir"].present else None)
  if config.cluster is not None and config.cluster.job == cluster_spec.PS:
    directory = run_directory.RunDirectory(config.logdir)
    if not steps.is_finished(config, directory, directory.latest_step()):
      cluster_session.serve_variables(
          config.cluster, config.cluster_timeout_secs)
    return
  # Here, since a parameter server, which a whole cluster waits for, starts in
  # two thirds of the time without the models.
  # pylint: disable=import-outside-toplevel
  if config.model_traits.is_recurrent:
    from fivo import runners as family
  else:
    from fivo import ghmm_runners as family
  getattr(family, "run_" + config.mode)(config)
