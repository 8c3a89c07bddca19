"""Running a mode of `run_fivo.py`, once its flags are known to be right.

A separate module, so that help and mistyped flags need not wait for TensorFlow.
"""

from fivo.cluster import session as cluster_session
from fivo.config import cluster_spec
from fivo.logdir import run_directory
from fivo.system import errors
from fivo.system import files
from fivo.system import log
from fivo.training import steps


def run(flags, config):
  """Trains, evaluates, samples or serves, given absl's `FLAGS`, a `Config`."""
  log_dir = None
  # absl, which defines the flag, makes no directory; its default is for tests.
  if flags["log_dir"].present:
    with errors.naming_flag("log_dir"):
      log_dir = files.local_path(flags.log_dir)
    files.prepare_directory("log_dir", log_dir)
  log.configure(show_all=flags["verbosity"].present, log_dir=log_dir)
  if config.cluster is not None and config.cluster.job == cluster_spec.PS:
    directory = run_directory.RunDirectory(config.logdir)
    if not steps.is_finished(config, directory, directory.latest_step()):
      cluster_session.serve_variables(
          config.cluster, config.cluster_timeout_secs)
    return
  # Here, since a parameter server, which a whole cluster waits for, starts in
  # two thirds of the time without the models.
  # pylint: disable=import-outside-toplevel
  if config.model_traits.needs_data:
    from fivo import runners as family
  else:
    from fivo import ghmm_runners as family
  getattr(family, "run_" + config.mode)(config)
