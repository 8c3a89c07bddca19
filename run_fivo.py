"""Trains, evaluates and samples from sequential latent variable models.

Every option is a flag; `fivo/config/options.py` lists them in groups, and
`python run_fivo.py --help` prints them.
"""

import os

if __name__ == "__main__":
  from fivo.system import startup
  startup.begin_imports()

# TensorFlow reads this as it is imported. Its notes about the processor are
# noise; a user who wants them sets the variable to 0.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")

# pylint: disable=wrong-import-position
from absl import flags  # noqa: E402

from fivo.config import config as config_lib  # noqa: E402
from fivo.config import flags as config_flags  # noqa: E402
from fivo.system import console  # noqa: E402
from fivo.system import startup  # noqa: E402

FLAGS = flags.FLAGS

config_flags.define()


def main(argv):
  """Does what `--mode` says.

  Args:
    argv: The program's name; positional arguments are refused.
  """
  del argv
  config = config_lib.resolve(FLAGS)
  # Not before the flags are known to be right: see there.
  startup.begin_imports()
  from fivo import modes  # pylint: disable=import-outside-toplevel
  startup.end_imports()
  modes.run(FLAGS, config)


def run():
  """The console command `run_fivo`."""
  # A signal to a process in a call of TensorFlow would wait for its end.
  console.run_main(main, is_interruptible=False)


if __name__ == "__main__":
  run()
