"""Tests of fivo.formats.sound."""

import io
import os
import struct
import wave

import numpy as np
import pytest

from fivo.formats import sound
from fivo.system.errors import UserError

_SAMPLES = np.array([3, -5, 7, 0, 260], np.int16)
_DATA = _SAMPLES.astype("<i2").tobytes()


def _sphere(length=1024, second_line=None, end="end_head\n", data=_DATA,
            **changes):
  """A SPHERE file of _SAMPLES; a field set to None is left out."""
  fields = dict(
      sample_count="-i 5", sample_min="-i -5", sample_max="-i 260")
  fields.update(changes)
  text = "NIST_1A\n%s\n" % (second_line or "%7d" % length)
  text += "".join("%s %s\n" % field for field in fields.items() if field[1])
  return (text + end).encode("ascii").ljust(length) + data


def _riff(channels=1, width=2, data=_DATA):
  stream = io.BytesIO()
  with wave.open(stream, "wb") as writer:
    writer.setparams((channels, width, 8000, 0, "NONE", ""))
    writer.writeframes(data)
  return stream.getvalue()


def _read(tmp_path, content):
  path = tmp_path / "SA1.WAV"
  path.write_bytes(content)
  return sound.read(str(path))


_SOX = _sphere(
    end="sample_count -i 5\nsample_n_bytes -i 2\nchannel_count -i 1\n"
    "sample_byte_format -s2 01\nsample_rate -i 16000\nsample_coding -s3 pcm\n"
    "end_head\n", sample_count=None, sample_min=None, sample_max=None)
_LIST = b"LIST\x06\0\0\0INFOab"


@pytest.mark.parametrize("content, offset, rate", [
    (_sphere(), 1024, None),
    (_sphere(length=100), 100, None),
    (_sphere(second_line="1024", end=""), 1024, None),
    (_sphere(end="; a comment\n\nend_head\nsample_count -i 9\n"), 1024, None),
    (_sphere(end="end_head\r\n"), 1024, None),
    (_sphere(end="", data=b"").rstrip(b" ").ljust(1024, b"\0") + _DATA, 1024,
     None),
    (_sphere(sample_coding="-s3 pcm", channel_count="-i 1", peak="-r 0.5",
             sample_n_bytes="-i 2", sample_byte_format="-s2 01",
             sample_sig_bits="-i 16", sample_rate="-i 8000"), 1024, 8000),
    (_SOX, 1024, 16000),
    (_riff(), 44, 8000),
    (_riff() + _LIST, 44, 8000),
    (b"RIFF\x44\0\0\0WAVE" + _LIST + _riff()[12:], 58, 8000),
])
def test_read(tmp_path, content, offset, rate):
  samples, header = _read(tmp_path, content)
  assert samples.dtype == np.int16
  np.testing.assert_array_equal(samples, _SAMPLES)
  assert (header.offset, header.sample_count, header.sample_rate) == (
      offset, 5, rate)


@pytest.mark.parametrize("content, words", [
    # What is no SPHERE file.
    (b"RIFXxxxxWAVE", "begins with 'RIFX"), (b"", "is empty"),
    (_sphere().replace(b"NIST_1A", b"NIST_2A"), "NIST_1A"),
    (b"NIST_1A\n   1024", "second line"),
    # A header's length.
    *[(_sphere(second_line=line), "second line of the header is '" +
       line.strip()) for line in ("   abcd", "-1024", "   3", "9" * 40)],
    # Fields.
    (_sphere(sample_count=None), "state sample_count"),
    *[(_sphere(**{name: value}), "state " + name)
      for name in ("sample_count", "sample_min", "sample_max", "sample_rate")
      for value in ("-i x", "-i " + "9" * 900, "-s3 1.5")],
    # Other encodings, which would be read as noise.
    *[(_sphere(**{name: "%s %s" % (kind, value)}), "%s %s" % (name, value))
      for name, kind, value in (
          ("sample_byte_format", "-s2", "10"),
          ("sample_coding", "-s26", "pcm,embedded-shorten-v2.00"),
          ("sample_coding", "-s4", "ulaw"), ("sample_n_bytes", "-i", "1"),
          ("channel_count", "-i", "2"))],
    (_sphere(sample_rate="-i -16000"), "sample_rate -16000"),
    # Counts and limits; the original asserted them, which -O removes.
    *[(_sphere(data=b"\0" * size), "sample_count 5, at 2 bytes each, but %d "
       "bytes follow" % size) for size in (0, 9, 11, 12)],
    *[(_sphere(sample_count="-i %d" % count, data=b""),
       "sample_count %d" % count) for count in (0, -1)],
    *[(_sphere(**{name: "-i %d" % stated}), "%s %d, but in the data it is %d"
       % (name, stated, found)) for name, stated, found in (
           ("sample_min", -4, -5), ("sample_min", -6, -5),
           ("sample_max", 70000, 260))],
    # RIFF files.
    (_riff(channels=2, data=bytes(8)), "has 2 channels of 16-bit samples; "),
    (_riff(width=1), "has 1 channels of 8-bit samples; convert it"),
    (_riff(data=b""), "sample_count 0"),
    (_riff()[:-2], "sample_count 5, at 2 bytes each, but 8 bytes follow it"),
    (_riff()[:30], "not a RIFF file that can be read"),
    (_riff().replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0"),
     "unknown format: 3"),
    # What a program writes that cannot seek back to the header.
    (_riff().replace(struct.pack("<I", 10) + _DATA,
                     b"\xff\xff\xff\xff" + _DATA), "bytes follow"),
])
def test_refused_in_one_line(tmp_path, content, words):
  with pytest.raises(UserError) as error:
    _read(tmp_path, content)
  message = str(error.value)
  assert words in message and "SA1.WAV" in message and "\n" not in message


def test_what_is_not_a_file(tmp_path):
  os.mkfifo(str(tmp_path / "FIFO.WAV"))  # It would be waited for.
  for name in ("ABSENT.WAV", "FIFO.WAV", "."):
    with pytest.raises(UserError, match="not a file"):
      sound.read_header(os.path.join(str(tmp_path), name))
