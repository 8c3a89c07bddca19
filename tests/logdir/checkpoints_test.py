"""Tests of restoring checkpoints."""

import numpy as np
import pytest
import tensorflow as tf

from fivo.logdir import checkpoints
from fivo.system import errors
from tests.logdir import saved


class TestRestore(object):

  def test_more_than_needed(self, tmp_path):
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
      for name in ("w", "unneeded"):
        tf.compat.v1.get_variable(name, initializer=[1., 2.])
      session.run(tf.compat.v1.global_variables_initializer())
      path = tf.compat.v1.train.Saver().save(session, str(tmp_path / "m"))
    np.testing.assert_array_equal(saved.restore(path, size=2), [1, 2])

  @pytest.mark.parametrize("other, message", [
      (dict(name="v"), r"no variable v .*\[3\]"),
      (dict(size=4), r"variable w has shape \[3\], the model's is \[4\]"),
      (dict(dtype=tf.float64), r"variable w of shape \[3\] is float32, the "
                               "model's is float64")])
  def test_another_variable_is_named(self, tmp_path, other, message):
    with pytest.raises(errors.UserError, match=message):
      saved.restore(saved.save(tmp_path, 1), **other)

  def test_missing_optimizer_state_is_named(self, tmp_path):
    """Such as a checkpoint that another optimizer trained."""
    path = saved.save(tmp_path, 1)
    with tf.Graph().as_default():
      variable = tf.compat.v1.get_variable("w", [3])
      tf.compat.v1.train.AdamOptimizer().minimize(tf.reduce_sum(variable))
      with pytest.raises(errors.UserError, match=(
          r"no variable beta1_power \(the model's shape is \[\]\); the "
          "checkpoint holds the model but not the optimizer's state")):
        checkpoints.check_compatible(path, tf.compat.v1.global_variables())
