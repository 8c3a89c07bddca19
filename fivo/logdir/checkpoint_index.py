"""Checks the index of a checkpoint before TensorFlow's reader sees it.

TensorFlow verifies checksums, so chance damage is told as an error. But an
index that somebody crafted, with right checksums, ends the whole process: a
negative size in it fails an assertion in C++. This reader is in Python, trusts
nothing, and refuses what no checkpoint of a model holds.

An index is a sorted table as in LevelDB (tensorflow/core/lib/io/table.cc,
block.cc, format.cc): blocks of keys and values, of which the one at the end
tells where the others are. The first key is empty, and its value a
BundleHeaderProto; the others are names of variables, and their values
BundleEntryProtos (tensorflow/core/protobuf/tensor_bundle.proto).
"""

import os
import stat
import struct
import warnings

from google.protobuf import message
import tensorflow as tf
from tensorflow.core.protobuf import tensor_bundle_pb2

# Ten times the index of a model of ten thousand variables.
_MAX_BYTES = 10 << 20
_MAX_DIMENSIONS = 254
_MAX_SHARDS = 99999  # Names of files have five digits.
_MAX_VARINT_BYTES = 10
_MAX_TENSOR_BYTES = 2 ** 63

_FOOTER = struct.Struct("<40sQ")
_MAGIC = 0xdb4775248b80fb57
_UINT32 = struct.Struct("<I")
_TRAILER_BYTES = 5  # Of a block: how it is compressed, and a checksum.


def check(path):
  """Refuses an index that would crash TensorFlow's reader.

  Args:
    path: A checkpoint's path, without suffix.

  Raises:
    ValueError: Saying in a few words what is wrong. An index whose checksums
      are wrong may pass: TensorFlow itself refuses that.
  """
  entries = _read_table(_read_index(path))
  if not entries or entries[0][0]:
    raise ValueError("its index has no header")
  header = _parse(tensor_bundle_pb2.BundleHeaderProto, entries[0][1])
  if header.endianness != tensor_bundle_pb2.BundleHeaderProto.LITTLE:
    raise ValueError("its numbers are big-endian")
  if not 1 <= header.num_shards <= _MAX_SHARDS:
    raise ValueError("its index counts %d data files" % header.num_shards)
  sizes = {}
  for key, value in entries[1:]:
    name = ascii(key.decode("latin1"))[1:-1]
    entry = _parse(tensor_bundle_pb2.BundleEntryProto, value)
    if not 0 <= entry.shard_id < header.num_shards:
      raise ValueError("variable %s is in data file %d of %d" % (
          name, entry.shard_id, header.num_shards))
    if entry.shard_id not in sizes:
      sizes[entry.shard_id] = _size_of_shard(
          path, entry.shard_id, header.num_shards)
    _check_entry(name, entry, sizes[entry.shard_id])


def _read_index(path):
  """The bytes of a checkpoint's index."""
  try:
    # Opened so, a pipe that nobody writes to is not waited for.
    descriptor = os.open(path + ".index", os.O_RDONLY | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
      if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ValueError("its index is not a regular file")
      data = stream.read(_MAX_BYTES + 1)
  except OSError as e:
    raise ValueError("its index: %s" % e.strerror) from e
  if len(data) > _MAX_BYTES:
    raise ValueError("its index is larger than %d MB" % (_MAX_BYTES >> 20))
  return data


def _size_of_shard(path, shard, num_shards):
  """The size of a data file in bytes."""
  try:
    return os.path.getsize("%s.data-%05d-of-%05d" % (path, shard, num_shards))
  except OSError:
    raise ValueError("a data file is missing") from None


def _check_entry(name, entry, shard_size):
  """Refuses a variable that is none, or that is not in its data file."""
  if entry.slices:
    raise ValueError("variable %s is partitioned" % name)
  try:
    dtype = tf.as_dtype(entry.dtype)
  except TypeError:
    raise ValueError(
        "variable %s is of the unknown type %d" % (name, entry.dtype)) from None
  # pylint: disable=protected-access
  if dtype._is_ref_dtype or not (
      dtype.is_floating or dtype.is_integer or dtype.is_complex or
      dtype.is_bool):
    raise ValueError("variable %s is of type %s" % (name, dtype.name))
  shape = [dimension.size for dimension in entry.shape.dim]
  if entry.shape.unknown_rank or len(shape) > _MAX_DIMENSIONS:
    raise ValueError("variable %s has %s dimensions" % (
        name, "unknown" if entry.shape.unknown_rank else len(shape)))
  num_bytes = dtype.size
  for size in shape:
    num_bytes *= size
    # Even where a later dimension is 0, TensorFlow must be able to count.
    if not 0 <= num_bytes < _MAX_TENSOR_BYTES:
      raise ValueError("variable %s has shape %s" % (name, shape))
  if entry.size != num_bytes:
    raise ValueError("variable %s of shape %s has %d bytes" % (
        name, shape, entry.size))
  if not 0 <= entry.offset <= shard_size - num_bytes:
    raise ValueError("a data file is cut off before variable %s" % name)


def _parse(kind, data):
  """Parses a protocol buffer, or raises a ValueError."""
  # Where C++ finds a message damaged, Python may only warn.
  with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
      parsed = kind.FromString(data)
    except message.DecodeError:
      raise ValueError("its index is damaged") from None
  if caught:
    raise ValueError("its index is damaged")
  return parsed


def _read_table(data):
  """Reads all entries of a table.

  Args:
    data: The bytes of a table.

  Returns:
    A list of pairs of bytes, keys and values, sorted by key.
  """
  try:
    handles, magic = _FOOTER.unpack(data[-_FOOTER.size:])
    if magic != _MAGIC:
      raise ValueError
    position = 0
    for _ in range(2):  # The first block is of no use here.
      block, position = _read_handle(data, handles, position)
    entries = []
    for _, value in _read_block(block):
      entries += _read_block(_read_handle(data, value, 0)[0])
  except (ValueError, IndexError, struct.error):
    raise ValueError("its index is damaged") from None
  keys = [key for key, _ in entries]
  if any(key >= after for key, after in zip(keys, keys[1:])):
    raise ValueError("its index is not sorted")
  return entries


def _read_handle(data, handle, position):
  """Reads where a block is, and the block.

  Args:
    data: The bytes of a table.
    handle: Bytes that hold an offset and a size.
    position: Where in them.

  Returns:
    The bytes of the block, and the position after the handle.
  """
  offset, position = _read_varint(handle, position)
  size, position = _read_varint(handle, position)
  if offset + size + _TRAILER_BYTES > len(data):
    raise ValueError
  # TensorFlow writes no compressed blocks.
  if data[offset + size] != 0:
    raise ValueError
  return data[offset:offset + size], position


def _read_block(block):
  """Reads the entries of a block.

  A key is stored without what it shares with the one before it, except at
  restarts, whose positions stand at the end of the block.

  Args:
    block: Bytes.

  Returns:
    A list of pairs of bytes, keys and values.
  """
  num_restarts, = _UINT32.unpack(block[-_UINT32.size:])
  end = len(block) - _UINT32.size * (num_restarts + 1)
  if end < 0 or not num_restarts:
    raise ValueError
  restarts = set(_UINT32.unpack_from(block, end + _UINT32.size * i)[0]
                 for i in range(num_restarts))
  entries = []
  key = b""
  starts = {0}
  position = 0
  while position < end:
    start = position
    num_shared, position = _read_varint(block, position)
    num_new, position = _read_varint(block, position)
    num_value, position = _read_varint(block, position)
    if num_shared > len(key) or position + num_new + num_value > end:
      raise ValueError
    if not num_shared:
      starts.add(start)
    key = key[:num_shared] + block[position:position + num_new]
    position += num_new
    entries.append((key, block[position:position + num_value]))
    position += num_value
  if not restarts <= starts:
    raise ValueError
  return entries


def _read_varint(data, position):
  """Reads a number of 7 bits a byte; returns it and the position after it."""
  number = 0
  for i in range(_MAX_VARINT_BYTES):
    byte = data[position + i]
    number |= (byte & 0x7f) << (7 * i)
    if byte < 0x80:
      return number, position + i + 1
  raise ValueError
