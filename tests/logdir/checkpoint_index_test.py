"""Tests of fivo.checkpoint_index, with indices that somebody crafted."""

import os
import random
import struct

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

from fivo.logdir import checkpoint_index
from fivo.logdir import checkpoints
from fivo.system import errors

_MAGIC = struct.pack("<Q", 0xdb4775248b80fb57)
_DATA = np.ones([3], np.float32).tobytes()


def _checksum(data):
  """The masked CRC-32C of tensorflow/core/lib/hash/crc32c.h."""
  crc = 0xffffffff
  for byte in data:
    crc ^= byte
    for _ in range(8):
      crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
  crc ^= 0xffffffff
  return (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff


def _varint(number):
  data = b""
  while number > 127:
    data += bytes([number & 127 | 128])
    number >>= 7
  return data + bytes([number])


def _block(entries):
  """A block that shares no keys: each entry is a restart."""
  data = b""
  restarts = []
  for key, value in entries:
    restarts.append(len(data))
    data += b"\0" + _varint(len(key)) + _varint(len(value)) + key + value
  restarts = restarts or [0]
  return data + struct.pack("<%dI" % (len(restarts) + 1), *restarts,
                            len(restarts))


def _table(blocks, compression=b"\0"):
  """A table of three blocks; all of its checksums are right."""
  data = b""
  handles = []
  for block in blocks:
    handles.append(_varint(len(data)) + _varint(len(block)))
    block += compression
    data += block + struct.pack("<I", _checksum(block))
  return data + (handles[1] + handles[2]).ljust(40, b"\0") + _MAGIC


def _index(entries):
  block = _block(entries)
  handle = _varint(0) + _varint(len(block))
  return _table([block, _block([]), _block([(b"\xff", handle)])])


def _header(**kwargs):
  values = dict(num_shards=1)
  values.update(kwargs)
  return tensor_bundle_pb2.BundleHeaderProto(**values).SerializeToString()


def _entry(shape=(3,), dtype=tf.float32, **kwargs):
  values = dict(size=len(_DATA), crc32c=_checksum(_DATA))
  values.update(kwargs)
  entry = tensor_bundle_pb2.BundleEntryProto(
      dtype=getattr(dtype, "as_datatype_enum", dtype), **values)
  for size in shape:
    entry.shape.dim.add(size=size)
  return entry.SerializeToString()


def _partitioned():
  entry = tensor_bundle_pb2.BundleEntryProto.FromString(_entry())
  entry.slices.add().extent.add(start=-5)
  return entry.SerializeToString()


def _unknown_rank():
  entry = tensor_bundle_pb2.BundleEntryProto.FromString(_entry(()))
  entry.shape.unknown_rank = True
  return entry.SerializeToString()


def _write(tmp_path, index):
  path = str(tmp_path / "model.ckpt-1")
  for suffix, data in ((".index", index), (".data-00000-of-00001", _DATA)):
    with open(path + suffix, "wb") as stream:
      stream.write(data)
  return path


def _complaint(tmp_path, index):
  with pytest.raises(ValueError) as error:
    checkpoint_index.check(_write(tmp_path, index))
  return str(error.value)


@pytest.mark.parametrize("num_variables", [1, 40])
def test_what_tensorflow_wrote(tmp_path, num_variables):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    for i in range(num_variables):
      for dtype, shape in ((tf.float32, [2, 3]), (tf.int64, []),
                           (tf.bool, [0, 4]), (tf.float16, [1])):
        tf.compat.v1.get_variable(
            "layer_%d/%s" % (i, dtype.name), shape, dtype,
            tf.compat.v1.zeros_initializer())
    session.run(tf.compat.v1.global_variables_initializer())
    path = tf.compat.v1.train.Saver().save(
        session, str(tmp_path / "model.ckpt"), 1)
  checkpoint_index.check(path)


def test_crafted_as_tensorflow_writes_it(tmp_path):
  """Else the refusals below would tell nothing."""
  path = _write(tmp_path, _index([(b"", _header()), (b"w", _entry())]))
  checkpoint_index.check(path)
  reader = tf.compat.v1.train.NewCheckpointReader(path)
  np.testing.assert_array_equal(reader.get_tensor("w"), [1., 1., 1.])


@pytest.mark.parametrize("entry, complaint", [
    # TensorFlow 1.15.5 aborts the process at these.
    (_entry([-3]), "variable w has shape [-3]"),
    (_entry([2 ** 40, 2 ** 40]), "variable w has shape [%d, %d]" % (
        2 ** 40, 2 ** 40)),
    (_entry([2 ** 62, 2 ** 62, 0], size=0), "variable w has shape [%d, %d, 0]" %
     (2 ** 62, 2 ** 62)),
    (_entry([1] * 300), "variable w has 300 dimensions"),
    (_entry(dtype=101), "variable w is of type float32_ref"),
    (b"\xff\xff\xff", "its index is damaged"),
    (_entry() + b"\x0c", "its index is damaged"),
    # Or it asks for that much memory.
    (_entry([2 ** 40]), "variable w of shape [%d] has 12 bytes" % 2 ** 40),
    (_entry([2 ** 40], size=2 ** 42),
     "a data file is cut off before variable w"),
    # It refuses these too, if later.
    (_unknown_rank(), "variable w has unknown dimensions"),
    (_entry(size=-12), "variable w of shape [3] has -12 bytes"),
    (_entry(offset=-8), "a data file is cut off before variable w"),
    (_entry(offset=4), "a data file is cut off before variable w"),
    (_entry(shard_id=77), "variable w is in data file 77 of 1"),
    (_entry(dtype=0), "variable w is of the unknown type 0"),
    (_entry(dtype=tf.string), "variable w is of type string"),
    (_entry(dtype=tf.variant), "variable w is of type variant"),
    (_partitioned(), "variable w is partitioned"),
])
def test_hostile_variables(tmp_path, entry, complaint):
  index = _index([(b"", _header()), (b"w", entry)])
  assert _complaint(tmp_path, index) == complaint


@pytest.mark.parametrize("entries, complaint", [
    ([], "its index has no header"),
    ([(b"w", _entry())], "its index has no header"),
    ([(b"", b"\xff\xff")], "its index is damaged"),
    ([(b"", _header(num_shards=10 ** 9))],
     "its index counts 1000000000 data files"),
    ([(b"", _header(num_shards=-1))], "its index counts -1 data files"),
    # TensorFlow reads these numbers as if they were its own.
    ([(b"", _header(endianness=1))], "its numbers are big-endian"),
    ([(b"", _header()), (b"w", _entry()), (b"w", _entry())],
     "its index is not sorted"),
    ([(b"", _header(num_shards=2)), (b"w", _entry(shard_id=1))],
     "a data file is missing"),
])
def test_hostile_tables(tmp_path, entries, complaint):
  assert _complaint(tmp_path, _index(entries)) == complaint


@pytest.mark.parametrize("index", [
    b"", b"garbage", _MAGIC, b"\0" * 40 + _MAGIC, b"\xff" * 40 + _MAGIC,
    _index([(b"", _header())])[:-1],
    # A handle beyond the end; a block with no, false, or too many restarts.
    _table([b"", b"", _block([(b"\xff", _varint(0) + _varint(10 ** 9))])]),
    _table([b"", b"", struct.pack("<I", 0)]),
    _table([b"", b"", struct.pack("<2I", 7, 1)]),
    _table([b"", b"", struct.pack("<2I", 0, 2 ** 32 - 1)]),
    # A key that shares more than there is; a value beyond the end.
    _table([b"", b"", b"\x05\0\0" + struct.pack("<2I", 0, 1)]),
    _table([b"", b"", b"\0\x01\x7fw" + struct.pack("<2I", 0, 1)]),
    # Compressed, as nothing in use is.
    _table([b"", b"", _block([])], compression=b"\x01"),
], ids=lambda index: repr(index[:20]))
def test_what_is_no_table(tmp_path, index):
  assert _complaint(tmp_path, index) == "its index is damaged"


def test_pipe_is_not_waited_for(tmp_path):
  path = _write(tmp_path, b"")
  os.remove(path + ".index")
  os.mkfifo(path + ".index")
  with pytest.raises(ValueError, match="its index is not a regular file"):
    checkpoint_index.check(path)


def test_missing_and_huge(tmp_path):
  with pytest.raises(ValueError, match="No such file"):
    checkpoint_index.check(str(tmp_path / "none"))
  path = _write(tmp_path, b"")
  os.truncate(path + ".index", 1 << 30)  # Takes no disk.
  with pytest.raises(ValueError, match="larger than 10 MB"):
    checkpoint_index.check(path)


def test_any_damage_is_a_value_error(tmp_path):
  rng = random.Random(1)
  index = _index([(b"", _header()), (b"w", _entry())])
  refused = 0
  for _ in range(1000):
    damaged = bytearray(index)
    for _ in range(rng.choice([1, 4])):
      damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    try:
      checkpoint_index.check(_write(tmp_path, bytes(damaged)))
    except ValueError:
      refused += 1
  assert refused > 300


def test_hostile_checkpoint_is_refused_in_one_line(tmp_path):
  path = _write(tmp_path, _index([(b"", _header()), (b"w", _entry([-3]))]))
  with tf.Graph().as_default():
    variable = tf.compat.v1.get_variable("w", [3])
    with pytest.raises(errors.UserError) as error:
      checkpoints.check_compatible(path, [variable])
  assert str(error.value) == (
      path + ": not a readable checkpoint: variable w has shape [-3]")
