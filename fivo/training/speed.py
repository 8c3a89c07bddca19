"""Measuring the speed of training."""

import tensorflow as tf

from fivo.evaluation import charts


class SpeedHook(tf.compat.v1.train.StepCounterHook):
  """Logs and writes steps per second, and timesteps of data per second.

  The number of timesteps in the batch of a step is a scalar Tensor, or None.
  """

  def __init__(self, num_timesteps, **kwargs):
    super().__init__(**kwargs)
    self._num_timesteps = [] if num_timesteps is None else [num_timesteps]
    self._seen = []

  def before_run(self, run_context):
    """Asks for the number of timesteps too."""
    arguments = super().before_run(run_context)
    return arguments._replace(fetches=[arguments.fetches, self._num_timesteps])

  def after_run(self, run_context, run_values):
    """Counts the timesteps."""
    step, num_timesteps = run_values.results
    self._seen += num_timesteps
    super().after_run(run_context, run_values._replace(results=step))

  def _log_and_record(self, elapsed_steps, elapsed_time, global_step):
    super()._log_and_record(elapsed_steps, elapsed_time, global_step)
    steps_per_second = elapsed_steps / elapsed_time
    values = [("speed/steps_per_second", steps_per_second)]
    if self._seen:
      # Steps of other workers are of batches that this one does not see.
      values.append(("speed/timesteps_per_second",
                     steps_per_second * sum(self._seen) / len(self._seen)))
      self._seen = []
    self._summary_writer.add_summary(
        charts.values_summary(values), global_step)
