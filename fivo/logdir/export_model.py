"""Exports the model of a logdir, and nothing else, into a small logdir.

  python -m fivo.logdir.export_model --logdir=LOGDIR/best --out_dir=DIRECTORY

The new logdir has the newest checkpoint without the optimizer's state, a third
of the size, and the configuration without paths of this machine. It can be
evaluated and sampled from, but not trained further.
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../../.."))
  from fivo.system import startup
  startup.run(__file__)

import os

from absl import flags
import tensorflow as tf

from fivo.config import stored
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.system import errors
from fivo.system import files

# Suffixes and names of variables of the optimizer and of averages.
_STATE = ("/Adam", "/Adam_1", "/ExponentialMovingAverage")
_STATE_NAMES = ("beta1_power", "beta2_power")


def define_flags():
  """Defines the flags; not at import, as other programs share their names."""
  flags.DEFINE_string("logdir", None, "The logdir to read.")
  flags.DEFINE_string("out_dir", None, "The logdir to make.")
  flags.mark_flags_as_required(["logdir", "out_dir"])


def export_model(logdir, out_dir):
  """Writes a logdir's model into a new directory; returns its checkpoint."""
  directory = run_directory.RunDirectory(logdir)
  path = directory.require()
  newest = directory.listed_checkpoints()[-1:]
  if newest and checkpoints.step(newest[0]) > checkpoints.step(path):
    raise errors.UserError(
        "--logdir=%s: its newest checkpoint, %s, is not whole; copy it again, "
        "or delete it to export that of step %d" % (
            logdir, os.path.basename(newest[0]), checkpoints.step(path)))
  if not stored.load(logdir)[0]:
    raise errors.UserError("--logdir=%s: has no %s" % (
        logdir, stored.FILE_NAME))
  if os.path.isdir(out_dir) and os.listdir(out_dir):
    raise errors.UserError("--out_dir=%s: is not empty; name a new directory" %
                           out_dir)
  files.prepare_directory("out_dir", out_dir)
  exported = _write_checkpoint(path, out_dir)
  content = files.read_json(os.path.join(logdir, stored.FILE_NAME))
  # The variables have already been replaced by their averages.
  content["options"].update(
      average_variables=None,
      dataset_path=os.path.basename(content["options"]["dataset_path"]))
  files.write_json(os.path.join(out_dir, stored.FILE_NAME), content)
  return exported


def _write_checkpoint(path, out_dir):
  """Copies the variables of a model; returns the new checkpoint's path."""
  reader = tf.compat.v1.train.NewCheckpointReader(path)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    for name in sorted(reader.get_variable_to_shape_map()):
      if name not in _STATE_NAMES and not name.endswith(_STATE):
        tf.compat.v1.get_variable(name, initializer=reader.get_tensor(name))
    session.run(tf.compat.v1.global_variables_initializer())
    saver = tf.compat.v1.train.Saver(save_relative_paths=True)
    return saver.save(
        session, os.path.join(out_dir, checkpoints.NAME),
        global_step=reader.get_tensor("global_step"), write_meta_graph=False)


def main(argv):
  """Exports the model of `--logdir` to `--out_dir`."""
  del argv
  path = export_model(flags.FLAGS.logdir, flags.FLAGS.out_dir)
  print("Wrote %s." % path)
