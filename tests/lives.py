"""Training runs in processes of their own, to be killed and starved.

The model is a vector, so a process costs what the training loop costs. They
are forked from a server that has imported TensorFlow and made no session.
"""

import functools
import multiprocessing
import os
import re
import resource
import sys
import types

import tensorflow as tf

from fivo import config as config_lib
from fivo import console
from fivo import logs
from fivo import optimization
from fivo import training

_EVENT = re.compile(r"^(Step|Saving checkpoints for) (\d+)\b", re.MULTILINE)


def start(logdir, log, max_steps, size=100, max_file_bytes=None):
  """Starts to train.

  Args:
    logdir: The logdir.
    log: The file for what the process prints.
    max_steps: The step at which training ends.
    size: The size of the vector.
    max_file_bytes: The largest file that the process may write, or None.

  Returns:
    A process. It logs every step and saves every few hundredths of a second.
  """
  context = multiprocessing.get_context("forkserver")
  context.set_forkserver_preload([__name__])
  process = context.Process(
      target=_live, args=(str(logdir), str(log), max_steps, size,
                          max_file_bytes))
  process.start()
  return process


def finish(*args, **kwargs):
  """Like `start`, but waits for the end; returns the exit code."""
  process = start(*args, **kwargs)
  process.join(60)
  if process.is_alive():
    process.kill()
    raise AssertionError("the process hangs")
  return process.exitcode


def events(log):
  """What a process has printed of its steps.

  Args:
    log: The file.

  Returns:
    A list of pairs: "Step" or "Saving checkpoints for", and the step.
  """
  try:
    with open(str(log), encoding="utf-8") as stream:
      return [(kind, int(step)) for kind, step in _EVENT.findall(stream.read())]
  except FileNotFoundError:
    return []


def _live(logdir, log, max_steps, size, max_file_bytes):
  """The process."""
  descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  os.dup2(descriptor, 1)
  os.dup2(descriptor, 2)
  if max_file_bytes is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
  sys.argv = ["run"]
  try:
    console.run_main(functools.partial(
        _train, logdir=logdir, max_steps=max_steps, size=size))
  except SystemExit as e:
    sys.exit(e.code or 0)  # Of None, multiprocessing makes 1.


def _train(unused_argv, logdir, max_steps, size):
  """Trains as a runner does."""
  logs.configure(show_all=False)
  config = training.begin(types.SimpleNamespace(
      logdir=logdir, max_steps=max_steps, summarize_every=1,
      save_checkpoint_secs=.02, learning_rate=.01))
  with tf.Graph().as_default():
    vector = tf.compat.v1.get_variable(
        "v", initializer=tf.linspace(0., 1., size))
    loss = tf.reduce_sum(tf.square(vector - 2.))
    tf.compat.v1.summary.scalar("loss", loss)
    train_op = optimization.create_train_op(loss, "fivo", config.learning_rate)
    with training.owning_logdir(config):
      config_lib.save(config)
      training.train(config, train_op, {}, lambda step, _: "Step %d" % step)
