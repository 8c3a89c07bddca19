"""Sessions with the newest checkpoint restored, while a run may rotate it."""

import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.system import log
from fivo.system import sessions


def use_newest(logdir, path, use):
  """Uses a checkpoint, or the next if that is gone or not whole meanwhile.

  Args:
    logdir: A directory.
    path: The path of the first checkpoint to try.
    use: A callable that takes a path.

  Returns:
    What `use` returns.

  Raises:
    UnreadableError: What `use` raises where there is no newer checkpoint.
  """
  while True:
    try:
      return use(path)
    except checkpoints.UnreadableError as e:
      newer = checkpoints.latest(logdir, warn=False)
      if newer in (None, path):
        raise
      log.info("Passed over: %s", e)
      path = newer


def monitored_session(logdir, path):
  """Opens a MonitoredSession of the default graph.

  Args:
    logdir: A directory.
    path: The checkpoint to restore, see `use_newest`.

  Returns:
    A MonitoredSession.

  Raises:
    UserError: If the checkpoint is not of this graph, is damaged or gone.
  """
  variables = tf.compat.v1.global_variables()
  scaffold = tf.compat.v1.train.Scaffold(
      saver=tf.compat.v1.train.Saver(variables))

  def open_session(path):
    checkpoints.check_compatible(path, variables)
    try:
      return tf.compat.v1.train.MonitoredSession(
          tf.compat.v1.train.ChiefSessionCreator(
              scaffold, config=sessions.options(),
              checkpoint_filename_with_path=path))
    except (tf.errors.OpError, ValueError) as e:
      raise checkpoints.UnreadableError(
          "%s: damaged: %s" % (path, str(e).splitlines()[0])) from e

  return use_newest(logdir, path, open_session)
