"""The file and the picture of `--diagnostics` in evaluation."""

import collections
import os

import tensorflow as tf

from fivo import diagnostics
from fivo.logdir import result_files
from fivo.rendering import figures
from fivo.rendering import genealogy
from fivo.system import log
from fivo.system import rendering_extra

FILE_NAME = "diagnostics.npz"
PICTURE_NAME = "diagnostics.png"


def tensors(bound, lengths):
  """Creates the Tensors to fetch for a file of diagnostics.

  Takes a `bounds.FIVOBound` that knows its ancestors, and lengths `[B]`; gives
  an ordered dict: the fields of `diagnostics.Diagnostics`, `ancestors`
  `[T, B, N]`, and `lengths`.
  """
  fields = diagnostics.diagnose(
      bound.log_weights, bound.resampled, bound.ancestors)
  return collections.OrderedDict(
      list(fields._asdict().items()) +
      [("ancestors", bound.ancestors), ("lengths", tf.identity(lengths))])


def write(logdir, name, values):
  """Writes the values of `tensors` into LOGDIR/NAME.

  It draws them too if the extra is installed.
  """
  directory = os.path.join(logdir, name)
  result_files.write("logdir", directory, FILE_NAME, values)
  if rendering_extra.missing():
    log.info("No picture of it: that needs the extra render.")
    return
  path = os.path.join(directory, PICTURE_NAME)
  figures.save(path, genealogy.draw(values))
  log.info("Drew %s.", path)
