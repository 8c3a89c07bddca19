"""TFRecord files: locating all records, and reading one of them.

A record is its length (uint64), the length's checksum, the payload, and its
checksum (tensorflow/core/lib/io/record_writer.h).
"""

import os
import struct

import numpy as np
import tensorflow as tf

# The only reader in TensorFlow 1.15 that can start in the middle of a file.
from tensorflow.python import pywrap_tensorflow

from fivo.system.errors import UserError

_LENGTH = struct.Struct("<Q")
_FRAME_SIZE = 16


def index_records(path):
  """Returns each record's offset and payload size in bytes, int64 arrays."""
  if not os.path.isfile(path):
    raise UserError("%s: %s" % (path, (
        "not a file; give the path of a TFRecord file in it"
        if os.path.exists(path) else "no such file")))
  file_size = os.path.getsize(path)
  if not file_size:
    raise UserError("%s: the file is empty: it has no records" % path)
  try:
    _read(path, 0)  # TensorFlow recognises a record by its checksum.
  except tf.errors.OpError as error:
    if (error.message == "corrupted record at 0"
        or not isinstance(error, tf.errors.DataLossError)):
      raise UserError("%s: not a TFRecord file; create_timit_dataset.py makes "
                      "those of speech" % path) from error
  offsets, sizes = [], []
  offset = 0
  with open(path, "rb", buffering=0) as stream:
    while offset < file_size:
      stream.seek(offset)
      size, = _LENGTH.unpack(stream.read(_LENGTH.size).ljust(_LENGTH.size))
      offsets.append(offset)
      sizes.append(size)
      offset += size + _FRAME_SIZE
  if offset > file_size:
    raise UserError("%s: record %d is cut off; make the file again"
                    % (path, len(offsets) - 1))
  return np.array(offsets, np.int64), np.array(sizes, np.int64)


def read_record(path, index, offset):
  """Returns the payload, bytes, of a record given its index and offset."""
  try:
    return _read(path, offset)
  except tf.errors.OpError as error:
    raise UserError("%s: record %d is damaged (%s); make the file again"
                    % (path, index, error.message)) from error


def _read(path, offset):
  """Returns the payload at an offset, whose checksums TensorFlow verifies."""
  with tf.compat.v1.errors.raise_exception_on_not_ok_status() as status:
    reader = pywrap_tensorflow.PyRecordReader_New(
        os.fsencode(path), int(offset), b"", status)
  try:
    reader.GetNext()
    return reader.record()
  finally:
    reader.Close()
