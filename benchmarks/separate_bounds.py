"""Evaluates as `run_fivo.py --mode=eval` would without its two savings.

The yardstick for evaluation: sequences come in the order of the file, and each
bound has a particle filter of its own, all three in one graph. Flags, log lines
and summaries are those of `run_fivo.py`.

  python -m benchmarks.separate_bounds --mode=eval --logdir=... [...]
"""

if __name__ == "__main__":
  import os
  import sys
  sys.path[0] = os.path.realpath(os.path.join(__file__, "../.."))
  from fivo.system import startup
  startup.run(__file__)

import contextlib

from absl import logging
import tensorflow as tf

from fivo import bounds
from fivo import runners
from fivo.config import config as config_lib
from fivo.evaluation import averages
from fivo.evaluation import summaries
from fivo.logdir import checkpoints
from fivo.system import log
import run_fivo

define_flags = run_fivo.define_flags


def evaluate(config):
  """Evaluates the newest checkpoint on all sequences of a split.

  Args:
    config: A configuration, see `config.from_object`.

  Returns:
    An `averages.EvalResult`.
  """
  config = config_lib.resolve(config)
  path = checkpoints.require(config.logdir)
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    global_step = tf.compat.v1.train.get_or_create_global_step()
    inputs, targets, lengths, model, _ = runners.create_dataset_and_model(
        config, split=config.split, shuffle=False, repeat=False)
    batch = (inputs, targets, lengths)
    # A batch is read once and evaluated many times, as the program does it.
    held = [tf.compat.v1.placeholder(x.dtype, x.shape) for x in batch]
    bound_tensors = separate_bounds(
        model, held[:2], held[2], config.num_samples)
    checkpoints.restore(session, path)
    step = session.run(global_step)
    logging.info("Model restored from step %d, evaluating.", step)
    result = averages.average(
        _batches(session, batch),
        lambda values: session.run(bound_tensors, dict(zip(held, values))),
        config.eval_repeats)
  with contextlib.closing(summaries.Summaries(
      config.logdir, config.split)) as writer:
    averages.report(result, config.split, step, writer)
  return result


def separate_bounds(model, observations, lengths, num_samples):
  """The three bounds, a particle filter for each.

  Args:
    model: An `ELBOTrainableSequenceModel`.
    observations: Nested Tensors `[T, B, ...]`.
    lengths: An int Tensor `[B]`.
    num_samples: N.

  Returns:
    A `bounds.AllBounds` of float Tensors `[B]`, in nats.
  """
  return bounds.AllBounds(
      bounds.elbo(model, observations, lengths).log_p_hat,
      bounds.iwae(
          model, observations, lengths, num_samples=num_samples).log_p_hat,
      bounds.fivo(
          model, observations, lengths, num_samples=num_samples).log_p_hat)


def _batches(session, batch):
  """Iterates over the values of a batch until the data ends."""
  while True:
    try:
      yield session.run(batch)
    except tf.errors.OutOfRangeError:
      return


def main(argv):
  """Calls `evaluate` with the flags."""
  del argv
  log.configure()
  evaluate(run_fivo.FLAGS)
