"""Using the newest checkpoint of a run that may rotate it meanwhile."""

from fivo.logdir import checkpoints
from fivo.system import log


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
