"""Unpickles plain data and NumPy numbers; runs nothing that a file names."""

import io
import pickle
import re

import numpy as np

_PLAIN_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")


class RefusedError(pickle.UnpicklingError):
  """A pickle asks for something that is not plain data."""


def loads(data):
  """Returns the plain data in a pickle.

  Args:
    data: The bytes of a pickle, of Python 2 or 3. Strings of Python 2 are read
      as Latin-1.

  Returns:
    Nested dictionaries, lists, tuples and sets of strings, bytes, numbers and
    NumPy arrays of numbers.

  Raises:
    RefusedError: If the pickle asks for anything else.
    Exception: Almost any other, MemoryError included, if it is damaged.
  """
  return _Unpickler(io.BytesIO(data), encoding="latin1").load()


def _dtype(code, *unused_flags):
  """Stands for numpy.dtype; returns a copy, whose byte order may be set."""
  if not _PLAIN_TYPE.fullmatch(str(code)):
    raise RefusedError("it holds NumPy data of type %r" % code)
  return np.dtype(code, False, True)


_ADMITTED = {
    ("numpy", "dtype"): _dtype,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy.core.multiarray", "scalar"): np.core.multiarray.scalar,
    ("numpy.core.multiarray", "_reconstruct"): (
        np.core.multiarray._reconstruct),  # pylint: disable=protected-access
    # How Python 3 writes bytes, and none, for Python 2.
    ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
    ("builtins", "bytes"): lambda: b"",
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
}


class _Unpickler(pickle._Unpickler):  # pylint: disable=protected-access
  """Admits a few names, none of which reaches beyond the data.

  Of the two in the library this is the one in Python. The one in C takes up to
  64 GB for what five damaged bytes say.
  """

  def find_class(self, module, name):
    # NumPy 2 moved a module, and Python 3 another.
    key = (module.replace("numpy._core", "numpy.core").replace(
        "__builtin__", "builtins"), name)
    if key not in _ADMITTED:
      raise RefusedError("it asks for '%.80s.%.80s'" % (module, name))
    return _ADMITTED[key]
