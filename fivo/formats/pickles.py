"""Unpickles plain data and NumPy numbers; runs nothing that a file names."""

import io
import pickle
import re

import numpy as np

_PLAIN_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")


class RefusedError(pickle.UnpicklingError):
  """A pickle asks for something that is not plain data."""


def loads(data):
  """Returns the plain data in a pickle of Python 2, as Latin-1, or Python 3.

  Nested dictionaries, lists, tuples and sets of strings, bytes, numbers and
  NumPy arrays of numbers. Raises a `RefusedError` if the pickle asks for more,
  and almost any other exception if it is damaged.
  """
  return _Unpickler(io.BytesIO(data), encoding="latin1").load()


class _Dtype:
  """Stands for a NumPy dtype while a pickle is read."""

  def __init__(self, code, *unused_flags):
    if not _PLAIN_TYPE.fullmatch(str(code)):
      raise RefusedError("it holds NumPy data of type %r" % code)
    self.dtype = np.dtype(code)

  def set_state(self, state):
    """Sets the byte order, the one part of the state that plain types have."""
    self.dtype = self.dtype.newbyteorder(state[1])

  def read(self, data):
    """Reads bytes, which Python 2 wrote as a string, as an array."""
    data = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(data, self.dtype)


def _set_array(array, state):
  """Fills an array; NumPy itself would believe any shape."""
  _, shape, dtype, is_fortran, data = state
  numbers = dtype.read(data)
  array.__setstate__((1, numbers.reshape(shape).shape, numbers.dtype,
                      bool(is_fortran), numbers.tobytes()))


_ADMITTED = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): None,  # An argument of the following.
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: np.empty([0]),
    # As a number of Python, which is much smaller in memory and on disk.
    ("numpy.core.multiarray", "scalar"): (
        lambda dtype, data: dtype.read(data).item()),
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

  def load_build(self):
    """Sets the state of what is below it on the stack."""
    state = self.stack.pop()
    if isinstance(self.stack[-1], np.ndarray):
      _set_array(self.stack[-1], state)
    elif isinstance(self.stack[-1], _Dtype):
      self.stack[-1].set_state(state)
    else:
      raise RefusedError("it sets the state of what is no NumPy data")

  dispatch = dict(pickle._Unpickler.dispatch)  # pylint: disable=protected-access
  dispatch[pickle.BUILD[0]] = load_build
