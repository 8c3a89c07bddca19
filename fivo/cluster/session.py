"""The sessions of a training process, and of a parameter server.

The variables live on the parameter servers. Whenever the chief opens a session,
at its start or after a parameter server died, it restores the newest
checkpoint. When training is over, it puts a token into a queue on each.
"""

import time

import tensorflow as tf

from fivo.cluster import server
from fivo.cluster import supervision
from fivo.config import cluster_spec
from fivo.system import log
from fivo.system import sessions
from fivo.system import signals

# Schedulers send SIGTERM to all processes, and SIGKILL half a minute later. In
# between the chief needs the variables to save them.
_SECONDS_AFTER_SIGNAL = 10.
# Errors of a session when a process of the cluster dies or restarts.
PREEMPTIONS = (
    tf.errors.AbortedError, tf.errors.CancelledError,
    tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError,
    tf.errors.InternalError, tf.errors.UnavailableError,
    tf.errors.UnknownError)


def options(spec):
  """The ConfigProto of a training session; `spec` is a `ClusterSpec`, or None.

  A session waits for all processes that it sees; a worker sees no other.
  """
  if spec is None:
    return sessions.options()
  filters = [spec.device]
  if spec.job == cluster_spec.WORKER:
    filters.append("/job:" + cluster_spec.PS)
  return tf.compat.v1.ConfigProto(device_filters=filters)


def end_queue(ps_task):
  """A queue on a parameter server: it is empty until training is over."""
  with tf.name_scope(None), tf.device(
      cluster_spec.device(cluster_spec.PS, ps_task)):
    return tf.queue.FIFOQueue(
        10, [tf.bool], [[]], shared_name="fivo_training_is_over")


def serve_variables(spec, timeout_secs):
  """Serves as a parameter server until the chief says training is over.

  The chief may be away for `timeout_secs`, and workers may take as long to end
  after it; after Ctrl-C or SIGTERM, which raise SystemExit, ten seconds.
  """
  with signals.catch_signals() as caught, tf.Graph().as_default():
    num_ends = end_queue(spec.task).size()
    with tf.compat.v1.Session(
        server.start(spec).target, config=options(spec)) as session:
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


class SessionCreator(tf.compat.v1.train.SessionCreator):
  """Creates training sessions, a new one whenever a process has died.

  The chief restores the newest checkpoint, whose path `find_checkpoint()`
  returns, or initializes variables; a worker, without that function, waits.
  """

  def __init__(self, scaffold, target, config, find_checkpoint, caught):
    self._scaffold = scaffold
    self._target = target
    self._config = config
    self._find_checkpoint = find_checkpoint
    self._caught = caught

  def create_session(self):
    """Opens a session, once its variables have values."""
    if self._find_checkpoint:
      return tf.compat.v1.train.ChiefSessionCreator(
          self._scaffold, self._target, self._config,
          checkpoint_filename_with_path=self._find_checkpoint(),
      ).create_session()
    self._scaffold.finalize()
    session = tf.compat.v1.Session(self._target, config=self._config)
    session.run(self._scaffold.local_init_op)
    while session.run(self._scaffold.ready_op).size:
      if self._caught:
        raise SystemExit(128 + self._caught[0])
      time.sleep(supervision.SECONDS_BETWEEN_LOOKS)
    return session


class ChiefHook(tf.compat.v1.train.SessionRunHook):
  """Notifies parameter servers when training is over, unless by a signal."""

  def __init__(self, num_ps, caught):
    self._caught = caught
    self._tell = [end_queue(task).enqueue(True) for task in range(num_ps)]

  def end(self, session):
    """Fills the queues."""
    if not self._caught:
      session.run(self._tell)


class WorkerHook(tf.compat.v1.train.SessionRunHook):
  """Makes a worker wait for its first global step, and end with the chief."""

  def __init__(self, first_step, caught):
    self._first_step = first_step
    self._caught = caught
    self._num_ends = end_queue(0).size()
    self._global_step = tf.compat.v1.train.get_or_create_global_step()

  def before_run(self, run_context):
    """Waits for the first step."""
    while self._first_step and not self._caught:
      step, num_ends = run_context.session.run(
          [self._global_step, self._num_ends])
      if step >= self._first_step or num_ends:
        self._first_step = 0
      else:
        time.sleep(supervision.SECONDS_BETWEEN_LOOKS)
    return tf.compat.v1.train.SessionRunArgs(self._num_ends)

  def after_run(self, run_context, run_values):
    """Stops once the chief has."""
    if run_values.results:
      run_context.request_stop()
