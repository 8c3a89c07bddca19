"""Evaluates as `run_fivo.py --mode=eval` would without its savings.

The yardstick for evaluation: sequences come in the order of the file, batch
after batch, and each bound has a particle filter of its own, all three in one
graph. Flags and log lines are those of `run_fivo.py`.

  python -m benchmarks.separate_bounds --mode=eval --logdir=... [...]
"""

if __name__ == "__main__":
  from fivo.system import startup
  startup.run(__file__)

from absl import logging
import tensorflow as tf

from fivo import bounds
from fivo import runners
from fivo.config import config as config_lib
from fivo.evaluation import averages
from fivo.evaluation import charts
from fivo.logdir import checkpoints
from fivo.logdir import run_directory
from fivo.system import log
import run_fivo

define_flags = run_fivo.define_flags


def main(unused_argv):
  """Evaluates the newest checkpoint on all sequences of a split."""
  log.configure()
  config = config_lib.resolve(run_fivo.FLAGS)
  with tf.compat.v1.Session() as session:
    global_step = tf.compat.v1.train.get_or_create_global_step()
    *batch, model, _ = runners.create_dataset_and_model(
        config, split=config.split, shuffle=False, repeat=False)
    # A batch is read once and evaluated many times, as the program does it.
    held = inputs, targets, lengths = [
        tf.compat.v1.placeholder(x.dtype, x.shape) for x in batch]
    three_bounds = bounds.AllBounds(*[
        bounds.create_bound(name, model, (inputs, targets), lengths,
                            num_samples=config.num_samples).log_p_hat
        for name in bounds.AllBounds._fields])
    checkpoints.restore(
        session, run_directory.RunDirectory(config.logdir).require())
    step = session.run(global_step)
    logging.info("Model restored from step %d, evaluating.", step)
    result = averages.average(
        _batches(session, batch),
        lambda values: session.run(three_bounds, dict(zip(held, values))),
        config.eval_repeats)
  averages.report(result, config.split, step, charts.Summaries(
      config.logdir, "separate"))


def _batches(session, batch):
  while True:
    try:
      yield session.run(batch)
    except tf.errors.OutOfRangeError:
      return
