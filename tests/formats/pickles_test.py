"""Tests of fivo.formats.pickles."""

import os
import pickle

import numpy as np
import pytest

from fivo.formats import pickles

_PLAIN = {
    "train": [[(60, 64), ()], [(21,)], [{60}, frozenset([61])]],
    "numbers": [0, -1, 255, 65536, 2**40, -2**70, 0.5, True, False, None],
    "texts": ["", "caf\xe9", b"", b"\x00\xff"],
}


class _Call:
  """Pickles as a call of a function."""

  def __init__(self, function, *args):
    self._call = function, args

  def __reduce__(self):
    return self._call


@pytest.mark.parametrize("protocol", range(5))
def test_loads_plain_data(protocol):
  assert pickles.loads(pickle.dumps(_PLAIN, protocol)) == _PLAIN


@pytest.mark.parametrize("dtype, protocol", [
    ("?", 0), ("u1", 2), ("<i2", 4), (">i4", 0), ("<f2", 4), (">f8", 2)])
def test_loads_numpy_numbers(protocol, dtype):
  array = np.arange(6).reshape([2, 3]).astype(dtype)
  loaded = pickles.loads(
      pickle.dumps([array, np.asfortranarray(array), array[1, 2]], protocol))
  for actual in loaded[:2]:
    assert actual.dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    np.testing.assert_array_equal(actual, array)
  assert loaded[2] == array[1, 2]


def test_loads_what_python_2_wrote():
  # pickle.dumps({'train': [[(numpy.int64(60),)]]}, 2) in Python 2.
  data = (b"\x80\x02}q\x00U\x05trainq\x01]q\x02]q\x03cnumpy.core.multiarray\n"
          b"scalar\nq\x04cnumpy\ndtype\nq\x05U\x02i8q\x06K\x00K\x01\x87q\x07R"
          b"q\x08(K\x03U\x01<q\tNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq"
          b"\nbU\x08<\x00\x00\x00\x00\x00\x00\x00q\x0b\x86q\x0cRq\r\x85q\x0ea"
          b"as.")
  loaded = pickles.loads(data)
  assert loaded == {"train": [[(60,)]]}
  assert isinstance(loaded["train"][0][0][0], int)


def test_loads_what_numpy_2_wrote():
  data = pickle.dumps({"mean": np.arange(3.)}, 2).replace(
      b"numpy.core.multiarray", b"numpy._core.multiarray")
  np.testing.assert_array_equal(pickles.loads(data)["mean"], [0., 1., 2.])


@pytest.mark.parametrize("function, protocol", [
    (os.system, 0), (os.mkdir, 2), (eval, 3), (exec, 4)])
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
    b"\x80\x02cos\nstat_result\n)\x81.",  # NEWOBJ
    b"(U\x02idios\nsystem\n.",  # INST
    b"(cos\nsystem\nU\x02idoR.",  # OBJ
    b"Pname\n.",  # PERSID
    b"cnumpy.core.multiarray\nscalar.__globals__\n.",
    b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
    pickle.dumps(np.array([(1, 2.)], dtype=[("a", "i4"), ("b", "f4")]), 2),
    pickle.dumps(np.array([None]), 2),
    pickle.dumps(np.array(["text"]), 2),
    pickle.dumps(np.datetime64("2017-01-01"), 2),
], ids=lambda data: repr(data[:50]))
def test_refuses_everything_else(data):
  with pytest.raises(pickle.UnpicklingError) as error:
    pickles.loads(data)
  assert "\n" not in str(error.value)
