"""Tests of the measured speed of training."""

import numpy as np
import tensorflow as tf

from fivo.training import speed


def _values(directory):
  """What was written, a dict from tags to lists of steps and values."""
  found = {}
  for path in directory.glob("events.*"):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        found.setdefault(value.tag, []).append((event.step, value.simple_value))
  return found


def test_timesteps_per_second(tmp_path):
  """They are those of the batches that were seen, 3 and 5 in turns."""
  with tf.Graph().as_default():
    global_step = tf.compat.v1.train.get_or_create_global_step()
    step = global_step.assign_add(1)
    lengths = tf.compat.v1.data.make_one_shot_iterator(
        tf.data.Dataset.from_tensor_slices([3, 5]).repeat()).get_next()
    hook = speed.SpeedHook(lengths, every_n_steps=4, output_dir=str(tmp_path))
    with tf.compat.v1.train.MonitoredSession(hooks=[hook]) as session:
      for _ in range(9):
        session.run(step)
  tf.compat.v1.summary.FileWriterCache.get(str(tmp_path)).flush()
  found = _values(tmp_path)
  assert set(found) == {"global_step/sec", "speed/steps_per_second",
                        "speed/timesteps_per_second"}
  for steps, timesteps, original in zip(
      found["speed/steps_per_second"], found["speed/timesteps_per_second"],
      found["global_step/sec"]):
    assert steps == original and steps[0] == timesteps[0]
  # The first interval has one more step behind it, of 3 timesteps.
  ratios = [timesteps[1] / steps[1] for steps, timesteps in zip(
      found["speed/steps_per_second"], found["speed/timesteps_per_second"])]
  np.testing.assert_allclose(ratios, [19 / 5, 4.], rtol=1e-5)
