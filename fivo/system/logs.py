"""Keeps TensorFlow's log lines that a user needs and drops the rest."""

import logging as standard_logging

from absl import logging
from tensorflow.python.util import deprecation

from fivo.system import files

_DEPRECATION_WORDS = ("deprecat", "will be removed in", "replaced by")


def configure(show_all, log_dir=None):
  """Routes TensorFlow's log through absl's, without deprecation notes.

  Call it once absl has parsed its flags, and before a graph is built.

  Args:
    show_all: Whether to keep deprecation notes too: of use to those who port
      this code, noise to everyone else.
    log_dir: The directory of a file for log lines, which then do not go to
      stderr unless absl's flags say that they do too; None: no file.

  Raises:
    UserError: If the directory cannot be used.
  """
  if log_dir is not None:
    # absl only defines the flag, and makes no directory.
    files.prepare_directory("log_dir", log_dir)
    logging.get_absl_handler().use_absl_log_file(log_dir=log_dir)
  logger = standard_logging.getLogger("tensorflow")
  # absl's handler at the root prints every line; TensorFlow's own handler would
  # print it again.
  for handler in list(logger.handlers):
    logger.removeHandler(handler)
  logger.setLevel(logging.converter.absl_to_standard(logging.get_verbosity()))
  if not show_all:
    skip_deprecation_checks()
    logger.addFilter(_is_wanted)  # Some notes come from elsewhere.


def skip_deprecation_checks():
  """Keeps TensorFlow from looking for what is deprecated in a graph's ops.

  That takes a fifth of the time in which a graph is built.
  """
  # pylint: disable=protected-access
  deprecation._PRINT_DEPRECATION_WARNINGS = False


def _is_wanted(record):
  message = record.getMessage()
  return not any(word in message for word in _DEPRECATION_WORDS)
