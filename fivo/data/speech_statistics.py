"""What turns speech records back into sound.

The records that `create_timit_dataset.py` writes are normalised; beside them
lies `statistics.json`, which says by what. With it, what a model samples comes
back in the units of the data, and as a WAV file.
"""

import collections
import json
import numbers
import os

import numpy as np
from scipy.io import wavfile

from fivo.system import files
from fivo.system.errors import UserError

FILE_NAME = "statistics.json"

# A WAV file counts the bytes of a second, of two-byte samples, in 32 bits.
MAX_SAMPLE_RATE = 2 ** 31 - 1

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
  """Writes `statistics.json` into the directory that holds the records.

  Args:
    directory: The directory.
    statistics: A `SpeechStatistics`.

  Raises:
    ValueError: If a value is not finite or not positive where it must be.
    OSError: If the file cannot be written.
  """
  statistics = _checked(statistics._asdict())
  with files.atomic_write(os.path.join(directory, FILE_NAME), "w") as stream:
    json.dump(statistics._asdict(), stream, indent=2)
    stream.write("\n")


def load(directory):
  """Reads `statistics.json` from the directory that holds the records.

  Args:
    directory: The directory; for `--dataset_path=D/train` it is D.

  Returns:
    A `SpeechStatistics`, or None where there is no such file, as beside
    records that the original code made.

  Raises:
    UserError: If the file cannot be read, or does not hold statistics.
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
  """Returns `samples * std + mean`: samples in the units of the data.

  Args:
    samples: Normalised samples, a float array of any shape.
    statistics: A `SpeechStatistics`.

  Returns:
    An array of the shape of `samples`, float32 unless they are float64.
  """
  samples = np.asarray(samples)
  if samples.dtype != np.float64:
    samples = samples.astype(np.float32)
  return samples * statistics.std + statistics.mean


def write_wav(path, samples, sample_rate):
  """Writes a 16-bit WAV file, whole or not at all.

  Args:
    path: The file to write.
    samples: Samples in the units of the data, which are rounded and clipped
      to int16: `[num_samples]`, or `[T, samples_per_timestep]`, whose rows are
      joined.
    sample_rate: Samples per second.

  Raises:
    ValueError: If `samples` has another rank or a value that is not a number.
    OSError: If the file cannot be written.
  """
  samples = np.asarray(samples)
  if samples.ndim not in (1, 2):
    raise ValueError(
        "samples have shape %s; it must be [num_samples] or "
        "[T, samples_per_timestep]" % (list(samples.shape),))
  if np.isnan(samples).any():
    raise ValueError("samples hold NaN; %s is not written" % path)
  limits = np.iinfo(np.int16)
  clipped = np.clip(np.rint(samples.reshape(-1)), limits.min, limits.max)
  with files.atomic_write(path) as stream:
    wavfile.write(stream, int(sample_rate), clipped.astype(np.int16))


def _checked(values):
  """Makes a `SpeechStatistics` of a dict, or raises ValueError."""
  if not isinstance(values, dict):
    raise ValueError("it is not a JSON object")
  for name in SpeechStatistics._fields:
    value = values.get(name)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    # Also as the float32 that the samples are.
    if not is_number or not abs(value) <= np.finfo(np.float32).max:
      raise ValueError("%s is %r; it must be a number" % (name, value))
    if name != "mean" and np.float32(value) <= 0:
      raise ValueError("%s is %r; it must be positive" % (name, value))
    if name in ("sample_rate", "samples_per_timestep") and value % 1:
      raise ValueError("%s is %r; it must be an integer" % (name, value))
    if name == "sample_rate" and value > MAX_SAMPLE_RATE:
      raise ValueError("%s is %r; it must be at most %d" % (
          name, value, MAX_SAMPLE_RATE))
  return SpeechStatistics(
      mean=float(values["mean"]), std=float(values["std"]),
      sample_rate=int(values["sample_rate"]),
      samples_per_timestep=int(values["samples_per_timestep"]))
