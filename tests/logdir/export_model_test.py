"""Tests of making a small logdir of the model alone."""

import os

import numpy as np
import pytest
import tensorflow as tf

from fivo.config import config as config_lib
from fivo.config import stored
from fivo.logdir import checkpoints
from fivo.logdir import export_model
from fivo.logdir import run_directory
from fivo.system import errors
from fivo.training import optimization
from tests.logdir import saved


@pytest.fixture(name="logdir")
def _logdir(tmp_path):
  """A logdir of one variable, its average, and Adam's state, at step 3."""
  logdir = str(tmp_path / "run")
  os.mkdir(logdir)
  stored.save(config_lib.from_object(
      type("Options", (), dict(logdir=logdir, dataset_path="/data/x.pkl",
                               average_variables=.9, latent_size=7))),
              train_mean=[.25, .5])
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    v = tf.compat.v1.get_variable("net/v", initializer=[1., 2.])
    train_op = optimization.Optimizer(.1, average_decay=.9).minimize(
        tf.reduce_sum(v), "fivo")
    session.run(tf.compat.v1.global_variables_initializer())
    for _ in range(3):
      session.run(train_op)
    saver = tf.compat.v1.train.Saver(optimization.names_in_checkpoints())
    saver.save(session, os.path.join(logdir, checkpoints.NAME), global_step=3)
  return logdir


def test_keeps_the_model_alone(logdir, tmp_path):
  out_dir = str(tmp_path / "small")
  path = export_model.export_model(logdir, out_dir)
  assert path == run_directory.RunDirectory(out_dir).require()
  assert checkpoints.step(path) == 3
  reader = tf.train.load_checkpoint(out_dir)
  assert sorted(reader.get_variable_to_shape_map()) == ["global_step", "net/v"]
  np.testing.assert_array_equal(
      reader.get_tensor("net/v"),
      tf.train.load_checkpoint(logdir).get_tensor("net/v"))
  assert reader.get_tensor("global_step") == 3
  options, mean, _ = stored.load(out_dir)
  assert options == dict(stored.load(logdir)[0], dataset_path="x.pkl",
                         average_variables=None)
  np.testing.assert_array_equal(mean, [.25, .5])
  for name in ("checkpoint", stored.FILE_NAME):
    with open(os.path.join(out_dir, name)) as stream:
      assert str(tmp_path) not in stream.read()


def test_refuses(logdir, tmp_path):
  with pytest.raises(errors.UserError, match="^--out_dir=.*not empty"):
    export_model.export_model(logdir, logdir)
  os.remove(os.path.join(logdir, stored.FILE_NAME))
  with pytest.raises(errors.UserError, match="has no config.json"):
    export_model.export_model(logdir, str(tmp_path / "y"))
  saved.save(logdir, 7)
  os.truncate(os.path.join(logdir, "model.ckpt-7.data-00000-of-00001"), 3)
  with pytest.raises(errors.UserError, match="model.ckpt-7, is not whole"):
    export_model.export_model(logdir, str(tmp_path / "y"))
