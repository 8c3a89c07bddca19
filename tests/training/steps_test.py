"""Tests of the training loop, on a loss of one variable."""

import os
import signal
import types

import pytest
import tensorflow as tf

from fivo.cluster import process
from fivo.config import config as config_lib
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.system import errors
from fivo.training import optimization
from fivo.training import runs
from fivo.training import steps


def _train(logdir, loss_fn=tf.square, on_step=None, data_size=None, **kwargs):
  """Trains a variable that starts at one; returns the steps logged."""
  options = dict(dict(summarize_every=1, learning_rate=.1), **kwargs)
  config = config_lib.from_object(
      types.SimpleNamespace(logdir=str(logdir), **options))
  logged = []

  def log_line(step, unused_values):
    logged.append(int(step))
    if on_step:
      on_step(step)
    return "Step %d" % step

  with tf.Graph().as_default():
    variable = tf.compat.v1.get_variable("v", initializer=1.)
    loss = loss_fn(variable)
    if data_size is not None:
      data = tf.data.Dataset.from_tensors(0.).repeat(data_size)
      loss += tf.compat.v1.data.make_one_shot_iterator(data).get_next()
    tf.compat.v1.summary.scalar("loss", loss)
    train_op = optimization.Optimizer(
        config.learning_rate, config.clip_gradient_norm).minimize(loss, "fivo")
    steps.train(config, run_directory.RunDirectory(logdir),
                process.Process(master=config.master), train_op,
                runs.Objective(-loss, {"loss": loss}, log_line))
  return logged


def _saved(logdir):
  """The step and value that the newest checkpoint holds."""
  path = run_directory.RunDirectory(logdir).latest()
  reader = tf.compat.v1.train.NewCheckpointReader(path)
  assert reader.get_tensor("global_step") == checkpoints.step(path)
  return checkpoints.step(path), float(reader.get_tensor("v"))


def test_exactly_max_steps(tmp_path):
  """The original took one more, and one more again at each restart."""
  assert _train(tmp_path, max_steps=0) == []
  assert _train(tmp_path, max_steps=3) == [1, 2, 3]
  assert _saved(tmp_path)[0] == 3
  before = sorted(os.listdir(str(tmp_path)))
  assert _train(tmp_path, max_steps=3) == []
  assert sorted(os.listdir(str(tmp_path))) == before


def test_resumed_run_equals_uninterrupted(tmp_path):
  """The first step is logged, every third after it, and the last."""
  assert _train(tmp_path / "a", max_steps=8, summarize_every=3) == [1, 4, 7, 8]
  for max_steps in (2, 3, 8):
    _train(tmp_path / "b", max_steps=max_steps)
  assert _saved(tmp_path / "a") == _saved(tmp_path / "b")


def test_end_of_data(tmp_path):
  assert _train(tmp_path, data_size=2, max_steps=5) == [1, 2]
  assert _saved(tmp_path)[0] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_leaves(tmp_path, number):
  """Signals used to save nothing."""
  def on_step(step):
    if step == 4:
      os.kill(os.getpid(), number)

  before = signal.getsignal(number)
  with pytest.raises(SystemExit) as caught:
    _train(tmp_path, on_step=on_step, max_steps=100)
  assert caught.value.code == 128 + number
  assert _saved(tmp_path)[0] == 4
  assert signal.getsignal(number) == before
  assert _train(tmp_path, max_steps=6) == [5, 6]


def test_nan_stops_and_keeps_the_last_checkpoint(tmp_path):
  """The original logged nan, saved NaN variables and exited with 0."""
  _train(tmp_path, max_steps=2)
  saved = _saved(tmp_path)
  with pytest.raises(errors.NonFiniteError) as caught:
    _train(tmp_path, max_steps=100, loss_fn=lambda v: v + tf.stop_gradient(
        tf.where(v < .65, float("nan"), 0.)))
  assert str(caught.value).startswith("the fivo bound is NaN at step 5; ")
  assert "model.ckpt-2" in str(caught.value)
  assert _saved(tmp_path) == saved


@pytest.mark.parametrize("loss_fn, limit, culprit", [
    (lambda v: tf.sqrt(v - v), None, "gradient by v is "),
    (lambda v: tf.sqrt(v - v), 1., "gradient by v is "),
    # Only the square of the gradient overflows.
    (lambda v: 1e25 * v, 1., "the norm of the fivo bound's gradient is Inf")])
def test_gradient_that_is_not_finite(tmp_path, loss_fn, limit, culprit):
  with pytest.raises(errors.NonFiniteError, match=culprit):
    _train(tmp_path, loss_fn=loss_fn, max_steps=3, clip_gradient_norm=limit)
  assert _saved(tmp_path) == (0, 1.)


def test_a_checkpoint_of_another_model(tmp_path):
  _train(tmp_path, max_steps=1)
  with pytest.raises(errors.UserError, match="no variable w"):
    _train(tmp_path, max_steps=2,
           loss_fn=lambda v: v + tf.compat.v1.get_variable("w", []))


def test_on_a_server_that_the_user_runs(tmp_path):
  master = tf.distribute.Server.create_local_server().target
  assert _train(tmp_path, max_steps=3, master=master) == [1, 2, 3]
  assert _saved(tmp_path)[0] == 3
  with pytest.raises(errors.NonFiniteError) as caught:
    _train(tmp_path, max_steps=4, master=master, loss_fn=lambda v: v / 0.)
  assert str(caught.value).startswith("the fivo bound is Inf at step 4; ")
