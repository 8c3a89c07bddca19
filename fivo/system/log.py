"""Log lines for whoever listens: to TensorFlow's logger, or to absl's.

In a script or a notebook `tf.logging.set_verbosity` says what is shown, in a
program absl's flags do. A line of this project is shown if either wants it,
and once: TensorFlow's own handler, which the root logger's would repeat, is for
those who have no other. It is called as absl's `logging` is.
"""

import logging

# absl makes its logger, of a class of its own, as it is imported.
from absl import logging as absl_logging  # noqa: F401, pylint: disable=unused-import


class _Logger(logging.Logger):
  """A logger with the levels and the handlers of TensorFlow's and absl's."""

  def isEnabledFor(self, level):  # noqa: N802
    """Whether one of the two shows lines of a level."""
    return any(logging.getLogger(name).isEnabledFor(level)
               for name in ("absl", "tensorflow"))

  def callHandlers(self, record):  # noqa: N802
    """Shows a line."""
    tensorflow_logger = logging.getLogger("tensorflow")
    if not logging.root.handlers:
      tensorflow_logger.callHandlers(record)
      return
    for handler in logging.root.handlers + [
        # What a user has added, a file for instance.
        h for h in tensorflow_logger.handlers
        if type(h) is not logging.StreamHandler]:  # pylint: disable=C0123
      if record.levelno >= handler.level:
        handler.handle(record)


_logger = _Logger("tensorflow")
info = _logger.info
warning = _logger.warning
