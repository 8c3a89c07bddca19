"""Unpickles plain data, and runs nothing.

Unpickling calls whatever functions a pickle names. `loads` does not: it admits
only the pickle instructions that build plain data, and in place of the few
NumPy functions that stand in a pickle of NumPy numbers it calls functions of
its own, which check what they are given. A pickle that asks for anything else
is refused.
"""

import io
import pickle
import re
import reprlib

import numpy as np


class RefusedError(pickle.UnpicklingError):
  """A pickle asks for something that is not plain data."""


def loads(data):
  """Returns the plain data in a pickle.

  Strings of Python 2 are read as Latin-1. Integers that were NumPy scalars
  become Python integers, which are much cheaper; other NumPy scalars and arrays
  stay what they were.

  This is the unpickler that is written in Python, since the one in C cannot be
  restricted to some instructions, and a pickle of twenty bytes can make it
  allocate 64 GB. It takes 0.9 s for 5 MB (MuseData).

  Args:
    data: The bytes of a pickle, of protocol 0 to 4.

  Returns:
    Nested dictionaries, lists and tuples of strings, bytes, numbers and NumPy
    arrays.

  Raises:
    RefusedError: If the pickle asks for anything else.
    Exception: Almost any other, MemoryError included, if it is damaged.
  """
  return _PlainDataUnpickler(data).load()


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


class _Dtype:
  """Stands for a NumPy dtype while a pickle is read."""

  _ADMITTED = re.compile(r"b1|[iu][1248]|f[248]")

  def __init__(self, code, *unused_flags):
    if not isinstance(code, str) or not self._ADMITTED.fullmatch(code):
      raise RefusedError("it holds NumPy data of type %s" % describe(code))
    self.dtype = np.dtype(code)

  def set_state(self, state):
    """Sets the byte order, the one part of the state that plain types have."""
    byte_order = state[1]
    if byte_order not in ("<", ">", "=", "|"):
      raise ValueError("byte order %s" % describe(byte_order))
    self.dtype = self.dtype.newbyteorder(byte_order)


def _to_bytes(data):
  """Returns the bytes of what Python 2 wrote as a string."""
  if isinstance(data, str):
    return data.encode("latin1")
  if not isinstance(data, bytes):
    raise TypeError("%s where bytes belong" % describe(data))
  return data


def _make_scalar(dtype, data):
  """Stands for numpy.core.multiarray.scalar."""
  array = np.frombuffer(_to_bytes(data), dtype.dtype)
  if array.shape != (1,):
    raise ValueError("%d numbers for one NumPy scalar" % array.size)
  return array.item() if array.dtype.kind in "iu" else array[0]


def _make_array(*unused_args):
  """Stands for numpy.core.multiarray._reconstruct; see `_set_array`."""
  return np.empty([0], np.int8)


def _set_array(array, state):
  """Fills an array from a pickled state that is checked first."""
  version, shape, dtype, is_fortran, data = state
  data = _to_bytes(data)
  if not all(type(size) is int and size >= 0 for size in shape):
    raise ValueError("array shape %s" % describe(shape))
  # Raises where the data does not fill the shape.
  np.frombuffer(data, dtype.dtype).reshape(shape)
  array.__setstate__((version, shape, dtype.dtype, bool(is_fortran), data))


def _encode(text, encoding):
  """Stands for _codecs.encode, as Python 3 writes bytes for Python 2."""
  if encoding != "latin1":
    raise ValueError("encoding %s" % describe(encoding))
  return text.encode("latin1")


def _empty_bytes():
  """Stands for bytes, as Python 3 writes no bytes for Python 2."""
  return b""


_ADMITTED_GLOBALS = {
    ("numpy", "dtype"): _Dtype,
    # Only ever the first argument of _reconstruct, which does not look at it.
    ("numpy", "ndarray"): None,
    ("numpy.core.multiarray", "scalar"): _make_scalar,
    ("numpy.core.multiarray", "_reconstruct"): _make_array,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
}

# A pianoroll file has one dictionary, of four entries. Of numbers, many that
# share a hash would take time quadratic in their number.
_MAX_DICT_ENTRIES = 1000
# The few bytes that call a function again can have it copy what may be large.
_MAX_COPIED_BYTES = 1 << 28

# Not among them: whatever makes instances of classes (NEWOBJ, INST, OBJ), looks
# into the extension registry (EXT), or resolves persistent ids (PERSID).
_ADMITTED_OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "GET", "BINGET",
    "LONG_BINGET", "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "NONE", "NEWTRUE",
    "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES",
    "SHORT_BINBYTES", "BINBYTES8", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST",
    "EMPTY_LIST", "APPEND", "APPENDS", "DICT", "EMPTY_DICT", "SETITEM",
    "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD")

# The one in Python, see `loads`.
_Unpickler = pickle._Unpickler  # pylint: disable=protected-access


class _Dispatch(dict):
  """Maps opcodes to methods, and refuses opcodes that it does not have."""

  def __missing__(self, opcode):
    if opcode not in _Unpickler.dispatch:
      raise pickle.UnpicklingError("%r is no instruction" % chr(opcode))
    raise RefusedError("it has the pickle instruction %r" % chr(opcode))


class _Stream(io.BytesIO):
  """Bytes whose lines are short, since they are read as decimal numbers."""

  _MAX_LINE = 1 << 16

  def readline(self):  # pylint: disable=arguments-differ
    line = super().readline(self._MAX_LINE)
    if not line.endswith(b"\n"):
      raise EOFError("a line does not end")
    return line


class _PlainDataUnpickler(_Unpickler):
  """Unpickles plain data and NumPy numbers; refuses everything else."""

  dispatch = _Dispatch(
      (opcode, _Unpickler.dispatch[opcode])
      for opcode in (ord(getattr(pickle, name)) for name in _ADMITTED_OPCODES))

  def __init__(self, data):
    super().__init__(_Stream(data), encoding="latin1")
    self._num_copied_bytes = 0

  def find_class(self, module, name):
    # NumPy 2 moved the module.
    key = re.sub(r"^numpy\._core\.", "numpy.core.", module), name
    if key not in _ADMITTED_GLOBALS:
      raise RefusedError("it asks for %s" % describe("%s.%s"
                                                       % (module, name)))
    return _ADMITTED_GLOBALS[key]

  def _load_reduce(self):
    super().load_reduce()
    self._count_copied(self.stack[-1])

  def _load_build(self):
    state = self.stack.pop()
    instance = self.stack[-1]
    if isinstance(instance, _Dtype):
      instance.set_state(state)
    elif isinstance(instance, np.ndarray):
      _set_array(instance, state)
      self._count_copied(instance)
    else:
      raise RefusedError("it sets the state of %s" % describe(instance))

  def _count_copied(self, copy):
    if isinstance(copy, np.ndarray):
      self._num_copied_bytes += copy.nbytes
    elif isinstance(copy, bytes):
      self._num_copied_bytes += len(copy)
    if self._num_copied_bytes > _MAX_COPIED_BYTES:
      raise RefusedError("it makes more than %d MB of its bytes" % (
          _MAX_COPIED_BYTES >> 20))

  def _load_setitem(self):
    value = self.stack.pop()
    key = self.stack.pop()
    self._set_items([key, value])

  def _load_setitems(self):
    self._set_items(self.pop_mark())

  def _load_dict(self):
    items = self.pop_mark()
    self.append({})
    self._set_items(items)

  def _set_items(self, items):
    target = self.stack[-1]
    # The hash of deeply nested tuples overflows the C stack.
    if not isinstance(target, dict) or not all(
        isinstance(key, (str, bytes, int, float)) for key in items[::2]):
      raise RefusedError("it has a dictionary key that is not a name")
    if len(target) + len(items) // 2 > _MAX_DICT_ENTRIES:
      raise RefusedError("it has a dictionary of more than %d entries" % (
          _MAX_DICT_ENTRIES))
    target.update(zip(items[::2], items[1::2]))

  dispatch[ord(pickle.REDUCE)] = _load_reduce
  dispatch[ord(pickle.BUILD)] = _load_build
  dispatch[ord(pickle.SETITEM)] = _load_setitem
  dispatch[ord(pickle.SETITEMS)] = _load_setitems
  dispatch[ord(pickle.DICT)] = _load_dict
