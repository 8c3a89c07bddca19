"""Tests of fivo.data.pickles."""

import copyreg
import os
import pickle
import random
import struct

import numpy as np
import pytest

from fivo.formats import pickles

_PLAIN = {
    "train": [[(60, 64), ()], [(21,)]],
    "numbers": [0, -1, 255, 65536, 2**40, -2**70, 0.5, True, False, None],
    "texts": ["", "caf\xe9", b"", b"\x00\xff"],
}


class _Call:
  """Pickles as a call of a function."""

  def __init__(self, function, *args):
    self._call = function, args

  def __reduce__(self):
    return self._call


class _Plain:
  """An ordinary class."""


@pytest.mark.parametrize("protocol", range(5))
def test_loads_plain_data(protocol):
  data = pickle.dumps(_PLAIN, protocol)
  assert pickles.loads(data) == _PLAIN


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("dtype", [
    "?", "i1", "u1", "<i2", ">i4", "<i8", ">u8", "<f2", "<f4", ">f8"])
def test_loads_numpy_numbers(protocol, dtype):
  array = np.arange(6).reshape([2, 3]).astype(dtype)
  loaded = pickles.loads(
      pickle.dumps([array, np.asfortranarray(array), array[1, 2]], protocol))
  for actual in loaded[:2]:
    assert actual.dtype == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(actual, array)
  assert loaded[2] == array[1, 2]


def test_integer_scalars_become_python_integers():
  loaded = pickles.loads(pickle.dumps([np.int64(-5), np.uint8(200)]))
  assert loaded == [-5, 200]
  assert [type(x) for x in loaded] == [int, int]


def test_loads_what_python_2_wrote():
  # pickle.dumps({'train': [[(numpy.int64(60),)]]}, 2) in Python 2.
  data = (b"\x80\x02}q\x00U\x05trainq\x01]q\x02]q\x03cnumpy.core.multiarray\n"
          b"scalar\nq\x04cnumpy\ndtype\nq\x05U\x02i8q\x06K\x00K\x01\x87q\x07R"
          b"q\x08(K\x03U\x01<q\tNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq"
          b"\nbU\x08<\x00\x00\x00\x00\x00\x00\x00q\x0b\x86q\x0cRq\r\x85q\x0ea"
          b"as.")
  assert pickles.loads(data) == {"train": [[(60,)]]}


def test_loads_what_numpy_2_wrote():
  data = pickle.dumps({"mean": np.arange(3.)}, 2).replace(
      b"numpy.core.multiarray", b"numpy._core.multiarray")
  np.testing.assert_array_equal(
      pickles.loads(data)["mean"], [0., 1., 2.])


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("function", [os.system, os.mkdir, eval, exec])
def test_defect_malicious_pickle_ran_code(tmp_path, function, protocol):
  # The original unpickled whatever a file said.
  made = str(tmp_path / "made")
  argument = {os.system: "mkdir %s" % made, os.mkdir: made}.get(
      function, "__import__('os').mkdir(%r)" % made)
  data = pickle.dumps({"train": _Call(function, argument)}, protocol)
  with pytest.raises(pickles.RefusedError, match="it asks for"):
    pickles.loads(data)
  assert not os.path.exists(made)
  pickle.loads(data)
  assert os.path.exists(made)  # Else the test could not fail.


@pytest.mark.parametrize("data", [
    b"\x80\x02ctests.data.plain_pickle_test\n_Plain\n)\x81.",  # NEWOBJ
    b"(itests.data.plain_pickle_test\n_Plain\n.",  # INST
    b"(cos\nsystem\nU\x02idoR.",  # OBJ
    b"(U\x02idios\nsystem\n.",  # INST of a function.
    b"Pname\n.",  # PERSID
    b"U\x04nameQ.",  # BINPERSID
    b"\x80\x04\x8f.",  # EMPTY_SET
    b"cnumpy\nload\nU\x01x\x85R.",
    b"cnumpy.core.multiarray\nscalar.__globals__\n.",
    b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    b"]}b.",  # BUILD of a list.
    b"cnumpy\ndtype\n}b.",  # BUILD of what stands for a class.
    b"cnumpy.core.multiarray\nscalar\n}U\x01xU\x01ysb.",  # ... a function.
    pickle.dumps(np.array([_Plain()], dtype=object), 2),
    pickle.dumps(np.array([(1, 2.)], dtype=[("a", "i4"), ("b", "f4")]), 2),
    pickle.dumps(np.array(["text"]), 2),
    pickle.dumps(np.datetime64("2017-01-01"), 2),
    pickle.dumps(_Plain(), 2),
    pickle.dumps({1, 2}, 4),
    pickle.dumps({(1, 2): 3}),
], ids=lambda data: repr(data[:50]))
def test_refuses_everything_else(data):
  with pytest.raises(pickles.RefusedError) as error:
    pickles.loads(data)
  assert "\n" not in str(error.value)


def test_refuses_the_extension_registry():
  # An entry that was used once is served without being asked for by name.
  code = 240
  copyreg.add_extension("os", "getcwd", code)
  try:
    data = b"\x80\x02\x82" + bytes([code]) + b")R."
    assert pickle.loads(data) == os.getcwd()
    with pytest.raises(pickles.RefusedError):
      pickles.loads(data)
  finally:
    copyreg.remove_extension("os", "getcwd", code)


@pytest.mark.parametrize("data", [
    # The unpickler in C makes room for twice as many entries of the memo.
    b"]r\xff\xff\xff\xff.",
    b"]p99999999999\n.",
    # Lengths that the data does not have.
    b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x.",
    b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"x.",
    b"T\xff\xff\xff\x7fx.",
    b"X\xff\xff\xff\xffx.",
    b"\x8b\xff\xff\xff\x7f1.",
    b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"].",
    # An array of more elements than there are bytes.
    pickle.dumps(np.zeros([2]), 2).replace(b"K\x02\x85", b"J\0\0\0\x40\x85"),
    # Bytes made of a number: that many zeros.
    b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02i8K\0K\1\x87R"
    b"J\xff\xff\xff\x7f\x86R.",
    # Decimal digits take time quadratic in their number.
    b"I" + b"9" * 10**6 + b"\n.",
    b"L" + b"9" * 10**6 + b"L\n.",
    # The hash of nested tuples overflows the stack.
    b"}" + b")" + b"\x85" * 300000 + b"K\x01s.",
], ids=lambda data: repr(data[:12]))
def test_hostile_sizes_take_neither_memory_nor_time(data):
  resource = pytest.importorskip("resource")
  before = resource.getrusage(resource.RUSAGE_SELF)
  try:
    pickles.loads(data)
  except (Exception, MemoryError):  # pylint: disable=broad-except
    pass
  after = resource.getrusage(resource.RUSAGE_SELF)
  assert after.ru_maxrss - before.ru_maxrss < 300 * 1024  # KB
  assert after.ru_utime - before.ru_utime < 5.  # Seconds.


def test_bytes_are_not_made_of_a_number():
  # bytes(2**31 - 1) would be two gigabytes.
  with pytest.raises(TypeError, match="where bytes belong"):
    pickles.loads(
        b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02i8K\0K\1\x87R"
        b"J\xff\xff\xff\x7f\x86R.")


_TEXT = b"X\0\0\x10\0" + b"x" * (1 << 20) + b"q\0U\x06latin1q\1"


@pytest.mark.parametrize("start, again", [
    (_TEXT + b"c_codecs\nencode\nq\2", b"h\2h\0h\1\x86R"),
    # Arrays in the other byte order are copied too.
    (_TEXT + b"cnumpy.core.multiarray\n_reconstruct\nq\2cnumpy\ndtype\n"
     b"U\x02i2\x85R(K\3U\1>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbq\3"
     b"(K\1J\0\0\x08\0\x85h\3Nh\0tq\4", b"h\2)Rh\4b"),
], ids=["bytes", "arrays"])
def test_copies_are_counted(monkeypatch, start, again):
  """A pickle of one megabyte could ask for copies of it without end."""
  monkeypatch.setattr(pickles, "_MAX_COPIED_BYTES", 4 << 20)
  for num_copies, refused in ((4, False), (5, True)):
    data = b"]" + start + b"0" + b"(" + again * num_copies + b"l."
    if refused:
      with pytest.raises(pickles.RefusedError, match="than 4 MB"):
        pickles.loads(data)
    else:
      assert len(pickles.loads(data)) == num_copies


@pytest.mark.parametrize("opcodes", ["}(%su.", "(%sd."])
def test_dictionaries_are_small(opcodes):
  """Keys of the same hash would take time quadratic in their number."""
  def loads(num_keys):
    items = b"".join(
        pickle.dumps(i * (2**61 - 1), 2)[2:-1] + b"N" for i in range(num_keys))
    return pickles.loads(opcodes.encode() % items)

  assert len(loads(1000)) == 1000
  with pytest.raises(pickles.RefusedError, match="1000 entries"):
    loads(1001)


def test_decimal_numbers_are_short():
  # Later patches of Python 3.7 have a limit too, far lower.
  with pytest.raises(EOFError, match="a line does not end"):
    pickles.loads(b"I" + b"9" * 10**6 + b"\n.")


@pytest.mark.parametrize("shape", [(-1,), (-1, -2), (3,), (True, 2)])
def test_arrays_have_the_shape_of_their_data(shape):
  # NumPy itself makes an array of shape [-1, -2] of two numbers.
  class Array:

    def __reduce__(self):
      return np.core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), (
          1, shape, np.dtype("i8"), False, b"\0" * 16)

  with pytest.raises((TypeError, ValueError)):
    pickles.loads(pickle.dumps(Array(), 2))


def test_nested_keys_are_refused():
  with pytest.raises(pickles.RefusedError, match="dictionary key"):
    pickles.loads(b"}" + b")" + b"\x85" * 300000 + b"K\x01s.")
  with pytest.raises(pickles.RefusedError, match="dictionary key"):
    pickles.loads(b"()K\x01d.")


def test_damaged_pickles_raise_ordinary_exceptions():
  # 3000 seeded damages; whatever remains plain is returned.
  rng = random.Random(1234)
  data = [pickle.dumps(dict(_PLAIN, mean=np.arange(4.), note=np.int64(60)),
                       protocol) for protocol in range(5)]
  failures = 0
  for _ in range(3000):
    damaged = bytearray(rng.choice(data))
    for _ in range(rng.choice([1, 2, 8])):
      place = rng.randrange(len(damaged))
      damaged[place:place + rng.randrange(3)] = bytes(
          rng.randrange(256) for _ in range(rng.randrange(3)))
    try:
      pickles.loads(bytes(damaged))
    except Exception:  # pylint: disable=broad-except
      failures += 1
  assert failures > 1000


@pytest.mark.parametrize("value, description", [
    (60, "60"),
    (2**100000, "an integer of 100001 bits"),
    ([1] * 1000, "a list of length 1000"),
    ({}, "a dict of length 0"),
    (np.zeros([2, 3]), "an array of shape [2, 3]"),
    ("two\nlines", r"'two\nlines'"),
], ids=str.split("small huge list dict array text"))
def test_describe(value, description):
  assert pickles.describe(value) == description
  assert len(pickles.describe("x" * 10**6)) < 100
