"""What turns speech records back into sound.

The records that `create_timit_dataset.py` writes are normalised; beside them
lies `statistics.json`, which says by what. With it, what a model samples comes
back in the units of the data, and as a WAV file.
"""

import collections
import os

import numpy as np
from scipy.io import wavfile

from fivo.formats import sound
from fivo.system import files
from fivo.system.errors import UserError

FILE_NAME = "statistics.json"

# The samples are float32, and so must be what they were normalised by.
_MIN = float(np.finfo(np.float32).tiny)
_MAX = float(np.finfo(np.float32).max)

_REMEDY = "make the records again with create_timit_dataset.py"


class SpeechStatistics(collections.namedtuple("SpeechStatistics", [
    "mean", "std", "sample_rate", "samples_per_timestep"])):
  """How speech records were made.

  Attributes:
    mean: The mean of all train samples, a float in the units of the data.
    std: Their standard deviation, likewise; greater than zero.
    sample_rate: Samples per second.
    samples_per_timestep: Samples in one row of a record.
  """


def save(directory, statistics):
  """Writes `statistics.json` into the directory that holds the records."""
  values = [(name, value.item() if isinstance(value, np.generic) else value)
            for name, value in statistics._asdict().items()]
  files.write_json(os.path.join(directory, FILE_NAME), values)


def load(directory):
  """Returns the `SpeechStatistics` of a directory's records, None if unknown.

  They are beside records of this program's, not of the original code's. Raises
  a `UserError` if the file cannot be read, or does not hold statistics.
  """
  path = os.path.join(directory, FILE_NAME)
  try:
    return _checked(files.read_json(path))
  except (FileNotFoundError, NotADirectoryError):
    return None
  except OSError as error:
    raise UserError("%s cannot be read: %s" %
                    (path, error.strerror)) from error
  except (ValueError, OverflowError) as error:
    raise UserError("%s does not hold the statistics of speech records (%s); "
                    "%s" % (path, error, _REMEDY)) from error


def denormalize(samples, statistics):
  """Returns normalised samples in the units of the data, `[...]` of floats.

  They are float32 unless `samples` are float64.
  """
  samples = np.asarray(samples)
  if samples.dtype != np.float64:
    samples = samples.astype(np.float32)
  return samples * statistics.std + statistics.mean


def write_wav(path, samples, sample_rate):
  """Writes samples `[num_samples]` or `[T, D]` as WAV, clipped to 16 bits.

  They are in the units of the data; the file is written whole or not at all.
  """
  assert not np.isnan(samples).any()
  clipped = np.clip(np.rint(samples).reshape(-1), -2 ** 15, 2 ** 15 - 1)
  with files.atomic_write(path) as stream:
    wavfile.write(stream, int(sample_rate), clipped.astype(np.int16))


def _checked(values):
  """Makes a `SpeechStatistics` of a dict, or raises ValueError."""
  if not isinstance(values, dict):
    raise ValueError("it is not a JSON object")
  for name in SpeechStatistics._fields:
    value = values.get(name)
    is_count = name in ("sample_rate", "samples_per_timestep")
    lower, upper, kind = (
        (1, sound.MAX_SAMPLE_RATE, int) if is_count else
        (-_MAX if name == "mean" else _MIN, _MAX, (int, float)))
    if (not isinstance(value, kind) or isinstance(value, bool)
        or not lower <= value <= upper):
      raise ValueError("%s is %.20r; it must be %s from %g to %g" % (
          name, value, "an integer" if is_count else "a number", lower, upper))
  return SpeechStatistics(
      mean=float(values["mean"]), std=float(values["std"]),
      sample_rate=values["sample_rate"],
      samples_per_timestep=values["samples_per_timestep"])
