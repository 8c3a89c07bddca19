"""A chief or a worker of a cluster while it trains: its sessions, its end."""

import time

from absl import logging
import tensorflow as tf

from fivo.cluster import places
from fivo.cluster import servers as cluster
from fivo.cluster import state as cluster_state
from fivo.cluster import watch as cluster_watch
from fivo.config import cluster_spec
from fivo.logdir import checkpoints
from fivo.system import errors

_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_BETWEEN_LINES = 10.
# Failures with no step and nobody's death in between.
_MAX_FAILURES = 20
_SECONDS_PER_FAILURE = 0.1


class TrainingOverError(Exception):
  """Training has ended elsewhere: there is nothing left to do."""


class Member(places.Place):
  """A chief or a worker, while it trains.

  Attributes:
    stop_step: The global step at which this process ends. Each worker may have
      one step under way when another reaches some step. So workers stop that
      much before the last step, and the chief takes the steps that are left,
      alone: together they take `max_steps`.
  """

  # What a session may meet when a process of the cluster dies or starts anew.
  preemptions = (
      tf.errors.AbortedError, tf.errors.CancelledError,
      tf.errors.DeadlineExceededError, tf.errors.FailedPreconditionError,
      tf.errors.InternalError, tf.errors.UnavailableError,
      tf.errors.UnknownError)

  def __init__(self, config, caught):
    """Creates what a member needs in the default graph.

    Args:
      config: A `Config` that `join` returned.
      caught: A list that receives the numbers of signals.
    """
    self.spec = config.cluster
    self._config = config
    self._caught = caught
    self._last_common_step = config.max_steps - len(self.spec.worker_hosts) + 1
    self.stop_step = (config.max_steps if self.spec.is_chief else
                      self._last_common_step)
    self._is_alone = False
    self._global_step = tf.compat.v1.train.get_or_create_global_step()
    with tf.name_scope(None):
      self._status = cluster_state.status_variable(self.spec, 0)
      self._mark = cluster_state.mark_variable()
      self._new_mark = tf.compat.v1.placeholder(tf.int64, [])
      self._set_mark = self._mark.assign(self._new_mark).op
      self._traits = cluster_state.traits_variable(config)
      self._set_traits = self._traits.assign(cluster_state.traits(config)).op
    self._failures = 0
    self._departures = 0
    needed = {"ps %d" % task: address
              for task, address in enumerate(self.spec.ps_hosts)}
    if not self.spec.is_chief:
      needed[cluster_spec.CHIEF] = self.spec.worker_hosts[0]
    self._watch = cluster_watch.Watch(needed, config.cluster_timeout_secs)

  def device(self):
    """The device of ops that need no other: this process, which has files."""
    return tf.device(cluster.device(self.spec.job, self.spec.task))

  def open(self, scaffold, hooks):
    """Opens a session.

    Args:
      scaffold: A Scaffold.
      hooks: A list of SessionRunHooks.

    Returns:
      A session like a MonitoredSession, which raises `preemptions`.
    """
    if not self._watch.ident:
      self._watch.start()
    if not self.spec.is_chief:
      hooks = hooks + [_FollowHook(self._status, self.on_status)]
    return _Session(_SessionCreator(self, scaffold), hooks)

  def before_first_step(self, session, step):
    """Waits for the chief to be far enough, and for what `after_step` does.

    Args:
      session: What `open` returned.
      step: The global step.

    Returns:
      The global step after waiting.
    """
    if self.spec.is_chief:
      return self._after_common_steps(session, step)
    first = min(self.spec.task * cluster.STEPS_OF_STAGGER, self.stop_step)
    while self._config.stagger_workers and step < first:
      self.on_status(session.run_step_fn(self._read_status))
      self._pause("step %d" % first)
      step = session.run_step_fn(self._read_step)
    return step

  def after_step(self, session, step):
    """Lets the chief wait for the workers before it takes the last steps.

    Args:
      session: What `open` returned.
      step: The global step.

    Returns:
      The global step after waiting.
    """
    self._failures = 0
    if self.spec.is_chief:
      return self._after_common_steps(session, step)
    return step

  def _after_common_steps(self, session, step):
    """Waits, once the workers stop, until none has a step under way."""
    if len(self.spec.worker_hosts) == 1 or step < self._last_common_step:
      self._is_alone = False  # Again, where a parameter server has died.
      return step
    if self._is_alone:
      return step
    self._wait_for_workers(session)
    self._is_alone = True
    return session.run_step_fn(self._read_step)

  def recover(self, error):
    """Gets over an error of a session, or raises it.

    A death explains it, however many there are. Others are given some tries,
    the first at once: who dies soon again leaves no second to waste.

    Args:
      error: One of `preemptions`.
    """
    if self._watch.num_departures > self._departures:
      self._departures = self._watch.num_departures
      self._failures = 0
    self._failures += 1
    if self._failures > _MAX_FAILURES:
      raise error
    logging.info("Lost the session, trying again (%s: %s).",
                 type(error).__name__, " ".join(error.message.split())[:200])
    time.sleep(_SECONDS_PER_FAILURE * self._failures)

  def leave(self, status):
    """Ends this process's part.

    Args:
      status: FINISHED; FAILED; or None for one that may come back.
    """
    self._watch.stop()
    if status is not None:
      cluster_state.report(self.spec, status)

  def on_saved(self, session, path):
    """Notes that the state is that of a checkpoint that was just written."""
    self._write_mark(session, cluster_state.fingerprint(path))

  def _write_mark(self, session, mark):
    session.run(self._set_mark, {self._new_mark: mark})

  def on_status(self, status):
    """Raises what the chief's status calls for.

    Args:
      status: The value of the status variable, `[workers]`.

    Raises:
      TrainingOverError: If the chief has finished.
      UserError: If it has failed, or a process is away for too long.
    """
    if status[0] == cluster_state.FINISHED:
      raise TrainingOverError()
    if status[0] == cluster_state.FAILED:
      raise errors.UserError("the chief at %s has failed: see its log" % (
          self.spec.worker_hosts[0]))
    self._watch.check()

  def _read_step(self, step_context):
    return step_context.session.run(self._global_step)

  def _read_status(self, step_context):
    return step_context.session.run(self._status)

  def _pause(self, what):
    """Sleeps a little, as long as it makes sense to wait on."""
    self._watch.check()
    if self._caught:
      raise SystemExit(128 + self._caught[0])
    logging.log_every_n_seconds(
        logging.INFO, "Waiting for %s.", _SECONDS_BETWEEN_LINES, what)
    time.sleep(_SECONDS_BETWEEN_LOOKS)

  def _wait_for_workers(self, session):
    """Waits until no worker has a step under way."""
    deadline = time.time() + self._config.cluster_timeout_secs
    while time.time() < deadline:
      status = session.run_step_fn(self._read_status)
      busy = [task for task, address in enumerate(self.spec.worker_hosts)
              if task and not status[task] and cluster_watch.answers(address)]
      if not busy:
        return
      self._pause("worker %d to end" % busy[0])
    logging.warning("Worker %d does not end: the last step may come out a few "
                    "higher than --max_steps.", busy[0])

  def wait_for_servers(self):
    """Waits until all parameter servers answer.

    Raises:
      TrainingOverError: If the run has ended meanwhile.
      UserError: If one is away for too long.
    """
    while True:
      away = [address for address in self.spec.ps_hosts
              if not cluster_watch.answers(address)]
      if not away:
        return
      if cluster_state.is_over(self._config):
        raise TrainingOverError()
      self._pause("the parameter server at %s" % away[0])

  def prepare(self, session, scaffold):
    """Makes the variables ready, or waits until they are.

    Args:
      session: A Session.
      scaffold: A Scaffold, finalized.

    Raises:
      UserError: If the chief's are of another model.
    """
    if not self.spec.is_chief:
      while not self._is_ready(session, scaffold):
        self._pause("the chief to make the variables ready")
    else:
      path = checkpoints.to_resume(self._config.logdir)
      if (path is not None and self._is_ready(session, scaffold) and
          session.run(self._mark) == cluster_state.fingerprint(path)):
        logging.info("The parameter servers hold step %d, which comes from %s: "
                     "going on with it.", session.run(self._global_step), path)
      else:
        self._initialize(session, scaffold, path)
    session.run(scaffold.local_init_op)

  def _is_ready(self, session, scaffold):
    """Returns whether all variables have values that belong together."""
    try:
      if session.run(self._mark) == cluster_state.BEING_RESTORED:
        return False
      if not self.spec.is_chief:
        cluster_state.check_traits(self._config, session.run(self._traits))
      return not session.run(scaffold.ready_op).size
    except tf.errors.FailedPreconditionError:
      return False  # A parameter server that has only just started.

  def _initialize(self, session, scaffold, path):
    """Gives all variables the values of a checkpoint, or new ones."""
    self._write_mark(session, cluster_state.BEING_RESTORED)
    session.run(self._set_traits)
    if path is None:
      session.run(scaffold.init_op)
    else:
      scaffold.saver.restore(session, path)
    self._write_mark(session, cluster_state.fingerprint(path))


class _SessionCreator(tf.compat.v1.train.SessionCreator):
  """Creates the session of a member."""

  def __init__(self, member, scaffold):
    self._member = member
    self._scaffold = scaffold

  def create_session(self):
    self._scaffold.finalize()
    self._member.wait_for_servers()
    spec = self._member.spec
    session = tf.compat.v1.Session(
        cluster.start_server(spec).target,
        config=cluster.session_config(spec, range(len(spec.ps_hosts))))
    try:
      self._member.prepare(session, self._scaffold)
    except BaseException:
      session.close()
      raise
    return session


class _Session(tf.compat.v1.train.MonitoredSession):
  """A MonitoredSession that leaves it to others to get over errors.

  The original one does so in the middle of a step function, which it then runs
  with the session that is closed.
  """

  def __init__(self, session_creator, hooks):
    super(tf.compat.v1.train.MonitoredSession, self).__init__(
        session_creator, hooks, should_recover=False)


class _FollowHook(tf.compat.v1.train.SessionRunHook):
  """Tells a worker with each step how the others are doing."""

  def __init__(self, status, on_status):
    self._status = status
    self._on_status = on_status

  def before_run(self, run_context):
    """Asks for the status."""
    return tf.compat.v1.train.SessionRunArgs(self._status)

  def after_run(self, run_context, run_values):
    """Acts on it."""
    self._on_status(run_values.results)
