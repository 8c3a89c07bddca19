"""Tests of fivo.data.riff, through what reads SPHERE."""

import io
import random
import struct
import wave

import numpy as np
import pytest

from fivo.data import sphere
from fivo.system.errors import UserError

_SAMPLES = np.array([3, -5, 7, 0, 260], "<i2")


def _riff(channels=1, width=2, data=None):
  stream = io.BytesIO()
  with wave.open(stream, "wb") as writer:
    writer.setparams((channels, width, 8000, 0, "NONE", ""))
    writer.writeframes(_SAMPLES.tobytes() if data is None else data)
  return stream.getvalue()


def _read(tmp_path, data):
  path = tmp_path / "SA1.WAV"
  path.write_bytes(data)
  return sphere.read(str(path))


def test_read(tmp_path):
  chunks = _riff()[12:]
  listed = b"LIST\x06\0\0\0INFOab"
  for following in (chunks, chunks + listed, listed + chunks):
    data = (b"RIFF" + struct.pack("<I", 4 + len(following)) + b"WAVE"
            + following)
    samples, header = _read(tmp_path, data)
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, _SAMPLES)
    assert (header.sample_count, header.sample_rate) == (5, 8000)


@pytest.mark.parametrize("data, words", [
    (_riff(channels=2, data=bytes(8)), "has 2 channels of 16-bit samples; "),
    (_riff(width=1), "has 1 channels of 8-bit samples; convert it"),
    (_riff(data=b""), "states 0 samples"),
    (_riff()[:-2], "5 samples, which is 10 bytes, but 8 bytes follow it"),
    (_riff()[:30], "no RIFF file that is read here"),
    (b"RIFF", "it is cut off"),
    (_riff().replace(b"\x10\0\0\0\x01\0", b"\x10\0\0\0\x03\0"),
     "unknown format: 3"),
    # What a program writes that cannot seek back to the header.
    (_riff().replace(struct.pack("<I", 10) + _SAMPLES.tobytes(),
                     b"\xff\xff\xff\xff" + _SAMPLES.tobytes()), "bytes follow"),
    (_riff().replace(struct.pack("<I", 8000), bytes(4)), "sample_rate 0"),
])
def test_refused_in_one_line(tmp_path, data, words):
  with pytest.raises(UserError) as error:
    _read(tmp_path, data)
  message = str(error.value)
  assert words in message and "SA1.WAV" in message and "\n" not in message


def test_damaged_files_are_read_or_refused(tmp_path):
  rng = random.Random(1)
  for _ in range(1000):
    data = bytearray(_riff())
    for _ in range(rng.randrange(1, 4)):
      data[rng.randrange(4, 44)] = rng.choice([0, 1, 2, 127, 128, 255])
    try:
      samples, header = _read(tmp_path, bytes(data[:rng.randrange(20, 60)]))
    except UserError:
      continue
    assert len(samples) == header.sample_count <= 5
