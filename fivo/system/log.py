"""Log lines: where they are shown, and which of TensorFlow's are.

A line of this project is shown once, if `tf.logging.set_verbosity` or absl's
flags allow it: TensorFlow's own handler is only used if there is no other.
"""

import logging

from absl import logging as absl_logging

_DEPRECATION_WORDS = ("deprecat", "will be removed in", "replaced by")


class _Logger(logging.Logger):
  """A logger with the levels and the handlers of TensorFlow's and absl's."""

  def isEnabledFor(self, level):  # noqa: N802
    """True if one of the two shows lines of a level."""
    return any(logging.getLogger(name).isEnabledFor(level)
               for name in ("absl", "tensorflow"))

  def callHandlers(self, record):  # noqa: N802
    """Shows a line."""
    tensorflow_logger = logging.getLogger("tensorflow")
    if not logging.root.handlers:
      tensorflow_logger.callHandlers(record)
      return
    for handler in logging.root.handlers + [
        # Added by a user, such as a file.
        h for h in tensorflow_logger.handlers
        if type(h) is not logging.StreamHandler]:  # pylint: disable=C0123
      if record.levelno >= handler.level:
        handler.handle(record)


_logger = _Logger("tensorflow")
info = _logger.info
warning = _logger.warning


def configure(show_all=False, log_dir=None):
  """Routes TensorFlow's log through absl's, once absl has parsed its flags.

  Deprecation notes are dropped unless `show_all` is true; lines go to a file in
  the directory `log_dir`, if there is one.
  """
  if log_dir is not None:
    absl_logging.get_absl_handler().use_absl_log_file(log_dir=log_dir)
  logger = logging.getLogger("tensorflow")
  # It would repeat what absl's handler at the root prints.
  del logger.handlers[:]
  logger.setLevel(
      absl_logging.converter.absl_to_standard(absl_logging.get_verbosity()))
  if not show_all:
    skip_deprecation_checks()
    logger.addFilter(_is_wanted)  # Some notes come from elsewhere.


def skip_deprecation_checks():
  """Saves a fifth of the time of building a graph."""
  # pylint: disable=import-outside-toplevel, protected-access
  from tensorflow.python.util import deprecation
  deprecation._PRINT_DEPRECATION_WARNINGS = False


def _is_wanted(record):
  message = record.getMessage()
  return not any(word in message for word in _DEPRECATION_WORDS)
