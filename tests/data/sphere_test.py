"""Tests of fivo.data.sphere."""

import os

import numpy as np
import pytest

from fivo.data import sphere
from fivo.system.errors import UserError

_SAMPLES = np.array([3, -5, 7, 0, 260], np.int16)
_DATA = _SAMPLES.astype("<i2").tobytes()


def _header(length=1024, second_line=None, end="end_head\n", **changes):
  """A header for _SAMPLES; a field set to None is left out."""
  fields = dict(
      sample_count="-i 5", sample_min="-i -5", sample_max="-i 260")
  fields.update(changes)
  text = "NIST_1A\n%s\n" % (second_line or "%7d" % length)
  text += "".join("%s %s\n" % field for field in fields.items() if field[1])
  return (text + end).encode("ascii").ljust(length)


def _file(tmp_path, header, data=_DATA):
  path = tmp_path / "SA1.WAV"
  path.write_bytes(header + data)
  return str(path)


def _message(path, function=sphere.read):
  """The message with which `path` is refused: it is one line and names it."""
  with pytest.raises(UserError) as caught:
    function(path)
  message = str(caught.value)
  assert path in message and "\n" not in message
  return message


class TestRead:

  def test_reads_the_least_that_the_format_has(self, tmp_path):
    path = _file(tmp_path, _header())
    samples, header = sphere.read(path)
    assert samples.dtype == np.int16
    np.testing.assert_array_equal(samples, _SAMPLES)
    assert header == sphere.Header(
        length=1024, sample_count=5, sample_min=-5, sample_max=260,
        sample_rate=None)
    assert sphere.read_header(path) == header

  def test_samples_are_little_endian(self, tmp_path):
    header = _header(sample_count="-i 1", sample_min="-i 258",
                     sample_max="-i 258")
    samples, _ = sphere.read(_file(tmp_path, header, b"\x02\x01"))
    assert samples.tolist() == [258]

  @pytest.mark.parametrize("header", [
      _header(length=2048),
      _header(length=100),
      _header(second_line="1024"),
      _header(end=""),
      _header(end="; a comment\n\nend_head\nanything at all\n"),
      _header(end="end_head\r\n"),
      _header(end="").rstrip(b" ").ljust(1024, b"\0"),
      _header(sample_coding="-s3 pcm", channel_count="-i 1",
              sample_n_bytes="-i 2", sample_byte_format="-s2 01",
              sample_sig_bits="-i 16", peak="-r 0.5"),
  ], ids=["long", "short", "no leading spaces", "no end", "comment", "CRLF",
          "zeros", "all fields"])
  def test_reads_other_headers(self, tmp_path, header):
    samples, _ = sphere.read(_file(tmp_path, header))
    np.testing.assert_array_equal(samples, _SAMPLES)

  def test_reads_the_sample_rate(self, tmp_path):
    path = _file(tmp_path, _header(sample_rate="-i 8000"))
    assert sphere.read_header(path).sample_rate == 8000

  def test_refuses_what_is_no_sphere_file(self, tmp_path):
    assert "begins with 'RIFX" in _message(_file(tmp_path, b"RIFXxxxxWAVE"))
    assert "NIST_1A" in _message(_file(tmp_path, b"", b""))
    assert "NIST_1A" in _message(
        _file(tmp_path, _header().replace(b"NIST_1A", b"NIST_2A")))

  @pytest.mark.parametrize("line", [
      "   abcd", "-1024", "1_024", "1e3", "   3", " 9999", "9" * 40])
  def test_refuses_a_wrong_header_length(self, tmp_path, line):
    message = _message(_file(tmp_path, _header(second_line=line)))
    assert "second line" in message and line.strip() in message

  def test_refuses_a_header_without_end(self, tmp_path):
    assert "second line" in _message(_file(tmp_path, b"NIST_1A\n   1024", b""))

  def test_a_false_length_does_not_read_the_whole_file(self, tmp_path):
    path = tmp_path / "HUGE.WAV"
    with path.open("wb") as stream:
      stream.write(_header(second_line=" %d" % 10 ** 12))
      stream.truncate(10 ** 12)  # Sparse.
    assert "must be" in _message(str(path))

  def test_what_sox_writes(self, tmp_path):
    header = _header(
        end="sample_count -i 5\nsample_n_bytes -i 2\nchannel_count -i 1\n"
        "sample_byte_format -s2 01\nsample_rate -i 16000\n"
        "sample_coding -s3 pcm\nend_head\n",
        sample_count=None, sample_min=None, sample_max=None)
    samples, header = sphere.read(_file(tmp_path, header))
    np.testing.assert_array_equal(samples, _SAMPLES)
    assert (header.sample_min, header.sample_max) == (None, None)

  def test_refuses_a_header_without_sample_count(self, tmp_path):
    assert "does not state sample_count" in _message(
        _file(tmp_path, _header(sample_count=None)))

  @pytest.mark.parametrize("name", ["sample_count", "sample_min", "sample_max"])
  @pytest.mark.parametrize("value,complaint", [
      ("-i x", "integer"),
      ("-i " + "9" * 900, "integer"), ("-i 1_0", "integer"),
      ("-s3 1.5", "integer"), ("5", "the line")])
  def test_refuses_a_wrong_field(self, tmp_path, name, value, complaint):
    message = _message(_file(tmp_path, _header(**{name: value})))
    assert name in message and complaint in message

  def test_refuses_a_field_that_is_stated_twice(self, tmp_path):
    header = _header(end="sample_count -i 4\nend_head\n")
    assert "sample_count twice" in _message(_file(tmp_path, header))

  @pytest.mark.parametrize("name,value", [
      ("sample_byte_format", "-s2 10"),
      ("sample_byte_format", "-s1 1"),
      ("sample_coding", "-s26 pcm,embedded-shorten-v2.00"),
      ("sample_coding", "-s4 ulaw"),
      ("sample_n_bytes", "-i 1"),
      ("channel_count", "-i 2")])
  def test_refuses_other_encodings_by_name(self, tmp_path, name, value):
    """They would be read as noise."""
    message = _message(_file(tmp_path, _header(**{name: value})))
    assert "%s %s" % (name, value.split(" ", 1)[1]) in message

  @pytest.mark.parametrize("rate", [
      "-i 0", "-i -16000", "-i fast", "-i 2147483648"])
  def test_refuses_a_wrong_sample_rate(self, tmp_path, rate):
    assert "sample_rate" in _message(_file(tmp_path, _header(sample_rate=rate)))

  @pytest.mark.parametrize("function", [sphere.read, sphere.read_header])
  @pytest.mark.parametrize("num_bytes", [0, 1, 8, 9, 11, 12, 1000])
  def test_refuses_a_count_that_is_not_the_datas(
      self, tmp_path, function, num_bytes):
    """The original asserted it, which -O removes; odd bytes were ignored."""
    data = b"\0" * num_bytes
    message = _message(_file(tmp_path, _header(), data), function)
    assert "sample_count 5" in message and " %d bytes follow" % num_bytes in (
        message)

  @pytest.mark.parametrize("count", [0, -1])
  def test_refuses_an_utterance_without_samples(self, tmp_path, count):
    header = _header(sample_count="-i %d" % count)
    assert "sample_count %d" % count in _message(_file(tmp_path, header, b""))

  @pytest.mark.parametrize("name,stated,found", [
      ("sample_min", -4, -5), ("sample_min", -6, -5), ("sample_max", 259, 260),
      ("sample_max", 70000, 260)])
  def test_refuses_limits_that_are_not_the_datas(
      self, tmp_path, name, stated, found):
    header = _header(**{name: "-i %d" % stated})
    message = _message(_file(tmp_path, header))
    assert "%s %d" % (name, stated) in message and str(found) in message

  def test_refuses_what_is_not_a_file(self, tmp_path):
    os.mkfifo(str(tmp_path / "FIFO.WAV"))  # It would be waited for.
    for name in ("ABSENT.WAV", "FIFO.WAV", "."):
      assert "not a file" in _message(os.path.join(str(tmp_path), name))


class TestWrite:

  @pytest.mark.parametrize("samples", [[0], [-32768, 32767], range(-700, 700)])
  def test_what_is_written_is_read(self, tmp_path, samples):
    path = str(tmp_path / "SA1.WAV")
    samples = np.array(samples, np.int16)
    sphere.write(path, samples, sample_rate=8000)
    read, header = sphere.read(path)
    np.testing.assert_array_equal(read, samples)
    assert header == (1024, len(samples), samples.min(), samples.max(), 8000)

  def test_header_is_timits(self, tmp_path):
    path = tmp_path / "SA1.WAV"
    sphere.write(str(path), _SAMPLES, utterance_id="cjf0_sa1")
    content = path.read_bytes()
    assert len(content) == 1024 + 10
    assert content[:1024].decode("ascii").rstrip(" ") == (
        "NIST_1A\n   1024\ndatabase_id -s5 TIMIT\ndatabase_version -s3 1.0\n"
        "utterance_id -s8 cjf0_sa1\nchannel_count -i 1\nsample_count -i 5\n"
        "sample_rate -i 16000\nsample_min -i -5\nsample_max -i 260\n"
        "sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_sig_bits -i 16"
        "\nend_head\n")

  def test_a_long_header_takes_another_kilobyte(self, tmp_path):
    path = str(tmp_path / "SA1.WAV")
    sphere.write(path, _SAMPLES, utterance_id="x" * 1000)
    assert sphere.read(path)[1].length == 2048

  @pytest.mark.parametrize("samples", [
      np.zeros([0], np.int16), np.zeros([2, 2], np.int16), np.zeros([4]),
      np.zeros([4], np.int32)])
  def test_refuses_other_arrays_and_writes_nothing(self, tmp_path, samples):
    with pytest.raises(ValueError, match="int16"):
      sphere.write(str(tmp_path / "SA1.WAV"), samples)
    assert not list(tmp_path.iterdir())
