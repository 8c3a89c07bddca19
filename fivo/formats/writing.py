"""Checks that a file can be written, before the work that it will hold."""

import os

from fivo.system.errors import UserError


def check_file(path):
  """Refuses the path of a file that cannot be written."""
  if not os.path.basename(path) or os.path.isdir(path):
    raise UserError("%s: not a file; give the path of a file to write" % path)
  directory = os.path.dirname(os.path.realpath(path))
  if not os.path.isdir(directory):
    raise UserError("%s: there is no directory %s" % (path, directory))
  if not os.access(directory, os.W_OK | os.X_OK):
    raise UserError("%s: the directory %s is not writable" % (path, directory))
