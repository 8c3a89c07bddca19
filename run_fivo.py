"""Trains, evaluates and samples from sequential latent variable models.

Every option is a flag; `fivo/options.py` lists them in groups, and
`python run_fivo.py --help` prints them.
"""

import os

# TensorFlow reads this as it is imported. Its notes about the processor are
# noise; a user who wants them sets the variable to 0.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

# pylint: disable=wrong-import-position
from absl import flags  # noqa: E402

from fivo import cluster_spec  # noqa: E402
from fivo import config as config_lib  # noqa: E402
from fivo import console  # noqa: E402
from fivo import faults  # noqa: E402
from fivo import logs  # noqa: E402
from fivo import options  # noqa: E402
from fivo import parameter_server  # noqa: E402

FLAGS = flags.FLAGS

_DEFINE = {
    bool: flags.DEFINE_boolean,
    float: flags.DEFINE_float,
    int: flags.DEFINE_integer,
    str: flags.DEFINE_string,
}

def define_flags():
  """Makes a flag of every option."""
  for option in options.OPTIONS.values():
    if option.choices:
      flags.DEFINE_enum(
          option.name, option.default, list(option.choices), option.help)
    else:
      _DEFINE[option.kind](option.name, option.default, option.help)


define_flags()


def main(argv):
  """Does what `--mode` says.

  Args:
    argv: The program's name; positional arguments are refused.
  """
  del argv
  logs.configure(
      show_all=FLAGS["verbosity"].present,
      # absl's default is what one of its variables says, for tests.
      log_dir=FLAGS.log_dir if FLAGS["log_dir"].present else None)
  config = config_lib.resolve(FLAGS)
  config_lib.validate(config)
  spec = cluster_spec.parse(config)
  if spec is not None and spec.job == cluster_spec.PS:
    parameter_server.serve(config)
    return
  with faults.naming_memory():
    _find_runner(config)(FLAGS)


def _find_runner(config):
  """The function that does what a configuration says.

  It is imported only here: a parameter server, for whose return a whole cluster
  waits, starts in two thirds of the time without the models.

  Args:
    config: A `Config` that is valid.

  Returns:
    A callable that takes a configuration.
  """
  # pylint: disable=import-outside-toplevel
  if config.model == "ghmm":
    from fivo import ghmm_runners as family
  else:
    from fivo import runners as family
  return getattr(family, "run_" + config.mode)


def run():
  """The console command `run_fivo`."""
  console.run_main(main)


if __name__ == "__main__":
  run()
