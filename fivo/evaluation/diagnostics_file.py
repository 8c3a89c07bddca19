"""The file and the picture of `--diagnostics` in evaluation."""

import collections
import os

import tensorflow as tf

from fivo import diagnostics
from fivo.logdir import result_files
from fivo.system import log
from fivo.system import rendering_extra

FILE_NAME = "diagnostics.npz"
PICTURE_NAME = "diagnostics.png"


def tensors(bound, lengths):
  """Creates the Tensors to fetch for a file of diagnostics.

  Args:
    bound: A `bounds.FIVOBound` that knows its ancestors.
    lengths: An int Tensor `[B]`.

  Returns:
    An ordered dict: the fields of `diagnostics.Diagnostics`, `ancestors`
    `[T, B, N]`, and `lengths` `[B]`.
  """
  figures = diagnostics.diagnose(
      bound.log_weights, bound.resampled, bound.ancestors)
  return collections.OrderedDict(
      list(figures._asdict().items()) +
      [("ancestors", bound.ancestors), ("lengths", tf.identity(lengths))])


def write(logdir, name, values):
  """Writes the values of `tensors` into LOGDIR/NAME.

  It draws them too if the extra is installed.
  """
  directory = os.path.join(logdir, name)
  result_files.write("logdir", directory, FILE_NAME, values)
  if not rendering_extra.is_installed():
    log.info("No picture of it: that needs the extra render.")
    return
  from fivo.rendering import genealogy  # pylint: disable=import-outside-toplevel
  path = os.path.join(directory, PICTURE_NAME)
  genealogy.draw(path, values)
  log.info("Drew %s.", path)
