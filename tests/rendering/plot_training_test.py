"""Tests of the plot of training runs."""

import os

import numpy as np
import pytest
import tensorflow as tf

from fivo.rendering import plot_training
from fivo.system import errors
from tests import programs

_PROGRAM = "fivo/rendering/plot_training.py"


def _write(directory, points, tag="bound_per_timestep/fivo", began=1000.):
  """Writes an event file of points (step, seconds, value); gives its path."""
  path = str(directory / ("events.out.tfevents.%d.host" % began))
  with tf.io.TFRecordWriter(path) as writer:
    writer.write(tf.compat.v1.Event(
        wall_time=began, file_version="brain.Event:2").SerializeToString())
    for step, seconds, value in points:
      event = tf.compat.v1.Event(wall_time=began + seconds, step=step)
      event.summary.value.add(tag=tag, simple_value=value)
      writer.write(event.SerializeToString())
  return path


def test_a_resumed_run_that_is_being_written(tmp_path):
  """Steps that were taken again count once, and no time between stops."""
  _write(tmp_path, [(1, 5., -9.), (51, 15., -8.), (101, 25., -7.)])
  path = _write(tmp_path, [(51, 4., -8.5), (101, 14., -7.5), (151, 16., -7.)],
                began=9000.)
  os.truncate(path, os.path.getsize(path) - 5)
  curve, = plot_training.read_curves(str(tmp_path)).values()
  np.testing.assert_array_equal(curve.steps, [1, 51, 101])
  np.testing.assert_array_equal(curve.values, [-9., -8.5, -7.5])
  np.testing.assert_allclose(curve.seconds, [5., 29., 39.])


def test_charts_rather_than_the_tags_of_former_runs(tmp_path):
  _write(tmp_path, [(1, 1., -2.)], tag="train_ll_per_t")
  assert list(plot_training.read_curves(str(tmp_path))) == ["train_ll_per_t"]
  _write(tmp_path, [(1, 1., -2.)], began=1001.)
  assert list(plot_training.read_curves(str(tmp_path))) == ["fivo"]


def test_several_runs(tmp_path):
  image = pytest.importorskip("matplotlib.image")
  logdirs = [tmp_path / name for name in ("a [b", "c")]
  for logdir in logdirs:
    (logdir / "valid").mkdir(parents=True)
    _write(logdir, [(i, i, -5. - 1. / (i + 1)) for i in range(100)])
    _write(logdir / "valid", [(50, 50., -6.)])
  path = str(tmp_path / "x.png")
  plot_training.draw(path, list(map(str, logdirs)))
  assert image.imread(path).shape == (900, 1000, 4)


def test_a_directory_without_a_run(tmp_path):
  with pytest.raises(errors.UserError, match="has no summaries of training"):
    plot_training.draw(str(tmp_path / "x.png"), [str(tmp_path)])


@pytest.mark.parametrize("args, message", [
    ([], "no LOGDIR is given"),
    (["--logdir=.", "--out_file=none/x.png"], "--out_file=none/x.png: there"),
])
def test_refuses_in_one_line(tmp_path, args, message):
  pytest.importorskip("mido")
  result = programs.run(args, _PROGRAM, directory=str(tmp_path))
  assert result.exit_code == 1
  assert result.stderr.startswith("plot_training.py: " + message)
  assert len(result.stderr.splitlines()) == 1
