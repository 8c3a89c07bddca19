"""Tests of fivo.formats.tfrecords."""

import os
import struct

import pytest
import tensorflow as tf

from fivo.formats import tfrecords
from tests.bad_files import message_of

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


def test_finds_and_reads_all_records(tmp_path):
  path = _write(tmp_path)
  offsets, sizes = tfrecords.index_records(path)
  assert sizes.tolist() == [3, 0, 100000, 4]
  assert offsets.tolist() == [0, 19, 35, 100051]
  for index in (2, 0, 3, 1):
    assert tfrecords.read_record(
        path, index, offsets[index]) == _PAYLOADS[index]


def test_file_without_records_or_cut_off(tmp_path):
  assert message_of(tfrecords.index_records, _write(tmp_path, [])).endswith(
      "the file is empty: it has no records")
  for payloads, cut, index in (
      (_PAYLOADS, 1, 3), (_PAYLOADS, 19, 3), ([b"only"], 7, 0)):
    path = _write(tmp_path, payloads)
    os.truncate(path, os.path.getsize(path) - cut)
    assert message_of(tfrecords.index_records, path) == (
        "%s: record %d is cut off; make the file again" % (path, index))
  path = _write(tmp_path)
  _change(path, 19, b"\x01")  # A length.
  assert "record 2 is cut off" in message_of(tfrecords.index_records, path)


def test_other_files(tmp_path):
  path = _write(tmp_path, options="GZIP")
  with open(path, "rb") as stream:
    compressed = stream.read()
  for data in (b"x", b"some text that is long enough", b"\x80\x02}q\x00.",
               struct.pack("<QI", 2**63, 0), b"\0" * 100, compressed):
    with open(path, "wb") as stream:
      stream.write(data)
    assert message_of(tfrecords.index_records, path) == (
        path + ": not a TFRecord file; create_timit_dataset.py makes those of "
        "speech")
  os.remove(path)
  assert message_of(tfrecords.index_records, path) == path + ": no such file"
  assert "not a file" in message_of(tfrecords.index_records, str(tmp_path))
  assert "No such file" in message_of(tfrecords.read_record, path, 0, 0)


@pytest.mark.parametrize("place, index", [(12, 0), (-5, 3)])
def test_damaged_payload_is_found_when_read(tmp_path, place, index):
  path = _write(tmp_path)
  _change(path, place, b"\xff")
  offsets, _ = tfrecords.index_records(path)
  message = message_of(tfrecords.read_record, path, index, offsets[index])
  assert message.startswith("%s: record %d is damaged" % (path, index))
  assert tfrecords.read_record(path, 2, offsets[2]) == _PAYLOADS[2]
