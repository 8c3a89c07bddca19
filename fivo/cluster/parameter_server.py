"""A parameter server: it holds variables until training is over."""

import time

from absl import logging
import tensorflow as tf

from fivo.cluster import servers as cluster
from fivo.cluster import state as cluster_state
from fivo.cluster import watch as cluster_watch
from fivo.config import cluster_spec
from fivo.logdir import checkpoints
from fivo.system import errors
from fivo.system import signals

_SECONDS_BETWEEN_LOOKS = 0.3
# Schedulers send SIGTERM to all processes, and SIGKILL half a minute later. In
# between the chief needs the variables to save them.
_SECONDS_AFTER_SIGNAL = 10.


def serve(config):
  """Holds variables until the chief says that training is over.

  Args:
    config: A `Config` that is valid, of a parameter server.

  Raises:
    UserError: If the address is taken, the chief fails, or it does not answer
      for `cluster_timeout_secs`.
    SystemExit: After Ctrl-C or SIGTERM, with the usual exit code, once the
      chief has left or ten seconds have passed.
  """
  spec = config.cluster
  if cluster_state.is_over(config):
    logging.info("Already at step %d of --max_steps=%d: nothing to do.",
                 checkpoints.step(checkpoints.latest(config.logdir)),
                 config.max_steps)
    return
  with signals.catch_signals() as caught, tf.Graph().as_default():
    server = cluster.start_server(spec)
    status = cluster_state.status_variable(spec, spec.task)
    own = [status]
    if spec.task == 0:
      own += [cluster_state.mark_variable(),
              cluster_state.traits_variable(config)]
    with tf.compat.v1.Session(
        server.target, config=cluster.session_config(spec, [])) as session:
      session.run([variable.initializer for variable in own])
      _wait_for_end(config, spec, lambda: session.run(status), caught)
  if caught:
    logging.info("Stopped by signal %d.", caught[0])
    raise SystemExit(128 + caught[0])
  logging.info("Training is over.")


def _wait_for_end(config, spec, read_status, caught):
  """Waits for the end of training, or for a signal.

  Args:
    config: A `Config`.
    spec: A `ClusterSpec`.
    read_status: A callable that gives the status of all workers.
    caught: A list that receives the numbers of signals.

  Raises:
    UserError: If the chief fails or does not answer for too long.
  """
  chief = spec.worker_hosts[0]
  watch = cluster_watch.Watch(
      {cluster_spec.CHIEF: chief}, config.cluster_timeout_secs)
  watch.start()
  while not caught and not read_status()[0]:
    watch.check()
    time.sleep(_SECONDS_BETWEEN_LOOKS)
  watch.stop()
  seconds = _SECONDS_AFTER_SIGNAL if caught else config.cluster_timeout_secs
  _wait_for_stragglers(spec, read_status, time.time() + seconds)
  if not caught and read_status()[0] == cluster_state.FAILED:
    raise errors.UserError("the chief at %s has failed: see its log" % chief)


def _wait_for_stragglers(spec, read_status, deadline):
  """Waits until the chief and all workers under way need no variables."""
  while time.time() < deadline:
    status = read_status()
    if not any(cluster_watch.answers(address)
               for task, address in enumerate(spec.worker_hosts)
               if not status[task]):
      return
    time.sleep(_SECONDS_BETWEEN_LOOKS)
