"""Adds the train mean to a pianoroll file.

The mean of the dense train split over all timesteps, float64 `[88]`, goes into
the file under the key `train_mean`; everything else is unchanged. Do this once
for each file that `bin/download_pianorolls.sh` downloads:

  python fivo/data/calculate_pianoroll_mean.py --in_file=jsb.pkl
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

from absl import flags

from fivo.formats import pianorolls
from fivo.formats.pianorolls import MAX_NOTE  # noqa: F401
from fivo.formats.pianorolls import MIN_NOTE  # noqa: F401
from fivo.formats.pianorolls import NUM_NOTES  # noqa: F401
from fivo.system import console
from fivo.system import errors
from fivo.system import log

console.define_path("in_file", None, "The pianoroll file to read.")
console.define_path(
    "out_file", None, "Where to write the file. Defaults to --in_file.")

FLAGS = flags.FLAGS


def add_train_mean(in_file, out_file=None):
  """Rewrites a pianoroll file with its train mean, in place by default.

  Raises a `UserError` if `in_file` is not a pianoroll file, if its train split
  has notes outside 21 to 108, or if `out_file` cannot be written.
  """
  with errors.naming_flag("in_file"):
    contents = pianorolls.load(in_file)
    train = pianorolls.dense_split(contents, "train", in_file)
  mean = pianorolls.calculate_mean(train)
  contents[pianorolls.MEAN_KEY] = mean
  out_file = in_file if out_file is None else out_file
  with errors.naming_flag("out_file"):
    pianorolls.save(out_file, contents)
  log.info(
      "%s: added the mean of %d train sequences; %.2f notes sound at a time.",
      out_file, len(train), mean.sum())


def main(unused_argv):
  """Calls `add_train_mean` with the flags."""
  if not FLAGS.in_file:
    raise errors.UserError("--in_file is required: the pianoroll file to read")
  add_train_mean(FLAGS.in_file, FLAGS.out_file)
