"""Reads the bytes of a file, and describes what is wrong with it in a line."""

import contextlib
import reprlib

import numpy as np

from fivo.system import files
from fivo.system.errors import UserError


def read_bytes(path, max_bytes):
  """Returns the bytes of a file, or raises a `UserError` that names it."""
  try:
    return files.read_bytes(path, max_bytes)
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror or error)) from error
  except ValueError as error:
    raise UserError("%s: is %s" % (path, error)) from error


@contextlib.contextmanager
def complaining(path, kind, remedy=""):
  """Turns any exception, as libraries raise for damaged files, into one line.

  Args:
    path: The file, with which the message of the `UserError` begins.
    kind: What it is not, e.g. "a complete MIDI file".
    remedy: What to add to the message.

  Yields:
    Nothing.
  """
  try:
    yield
  except UserError:
    raise
  except (Exception, MemoryError) as error:  # pylint: disable=broad-except
    raise UserError("%s: not %s (%s)%s"
                    % (path, kind, one_line(error), remedy)) from error


def one_line(error):
  """Returns the type and the message of an exception, shortened."""
  message = str(error).split("\n")[0][:120]
  name = type(error).__name__
  return "%s: %s" % (name, message) if message else name


def describe(value):
  """Returns a short description, in one line, of a value of any size."""
  if isinstance(value, int) and value.bit_length() > 64:
    # Printing takes time quadratic in the number of digits.
    return "an integer of %d bits" % value.bit_length()
  if isinstance(value, (dict, list, tuple)):
    return "a %s of length %d" % (type(value).__name__, len(value))
  if isinstance(value, np.ndarray):
    return "an array of shape %s" % list(value.shape)
  return reprlib.repr(value)
