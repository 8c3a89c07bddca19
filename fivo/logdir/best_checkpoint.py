"""The best checkpoint of a run, kept as a logdir inside the run's logdir.

Whenever the process that writes it dies, there is one whole checkpoint. The
record (`validation_record.py`) is written before it: a resumed run exports what
a death in between left out.
"""

import glob
import os
import shutil

from fivo.config import stored
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import files

DIRECTORY = "best"
_STATE = 'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n'


def path_in(logdir):
  """The directory of the best checkpoint."""
  return os.path.join(logdir, DIRECTORY)


def step_in(logdir):
  """The global step of the best checkpoint; None where there is none."""
  path = checkpoints.latest(path_in(logdir), warn=False)
  return None if path is None else checkpoints.step(path)


def check(logdir):
  """Refuses a logdir whose `best` is a link or cannot be written to."""
  best = path_in(logdir)
  if os.path.islink(best):  # It may lead into another run.
    raise errors.UserError("--logdir=%s: its %s is a link; remove it, or leave "
                           "--export_best out" % (logdir, DIRECTORY))
  files.check_directory("logdir", best)


def export(logdir, path):
  """Makes the checkpoint at `path` the best of its run; raises as `check`."""
  check(logdir)
  best, name = path_in(logdir), os.path.basename(path)
  os.makedirs(best, exist_ok=True)
  _copy(os.path.join(logdir, stored.FILE_NAME), best)
  for data in glob.glob(glob.escape(path) + ".data-*-of-?????"):
    _copy(data, best)
  _copy(path + ".index", best)
  with files.atomic_write(os.path.join(best, "checkpoint"), "w") as stream:
    stream.write(_STATE % (name, name))
  for other in glob.glob(os.path.join(
      glob.escape(best), checkpoints.NAME + "-*")):
    if not os.path.basename(other).startswith(name + "."):
      os.remove(other)


def _copy(source, directory):
  """Copies a file, whole or not at all."""
  with open(source, "rb") as stream, files.atomic_write(
      os.path.join(directory, os.path.basename(source))) as copy:
    shutil.copyfileobj(stream, copy)
