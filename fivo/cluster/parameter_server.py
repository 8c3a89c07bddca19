"""A parameter server: it holds variables until training is over."""

import time

import tensorflow as tf

from fivo.cluster import server
from fivo.cluster import session as cluster_session
from fivo.cluster import supervision
from fivo.system import log
from fivo.system import signals

# Schedulers send SIGTERM to all processes, and SIGKILL half a minute later. In
# between the chief needs the variables to save them.
_SECONDS_AFTER_SIGNAL = 10.


def serve(spec, timeout_secs):
  """Serves a place in a `ClusterSpec` until the chief says training is over.

  The chief may be away for `timeout_secs`, and workers may take as long to end
  after it. After Ctrl-C or SIGTERM it waits ten seconds for them, and raises
  SystemExit.
  """
  with signals.catch_signals() as caught, tf.Graph().as_default():
    num_ends = cluster_session.end_queue(spec.task).size()
    with tf.compat.v1.Session(
        server.start(spec).target,
        config=cluster_session.options(spec)) as session:
      with supervision.supervise(spec.needed, timeout_secs):
        while not caught and not session.run(num_ends):
          time.sleep(supervision.SECONDS_BETWEEN_LOOKS)
      deadline = time.monotonic() + (
          _SECONDS_AFTER_SIGNAL if caught else timeout_secs)
      while time.monotonic() < deadline and any(
          map(supervision.answers, spec.worker_hosts)):
        time.sleep(supervision.SECONDS_BETWEEN_LOOKS)
  if caught:
    log.info("Stopped by signal %d.", caught[0])
    raise SystemExit(128 + caught[0])
  log.info("Training is over.")
