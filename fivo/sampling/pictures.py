"""Pictures of what a run samples, checkpoint after checkpoint."""

import os
import tempfile

from fivo.rendering import samples as samples_rendering
from fivo.sampling import sample_files
from fivo.sampling import sampler as sampler_lib

TAG = "samples"


class Pictures(object):
  """Draws how one prefix goes on, always the same one."""

  def __init__(self, config, create_dataset_and_model_fn):
    """Builds the graph; for arguments and errors see `sampler.Sampler`."""
    self._config = samples_rendering.complete(config._replace(
        batch_size=1, sample_wav=False))
    self._statistics = sample_files.load_statistics(self._config)
    self._sampler = sampler_lib.Sampler(
        self._config, create_dataset_and_model_fn)

  def draw(self, path):
    """Draws continuations by a checkpoint.

    Args:
      path: The checkpoint's path.

    Returns:
      A PNG file's bytes.
    """
    prefix, continuations = (
        sample_files.in_units_of_data(x[:, 0], self._config, self._statistics)
        for x in (self._sampler.prefixes, self._sampler.sample(path)))
    with tempfile.TemporaryDirectory() as directory:
      picture = os.path.join(directory, "picture.png")
      samples_rendering.draw(
          picture, prefix, continuations, self._config,
          self._statistics and self._statistics.sample_rate)
      with open(picture, "rb") as stream:
        return stream.read()
