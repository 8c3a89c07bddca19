"""Reads the bytes of a file, and describes its defects in one line."""

import contextlib
import importlib
import reprlib

import numpy as np

from fivo.system import files
from fivo.system.errors import UserError


def read_bytes(path, max_bytes=1 << 28):
  """Returns the bytes of a file, or raises a `UserError` that names it."""
  try:
    return files.read_bytes(path, max_bytes)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror or error)) from error
  except ValueError as error:
    raise UserError("%s: is %s" % (path, error)) from error


@contextlib.contextmanager
def as_user_error(path, kind, remedy=""):
  """Turns any exception of a library into the `UserError` "PATH: not KIND"."""
  try:
    yield
  except UserError:
    raise
  except (Exception, MemoryError) as error:  # pylint: disable=broad-except
    raise UserError("%s: not %s (%s)%s"
                    % (path, kind, one_line(error), remedy)) from error


def import_extra(name, use, extra):
  """Imports a library that comes with an extra of this package."""
  try:
    return importlib.import_module(name)
  except ImportError as error:
    raise UserError("%s is not installed; %s: pip install fivo[%s]"
                    % (name, use, extra)) from error


def one_line(error):
  """The type and the message of an exception, shortened."""
  message = str(error).split("\n")[0][:120]
  name = type(error).__name__
  return "%s: %s" % (name, message) if message else name


def describe(value):
  """A short, one-line description of a value of any size."""
  if isinstance(value, (dict, list, tuple)):
    return "a %s of length %d" % (type(value).__name__, len(value))
  if isinstance(value, np.ndarray):
    return "an array of shape %s" % list(value.shape)
  return reprlib.repr(value)
