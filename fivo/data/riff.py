"""The headers of RIFF files, which most programs call WAV files.

Copies of TIMIT circulate in which each SPHERE file was converted to RIFF and
kept its name. What is read is what TIMIT holds: 16-bit PCM, single-channel.
"""

import struct
import wave

from fivo.system.errors import UserError

REMEDY = ("convert it to 16-bit PCM with one channel, e.g.: "
          "sox IN.wav -b 16 -e signed-integer -c 1 OUT.wav")


def read_header(stream, path):
  """Reads the header of a RIFF file and checks it against the file's size.

  Args:
    stream: The open file, at its start.
    path: Its path, for messages.

  Returns:
    offset: The number of bytes before the first sample.
    sample_count: The number of samples, at least 1, two bytes each.
    sample_rate: Samples per second.

  Raises:
    UserError: If the file is damaged or of a kind that is not read here.
  """
  try:
    parameters = wave.open(stream).getparams()
  except (wave.Error, EOFError, RuntimeError, ZeroDivisionError,
          struct.error) as error:
    raise UserError("%s is no RIFF file that is read here (%s); %s" % (
        path, str(error) or "it is cut off", REMEDY)) from error
  if (parameters.nchannels, parameters.sampwidth) != (1, 2):
    raise UserError("%s has %d channels of %d-bit samples; %s" % (
        path, parameters.nchannels, 8 * parameters.sampwidth, REMEDY))
  offset = stream.tell()
  num_bytes = stream.seek(0, 2) - offset
  if not 1 <= parameters.nframes <= num_bytes // 2:
    raise UserError(
        "%s: the header states %d samples, which is %d bytes, but %d bytes "
        "follow it; convert or copy it again" % (
            path, parameters.nframes, 2 * parameters.nframes, num_bytes))
  return offset, parameters.nframes, parameters.framerate
