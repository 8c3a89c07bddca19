"""Tests of fivo.data.tfrecords."""

import os
import struct

import numpy as np
import pytest
import tensorflow as tf

from fivo.data import tfrecords
from fivo.system.errors import UserError

_PAYLOADS = [b"one", b"", b"x" * 100000, b"four"]


def _write(tmp_path, payloads=_PAYLOADS, options=None):
  path = str(tmp_path / "records")
  with tf.io.TFRecordWriter(path, options) as writer:
    for payload in payloads:
      writer.write(payload)
  return path


def _change(path, place, new):
  with open(path, "r+b") as stream:
    stream.seek(place, os.SEEK_SET if place >= 0 else os.SEEK_END)
    stream.write(new)


def _message(function, *args):
  with pytest.raises(UserError) as error:
    function(*args)
  message = str(error.value)
  assert "\n" not in message
  return message


def test_finds_and_reads_all_records(tmp_path):
  path = _write(tmp_path)
  offsets, sizes = tfrecords.index_records(path)
  assert sizes.tolist() == [3, 0, 100000, 4]
  assert offsets.tolist() == [0, 19, 35, 100051]
  for index in (2, 0, 3, 1):
    assert tfrecords.read_record(
        path, index, offsets[index]) == _PAYLOADS[index]


def test_masked_crc32c():
  # Unmasked, of "123456789": the check value of CRC-32C in RFC 3720.
  crc = 0xe3069283
  masked = (((crc >> 15) | (crc << 17)) + 0xa282ead8) & 0xffffffff
  assert tfrecords._masked_crc32c(b"123456789") == masked  # pylint: disable=protected-access


def test_defect_empty_file_was_nan(tmp_path):
  message = _message(tfrecords.index_records, _write(tmp_path, []))
  assert message.endswith("the file is empty: it has no records")


@pytest.mark.parametrize("cut", [1, 4, 5, 8, 19])
def test_truncated_file(tmp_path, cut):
  path = _write(tmp_path)
  os.truncate(path, os.path.getsize(path) - cut)
  message = _message(tfrecords.index_records, path)
  assert message.startswith(path) and "record 3 " in message


def test_damaged_header(tmp_path):
  path = _write(tmp_path)
  _change(path, 19, b"\x01")
  assert "the header of record 1 is damaged" in _message(
      tfrecords.index_records, path)


@pytest.mark.parametrize("data", [
    b"x", b"some text that is long enough", b"\x80\x02}q\x00.",
    struct.pack("<QI", 2**63, 0), b"\0" * 100])
def test_other_files(tmp_path, data):
  path = str(tmp_path / "other")
  with open(path, "wb") as stream:
    stream.write(data)
  assert _message(tfrecords.index_records, path) == (
      path + ": not a TFRecord file; create_timit_dataset.py makes those of "
      "speech")
  assert not tfrecords.is_tfrecord_file(path)


def test_is_tfrecord_file(tmp_path):
  assert tfrecords.is_tfrecord_file(_write(tmp_path))
  assert not tfrecords.is_tfrecord_file(str(tmp_path / "missing"))
  os.mkfifo(str(tmp_path / "pipe"))  # It would be waited for.
  assert not tfrecords.is_tfrecord_file(str(tmp_path / "pipe"))


def test_compressed_file(tmp_path):
  path = _write(tmp_path, options="GZIP")
  assert "not a TFRecord file" in _message(tfrecords.index_records, path)


def test_no_file(tmp_path):
  path = str(tmp_path / "records")
  assert _message(tfrecords.index_records, path) == path + ": no such file"
  assert "not a file" in _message(tfrecords.index_records, str(tmp_path))


def test_damaged_payload_is_found_when_read(tmp_path):
  path = _write(tmp_path)
  _change(path, -5, b"\xff")
  offsets, _ = tfrecords.index_records(path)
  assert tfrecords.read_record(path, 0, offsets[0]) == b"one"
  message = _message(tfrecords.read_record, path, 3, offsets[3])
  assert message.startswith(path + ": record 3 is damaged")


def test_file_that_went_away(tmp_path):
  path = _write(tmp_path)
  os.remove(path)
  assert "No such file" in _message(tfrecords.read_record, path, 0, 0)


def test_payloads_are_not_read_to_find_records(tmp_path):
  # A sparse file of 64 GB: one record, whose checksum nobody looks at.
  path = str(tmp_path / "records")
  size = 1 << 36
  header = struct.pack("<Q", size)
  with open(path, "wb") as stream:
    stream.write(header + struct.pack(
        "<I", tfrecords._masked_crc32c(header)))  # pylint: disable=protected-access
    try:
      stream.truncate(12 + size + 4)
    except OSError:
      pytest.skip("no sparse files here")
  _, sizes = tfrecords.index_records(path)
  np.testing.assert_array_equal(sizes, [size])
