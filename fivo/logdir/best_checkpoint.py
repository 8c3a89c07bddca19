"""The best checkpoint of a run, kept as a logdir inside the run's logdir.

Whoever looks finds one whole checkpoint there, whenever the process that
writes it dies: the directory appears with everything in it, and from then on a
new checkpoint is there beside the old one before the file `checkpoint`, renamed
into place, names it.

Which checkpoint that should be, the record decides (`validation_record.py`),
which is written first: a resumed run mends what a death in between left.
"""

import glob
import os
import shutil

from fivo.config import stored
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import files

DIRECTORY = "best"
_UNFINISHED = DIRECTORY + ".tmp"
_STATE = 'model_checkpoint_path: "%s"\nall_model_checkpoint_paths: "%s"\n'


def path_in(logdir):
  """The directory of the best checkpoint."""
  return os.path.join(logdir, DIRECTORY)


def step_in(logdir):
  """The global step of the best checkpoint; None where there is none."""
  path = checkpoints.latest(path_in(logdir), warn=False)
  return None if path is None else checkpoints.step(path)


def check(logdir):
  """Refuses to export where that could not be done, or would be elsewhere.

  Args:
    logdir: The run's logdir, which need not exist.

  Raises:
    UserError: If the directory is a link, which may lead into another run, or
      cannot be written to.
  """
  best = path_in(logdir)
  for path in (best, os.path.join(logdir, _UNFINISHED)):
    if os.path.islink(path):
      raise errors.UserError(
          "--logdir=%s: its %s is a link; remove it, or leave --export_best "
          "out" % (logdir, os.path.basename(path)))
  files.check_directory("logdir", best, ["checkpoint", stored.FILE_NAME])


def export(logdir, path):
  """Makes a checkpoint the best of its run.

  Args:
    logdir: The run's logdir, with its configuration.
    path: The checkpoint's path.

  Raises:
    OSError: If the logdir cannot be written to.
    UserError: As `check`.
  """
  check(logdir)
  remove_leftovers(logdir)
  best = path_in(logdir)
  if os.path.isdir(best):
    _write(logdir, path, best)
    _remove_others(best, os.path.basename(path))
    return
  unfinished = os.path.join(logdir, _UNFINISHED)
  os.mkdir(unfinished)
  _write(logdir, path, unfinished)
  os.rename(unfinished, best)


def remove_leftovers(logdir):
  """Removes what a process left that died while it wrote.

  Args:
    logdir: A logdir in which no other process trains.
  """
  shutil.rmtree(os.path.join(logdir, _UNFINISHED), ignore_errors=True)
  best = path_in(logdir)
  if os.path.islink(best):
    return
  path = checkpoints.latest(best, warn=False)
  if path is not None:
    _remove_others(best, os.path.basename(path))


def _write(logdir, path, directory):
  """Writes a checkpoint and the configuration, what names it last."""
  name = os.path.basename(path)
  _copy(os.path.join(logdir, stored.FILE_NAME), directory)
  for data in sorted(glob.glob(glob.escape(path) + ".data-*-of-?????")):
    _copy(data, directory)
  _copy(path + ".index", directory)
  with files.atomic_write(os.path.join(directory, "checkpoint"), "w",
                          through_links=False) as stream:
    stream.write(_STATE % (name, name))


def _copy(source, directory):
  """Copies a file, whole or not at all."""
  target = os.path.join(directory, os.path.basename(source))
  with open(source, "rb") as stream:
    with files.atomic_write(target, through_links=False) as copy:
      shutil.copyfileobj(stream, copy)


def _remove_others(directory, name):
  """Removes all checkpoints but one, and temporary files."""
  for path in glob.glob(os.path.join(glob.escape(directory), "*")):
    base = os.path.basename(path)
    is_other = base.startswith("model.ckpt-") and not base.startswith(
        name + ".")
    if is_other or (base.endswith(".tmp") and os.path.isfile(path)):
      os.remove(path)
