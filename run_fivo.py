"""Trains, evaluates and samples from sequential latent variable models.

Every option is a flag; docs/flags.md lists them in groups.
"""

if __name__ == "__main__":
  from fivo.system import startup
  startup.run(__file__)

from absl import flags

from fivo.config import config as config_lib
from fivo.config import options
from fivo.system import startup

FLAGS = flags.FLAGS


def define_flags():
  """Defines a flag for every option."""
  options.define_flags()


def main(argv):
  """Runs the mode that `--mode` names.

  Args:
    argv: The program's name; positional arguments are refused.
  """
  del argv
  config = config_lib.resolve(FLAGS)
  # Only once the flags are known to be right: see `modes.py`.
  with startup.importing():
    from fivo import modes  # pylint: disable=import-outside-toplevel
  modes.run(FLAGS, config)


def run():
  """The console command `run_fivo`."""
  startup.run(__file__)
