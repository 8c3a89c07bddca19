"""Training runs in processes of their own, to be killed and starved.

They train alone or as members of a cluster. The model is a vector, so a process
costs what the training loop costs. They are forked from a server that has
imported TensorFlow and made no session.
"""

import contextlib
import functools
import os
import re
import resource
import sys
import time
import types

import tensorflow as tf

from fivo.cluster import session as cluster_session
from fivo.config import cluster_spec
from fivo.config import config as config_lib
from fivo.config import stored
from fivo.system import console
from fivo.system import log
from fivo.training import optimization
from fivo.training import runs
from fivo.training import steps
from tests import programs

FREE_STEPS = 5

_EVENT = re.compile(r"^(Step|Saving checkpoints for) (\d+)\b", re.MULTILINE)


def start(logdir, log, max_steps, size=100, max_file_bytes=None, gate=None,
          environ=None, **options):
  """Starts a process that trains a vector, logs every step and saves always.

  It prints to the file `log` and writes files of `max_file_bytes` at most. With
  a gate it takes `FREE_STEPS`, and no more until that file exists. `environ`
  are environment variables to set; options are as in `fivo/config/options.py`.
  """
  process = programs.CONTEXT.Process(
      target=_live, args=(
          str(log), size, max_file_bytes, gate and str(gate), environ or {},
          dict(dict(logdir=str(logdir), max_steps=max_steps, summarize_every=1,
                    save_checkpoint_secs=.02, learning_rate=.01), **options)))
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
  """Pairs of "Step" or "Saving checkpoints for" and the step, from a log."""
  if not os.path.exists(str(log)):
    return []
  with open(str(log), encoding="utf-8") as stream:
    return [(kind, int(step)) for kind, step in _EVENT.findall(stream.read())]


def _live(log, size, max_file_bytes, gate, environ, options):
  """The process."""
  descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
  os.dup2(descriptor, 1)
  os.dup2(descriptor, 2)
  if max_file_bytes is not None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_file_bytes, max_file_bytes))
  os.environ.update(environ)
  sys.argv = ["run"]
  try:
    console.run_main(functools.partial(
        _run, config=types.SimpleNamespace(**options), size=size, gate=gate))
  except SystemExit as e:
    sys.exit(e.code or 0)  # Of None, multiprocessing makes 1.


def _run(unused_argv, config, size, gate):
  """Trains, or serves, as run_fivo.py does."""
  log.configure()
  config = config_lib.resolve(config)
  if config.cluster is not None and config.cluster.job == cluster_spec.PS:
    cluster_session.serve_variables(
        config.cluster, config.cluster_timeout_secs)
  else:
    _train(config, size, gate)


def _train(config, size, gate):
  """Trains as a runner does."""
  config, directory, process = runs.begin(config)
  with tf.Graph().as_default():
    with process.placing_variables():
      vector = tf.compat.v1.get_variable(
          "v", initializer=tf.linspace(0., 1., size))
      with tf.control_dependencies([_pass(gate)] if gate else []):
        loss = tf.reduce_sum(tf.square(vector - 2.))
      tf.compat.v1.summary.scalar("loss", loss)
      train_op = optimization.Optimizer(config.learning_rate).minimize(
          loss, "fivo")
    with contextlib.ExitStack() as stack:
      if process.is_chief:
        stack.enter_context(directory.reserved())
        stored.save(config)
      steps.train(config, directory, process, train_op, runs.Objective(
          -loss, {}, lambda step, _: "Step %d" % step))


def _pass(gate):
  """An op that waits for a file, unless it has run only a few times."""
  free_steps = iter(range(FREE_STEPS))

  def wait():
    while next(free_steps, None) is None and not os.path.exists(gate):
      time.sleep(.01)
    return True

  return tf.numpy_function(wait, [], tf.bool)
