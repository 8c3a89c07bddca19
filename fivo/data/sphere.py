"""Reading and writing NIST SPHERE files, the sound format of TIMIT.

A SPHERE file [1] is a text header, padded to the length that its second line
states, and then the samples:

  NIST_1A
     1024
  channel_count -i 1
  sample_count -i 46797
  sample_rate -i 16000
  sample_min -i -2191
  sample_max -i 2790
  sample_n_bytes -i 2
  sample_byte_format -s2 01
  end_head

Each field is a name, a type (-i integer, -r real, -sN string of N characters)
and a value. What TIMIT holds is read: 16-bit, little-endian, single-channel,
uncompressed. Everything else that SPHERE allows is refused by name, and the
header is checked against the samples, so that no file is read as noise. Files
that sox wrote do not state the least and the greatest sample. A RIFF file under
the name of a SPHERE file is read too, see `riff`.

[1] J. Fiscus and J. Garofolo, NIST SPeech HEader REsources, readme of the
    sphere_2.x distributions.
"""

import collections
import contextlib
import os
import re

import numpy as np

from fivo.data import riff
from fivo.data import speech_statistics
from fivo.system import files
from fivo.system.errors import UserError

DEFAULT_SAMPLE_RATE = 16000

_HEADER_TYPE = b"NIST_1A"
_HEADER_MULTIPLE = 1024
# Real headers have 1024 bytes. A false length must not read a disk into memory.
_MAX_HEADER_BYTES = 1 << 20
# Enough for the first two lines, which have eight bytes each in every file
# that NIST published.
_PREAMBLE_BYTES = 64
_FIELD = re.compile(r"(\w+)\s+-(i|r|s[0-9]+)\s+(.*)")
# Longer ones are no sizes, and take long to convert and to print.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

# The fields that would change how the bytes are to be read, and the one value
# of each that is read here.
_REQUIRED_VALUES = (
    ("sample_coding", "pcm", "uncompressed linear samples"),
    ("channel_count", "1", "a single channel"),
    ("sample_n_bytes", "2", "16-bit samples"),
    ("sample_byte_format", "01", "little-endian samples"),
)


class Header(collections.namedtuple("Header", [
    "length", "sample_count", "sample_min", "sample_max", "sample_rate"])):
  """The header of a SPHERE file.

  Attributes:
    length: The number of bytes before the first sample.
    sample_count: The number of samples, at least 1.
    sample_min: The least sample, or None where the header does not say.
    sample_max: The greatest sample, likewise.
    sample_rate: Samples per second, or None where the header does not say.
  """


def read_header(path):
  """Reads the header and checks it against the size of the file.

  Args:
    path: A SPHERE or RIFF file.

  Returns:
    A `Header`.

  Raises:
    UserError: If the file cannot be read, is neither of them, is of a kind
      that is not read here, or has more or fewer bytes than its header says.
  """
  with _open(path) as stream:
    return _read_header(stream, path)


def read(path):
  """Reads a SPHERE file.

  Args:
    path: A SPHERE or RIFF file.

  Returns:
    A tuple of the samples, int16 `[sample_count]`, and the `Header`.

  Raises:
    UserError: As `read_header`, or if the least or the greatest sample is not
      the one that the header states.
  """
  with _open(path) as stream:
    header = _read_header(stream, path)
    stream.seek(header.length)
    samples = np.fromfile(stream, dtype="<i2", count=header.sample_count)
  samples = samples.astype(np.int16, copy=False)
  for name, stated, found in (
      ("sample_min", header.sample_min, samples.min()),
      ("sample_max", header.sample_max, samples.max())):
    if stated not in (None, found):
      raise UserError("%s: the header states %s %d, but in the data it is %d" %
                      (path, name, stated, found))
  return samples, header


def write(path, samples, sample_rate=DEFAULT_SAMPLE_RATE, utterance_id="",
          database_id="TIMIT", database_version="1.0"):
  """Writes a SPHERE file with the fields that TIMIT's have, in their order.

  Args:
    path: The file to write, whole or not at all.
    samples: int16 `[sample_count]`, at least one.
    sample_rate: Samples per second.
    utterance_id: What is said by whom; TIMIT's are like "cjf0_sa1".
    database_id: The corpus.
    database_version: Its version.

  Raises:
    ValueError: If `samples` has another type or shape, or is empty.
    OSError: If the file cannot be written.
  """
  samples = np.asarray(samples)
  if samples.dtype != np.int16 or samples.ndim != 1 or not samples.size:
    raise ValueError(
        "samples are %s %s; they must be int16 [sample_count], at least one" %
        (samples.dtype, list(samples.shape)))
  fields = [
      ("database_id", database_id),
      ("database_version", database_version),
      ("utterance_id", utterance_id),
      ("channel_count", 1),
      ("sample_count", len(samples)),
      ("sample_rate", sample_rate),
      ("sample_min", samples.min()),
      ("sample_max", samples.max()),
      ("sample_n_bytes", 2),
      ("sample_byte_format", "01"),
      ("sample_sig_bits", 16),
  ]
  with files.atomic_write(path) as stream:
    stream.write(_header_bytes(fields))
    stream.write(samples.astype("<i2").tobytes())


def _header_bytes(fields):
  """Lays `fields`, pairs of a name and a str or int, out as a header."""
  lines = []
  for name, value in fields:
    if isinstance(value, str):
      if value:  # The format has no empty strings.
        lines.append("%s -s%d %s\n" % (name, len(value), value))
    else:
      lines.append("%s -i %d\n" % (name, value))
  body = ("".join(lines) + "end_head\n").encode("ascii")
  preamble_bytes = 16
  length = _HEADER_MULTIPLE * -(
      -(preamble_bytes + len(body)) // _HEADER_MULTIPLE)
  preamble = b"%s\n%7d\n" % (_HEADER_TYPE, length)
  return (preamble + body).ljust(length)


@contextlib.contextmanager
def _open(path):
  """Opens a regular file for reading; a pipe would block for ever."""
  if not os.path.isfile(path):
    raise UserError("%s does not exist, or is not a file" % path)
  try:
    with open(path, "rb") as stream:
      yield stream
  except OSError as error:
    raise UserError("%s cannot be read: %s" %
                    (path, error.strerror)) from error


def _read_header(stream, path):
  """Reads and checks the header at the start of an open file."""
  size = os.fstat(stream.fileno()).st_size
  if stream.read(4) == b"RIFF":
    stream.seek(0)
    length, sample_count, sample_rate = riff.read_header(stream, path)
    return _checked_rate(
        Header(length, sample_count, None, None, sample_rate), path)
  stream.seek(0)
  length, fields_start = _read_preamble(stream, path, size)
  stream.seek(fields_start)
  text = stream.read(length - fields_start).decode("latin-1")
  fields = _parse_fields(text, path)
  for name, required, meaning in _REQUIRED_VALUES:
    value = fields.get(name, required)
    if value != required:
      raise UserError("%s: the header states %s %s; only %s (%s) is read; %s"
                      % (path, name, value[:80], required, meaning,
                         riff.REMEDY))
  header = Header(
      length=length,
      sample_count=_integer(fields, "sample_count", path),
      **{name: _integer(fields, name, path) if name in fields else None
         for name in ("sample_min", "sample_max", "sample_rate")})
  if header.sample_count < 1:
    raise UserError("%s: the header states sample_count %d; an utterance has "
                    "at least 1 sample" % (path, header.sample_count))
  if size - length != 2 * header.sample_count:
    raise UserError(
        "%s: the header states sample_count %d, which is %d bytes, but %d "
        "bytes follow it" %
        (path, header.sample_count, 2 * header.sample_count, size - length))
  return _checked_rate(header, path)


def _checked_rate(header, path):
  """Returns a header whose sample rate, if it states one, can be used."""
  if header.sample_rate is not None and not (
      1 <= header.sample_rate <= speech_statistics.MAX_SAMPLE_RATE):
    raise UserError("%s: the header states sample_rate %d; it must be from 1 "
                    "to %d" % (path, header.sample_rate,
                               speech_statistics.MAX_SAMPLE_RATE))
  return header


def _read_preamble(stream, path, size):
  """Returns the length of the header, and where its fields start."""
  preamble = stream.read(_PREAMBLE_BYTES)
  lines = preamble.split(b"\n", 2)
  if lines[0].strip() != _HEADER_TYPE:
    raise UserError(
        "%s is neither a NIST SPHERE file nor a RIFF file: it begins with %r, "
        "and not with 'NIST_1A' or 'RIFF'; %s" %
        (path, lines[0][:16].decode("latin-1"), riff.REMEDY))
  length = lines[1].strip() if len(lines) == 3 else b""
  if not length.isdigit():
    raise UserError(
        "%s: the second line of the header is %r; it must be the header's "
        "length in bytes" % (path, b"".join(lines[1:2]).decode("latin-1")))
  length = int(length)
  fields_start = len(lines[0]) + len(lines[1]) + 2
  if not fields_start <= length <= min(size, _MAX_HEADER_BYTES):
    raise UserError(
        "%s: the second line of the header states its length as %d bytes; it "
        "must be %d to %d" %
        (path, length, fields_start, min(size, _MAX_HEADER_BYTES)))
  return length, fields_start


def _parse_fields(text, path):
  """Parses the lines of a header into a dict of strings."""
  fields = {}
  for line in text.split("\n"):
    line = line.strip(" \t\r\0")
    if line == "end_head":
      break
    if not line or line.startswith(";"):  # Padding, or a comment.
      continue
    match = _FIELD.fullmatch(line)
    if not match:
      raise UserError("%s: the header has the line %r; each must be a name, "
                      "-i, -r or -sN, and a value" % (path, line[:80]))
    name, _, value = match.groups()
    if name in fields:
      raise UserError("%s: the header states %s twice" % (path, name))
    fields[name] = value.strip()
  return fields


def _integer(fields, name, path):
  """Returns the value of a field that must be there and be an integer."""
  if name not in fields:
    raise UserError("%s: the header does not state %s" % (path, name))
  if not _INTEGER.fullmatch(fields[name]):
    raise UserError("%s: the header states %s %r; it must be an integer" %
                    (path, name, fields[name][:80]))
  return int(fields[name])
