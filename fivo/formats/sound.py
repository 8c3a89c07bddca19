"""Reads the sound files of TIMIT: NIST SPHERE, or RIFF (WAV) in some copies.

A SPHERE file is a text header and the samples. The header's first line is
NIST_1A, the second its length in bytes, then come fields such as
"sample_count -i 46797", and end_head (readme of NIST's sphere_2.x).

Only 16-bit, little-endian, single-channel, uncompressed samples are read. Their
count, and their limits if the header states them, must match the data:
libsndfile ignores these, and takes a file that is cut off for a shorter one.
"""

import collections
import os
import re
import struct
import wave

import numpy as np

from fivo.system.errors import UserError

DEFAULT_SAMPLE_RATE = 16000
# A RIFF header has 32 bits for the bytes per second, two per sample.
MAX_SAMPLE_RATE = 2 ** 31 - 1

_REMEDY = ("convert it to 16-bit PCM with one channel, e.g.: "
           "sox IN.wav -b 16 -e signed-integer -c 1 OUT.wav")
_MAX_HEADER_BYTES = 1 << 20  # Real ones have 1024.
_FIELD = re.compile(r"^[ \t]*(\w+)[ \t]+-[irs]\d*[ \t]+(.*?)\s*$", re.MULTILINE)
# The fields that change how samples are read, with the values read here.
_REQUIRED = (("sample_coding", "pcm"), ("channel_count", "1"),
             ("sample_n_bytes", "2"), ("sample_byte_format", "01"))

# Where the samples begin, in bytes; their number; samples per second, the least
# and the greatest sample, each None if it is not stated.
Header = collections.namedtuple("Header", [
    "offset", "sample_count", "sample_rate", "sample_min", "sample_max"])


def read_header(path):
  """Reads the header, or raises a `UserError` if it does not fit the file."""
  if not os.path.isfile(path):  # Opening a pipe would block.
    raise UserError("%s is not a file" % path)
  with open(path, "rb") as stream:
    is_riff = stream.read(4) == b"RIFF"
    stream.seek(0)
    header = (_read_riff_header if is_riff else _read_sphere_header)(
        stream, path)
    num_bytes = stream.seek(0, 2) - header.offset
  # More chunks may follow the samples of a RIFF file.
  if header.sample_count < 1 or num_bytes < 2 * header.sample_count or (
      num_bytes > 2 * header.sample_count and not is_riff):
    raise UserError("%s: the header states sample_count %d, at 2 bytes each, "
                    "but %d bytes follow it; convert or copy it again" % (
                        path, header.sample_count, num_bytes))
  if not (header.sample_rate is None
          or 1 <= header.sample_rate <= MAX_SAMPLE_RATE):
    raise UserError("%s: the header states sample_rate %d; it must be from 1 "
                    "to %d" % (path, header.sample_rate, MAX_SAMPLE_RATE))
  return header


def read(path):
  """Returns the samples, int16 `[sample_count]`, and the `Header`."""
  header = read_header(path)
  with open(path, "rb") as stream:
    stream.seek(header.offset)
    samples = np.fromfile(stream, "<i2", header.sample_count).astype(np.int16)
  for name, found in (("sample_min", samples.min()),
                      ("sample_max", samples.max())):
    stated = getattr(header, name)
    if stated not in (None, found):
      raise UserError("%s: the header states %s %d, but in the data it is %d" %
                      (path, name, stated, found))
  return samples, header


def _read_riff_header(stream, path):
  """Returns the `Header` of an open RIFF file."""
  try:
    parameters = wave.open(stream).getparams()
  except (wave.Error, EOFError, RuntimeError, ZeroDivisionError,
          struct.error) as error:
    raise UserError("%s is not a RIFF file that can be read (%s); %s" % (
        path, str(error) or "it is cut off", _REMEDY)) from error
  if (parameters.nchannels, parameters.sampwidth) != (1, 2):
    raise UserError("%s has %d channels of %d-bit samples; %s" % (
        path, parameters.nchannels, 8 * parameters.sampwidth, _REMEDY))
  return Header(stream.tell(), parameters.nframes, parameters.framerate,
                None, None)


def _read_sphere_header(stream, path):
  """Returns the `Header` of an open SPHERE file."""
  if not os.path.getsize(path):
    raise UserError("%s is empty; %s" % (path, _REMEDY))
  kind, length = (stream.readline(64).strip() for _ in range(2))
  if kind != b"NIST_1A":
    raise UserError(
        "%s is neither a NIST SPHERE file nor a RIFF file: it begins with %r, "
        "and not with 'NIST_1A' or 'RIFF'; %s" %
        (path, kind[:16].decode("latin-1"), _REMEDY))
  limit = min(os.path.getsize(path), _MAX_HEADER_BYTES)
  if not length.isdigit() or not stream.tell() <= int(length) <= limit:
    raise UserError("%s: the second line of the header is %r; it must be the "
                    "header's length, at most %d bytes" % (
                        path, length.decode("latin-1"), limit))
  text = stream.read(int(length) - stream.tell()).decode("latin-1")
  fields = dict(_FIELD.findall(
      re.split(r"(?m)^end_head\b", text.replace("\0", " "))[0]))
  for name, value in _REQUIRED:
    if fields.get(name, value) != value:
      raise UserError("%s: the header states %s %s; only %s is read; %s" % (
          path, name, fields[name][:80], value, _REMEDY))
  numbers = {name: fields.get(name) for name in Header._fields[1:]}
  for name, value in numbers.items():
    if not re.fullmatch(r"-?\d{1,18}", value or "0") or (
        name == "sample_count" and not value):
      raise UserError("%s: the header must state %s, an integer" % (path, name))
  return Header(int(length), **{
      name: value and int(value) for name, value in numbers.items()})
