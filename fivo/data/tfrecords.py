"""TFRecord files: where each record lies, and reading one of them.

A record is framed by 16 bytes: its length as a little-endian uint64, a checksum
of these eight bytes, the payload, and a checksum of the payload. A checksum is
a masked CRC-32C (tensorflow/core/lib/io/record_writer.h).
"""

import os
import struct

import numpy as np
import tensorflow as tf

# The one reader in TensorFlow 1.15 that starts in the middle of a file.
from tensorflow.python import pywrap_tensorflow

from fivo.system.errors import UserError

_HEADER = struct.Struct("<QI")
_FOOTER_SIZE = 4


def index_records(path):
  """Finds the records of a TFRecord file without reading their payloads.

  Takes some 20 ms for as many records as TIMIT's train set has, 4389.

  Args:
    path: The path of an uncompressed TFRecord file.

  Returns:
    offsets: An int64 array: where in the file each record begins.
    sizes: An int64 array: the number of bytes of each payload.

  Raises:
    UserError: If the file is missing, empty, truncated, or not a TFRecord
      file. The message begins with `path`.
  """
  if not os.path.exists(path):
    raise UserError("%s: no such file" % path)
  if not os.path.isfile(path):
    raise UserError("%s: not a file; give the path of a TFRecord file in it"
                    % path)
  offsets, sizes = [], []
  try:
    # Without a buffer, since all but the headers is skipped.
    with open(path, "rb", buffering=0) as stream:
      file_size = os.fstat(stream.fileno()).st_size
      offset = 0
      while offset < file_size:
        stream.seek(offset)
        size = _payload_size(stream.read(_HEADER.size), path, len(offsets))
        offsets.append(offset)
        sizes.append(size)
        offset += _HEADER.size + size + _FOOTER_SIZE
  except OSError as error:
    raise UserError("%s: cannot be read (%s)"
                    % (path, error.strerror)) from error
  if not offsets:
    raise UserError("%s: the file is empty: it has no records" % path)
  if offset > file_size:
    raise UserError("%s: record %d is cut off; make the file again"
                    % (path, len(offsets) - 1))
  return np.array(offsets, np.int64), np.array(sizes, np.int64)


def is_tfrecord_file(path):
  """Whether a path is of a file that begins as a TFRecord file does."""
  if not os.path.isfile(path):  # To read a pipe would wait for ever.
    return False
  try:
    with open(path, "rb") as stream:
      _payload_size(stream.read(_HEADER.size), path, 0)
  except (OSError, UserError):
    return False
  return True


def read_record(path, index, offset):
  """Reads one record and verifies its checksums.

  Args:
    path: The path of an uncompressed TFRecord file.
    index: The number of the record, for messages.
    offset: Where in the file the record begins.

  Returns:
    The bytes of the payload.

  Raises:
    UserError: If the record cannot be read or is damaged.
  """
  try:
    with tf.compat.v1.errors.raise_exception_on_not_ok_status() as status:
      reader = pywrap_tensorflow.PyRecordReader_New(
          os.fsencode(path), int(offset), b"", status)
    try:
      reader.GetNext()
      return reader.record()
    finally:
      reader.Close()
  except tf.errors.OpError as error:
    raise UserError("%s: record %d is damaged (%s); make the file again"
                    % (path, index, error.message)) from error


def _payload_size(header, path, index):
  """Returns the payload's size in a record's header, or raises a UserError."""
  if len(header) == _HEADER.size:
    size, checksum = _HEADER.unpack(header)
    if checksum == _masked_crc32c(header[:8]):
      return size
  if index == 0:
    raise UserError("%s: not a TFRecord file; create_timit_dataset.py makes "
                    "those of speech" % path)
  raise UserError("%s: the header of record %d is damaged; make the file again"
                  % (path, index))


def _crc32c_of_byte(byte):
  for _ in range(8):
    byte = (byte >> 1) ^ (0x82f63b78 if byte & 1 else 0)
  return byte


_CRC32C_TABLE = [_crc32c_of_byte(byte) for byte in range(256)]


def _masked_crc32c(data):
  crc = 0xffffffff
  for byte in data:
    crc = (crc >> 8) ^ _CRC32C_TABLE[(crc ^ byte) & 0xff]
  crc ^= 0xffffffff
  return (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff
