"""The statistics that turn speech records back into sound.

They are in `statistics.json`, beside the normalised records of
`create_timit_dataset.py`, and return samples to the units of the data.
"""

import collections
import os

import numpy as np
from scipy.io import wavfile

from fivo.formats import sound
from fivo.system import files
from fivo.system.errors import UserError

FILE_NAME = "statistics.json"

_LIMITS = np.finfo(np.float32)  # Of the statistics of float32 samples.

# The mean and the standard deviation, above zero, of all train samples, floats
# in the units of the data; samples per second, and per row of a record.
SpeechStatistics = collections.namedtuple("SpeechStatistics", [
    "mean", "std", "sample_rate", "samples_per_timestep"])


def save(directory, statistics):
  """Writes `statistics.json` into the directory that holds the records."""
  values = [(name, value.item() if isinstance(value, np.generic) else value)
            for name, value in statistics._asdict().items()]
  files.write_json(os.path.join(directory, FILE_NAME), values)


def load(directory):
  """Returns the `SpeechStatistics` beside records, or None."""
  path = os.path.join(directory, FILE_NAME)
  try:
    return _checked(files.read_json(path))
  except (FileNotFoundError, NotADirectoryError):
    return None
  except (ValueError, OverflowError) as error:
    raise UserError(
        "%s does not hold the statistics of speech records (%s); make the "
        "records again with create_timit_dataset.py" % (path, error)) from error


def write_wav(path, samples, sample_rate):
  """Writes samples `[num_samples]` or `[T, D]` as WAV, clipped to 16 bits."""
  assert not np.isnan(samples).any()
  clipped = np.clip(np.rint(samples).reshape(-1), -2 ** 15, 2 ** 15 - 1)
  with files.atomic_write(path) as stream:
    wavfile.write(stream, int(sample_rate), clipped.astype(np.int16))


def _checked(values):
  """Makes a `SpeechStatistics` from a dict, or raises ValueError."""
  if not isinstance(values, dict):
    raise ValueError("it is not a JSON object")
  for name, kinds, lower, upper in (
      ("mean", (int, float), _LIMITS.min, _LIMITS.max),
      ("std", (int, float), _LIMITS.tiny, _LIMITS.max),
      ("sample_rate", (int,), 1, sound.MAX_SAMPLE_RATE),
      ("samples_per_timestep", (int,), 1, sound.MAX_SAMPLE_RATE)):
    value = values.get(name)
    if type(value) not in kinds or not lower <= value <= upper:
      raise ValueError("%s is %.20r; it must be of %s, from %g to %g" % (
          name, value, kinds[-1].__name__, lower, upper))
  return SpeechStatistics(
      float(values["mean"]), float(values["std"]), values["sample_rate"],
      values["samples_per_timestep"])
