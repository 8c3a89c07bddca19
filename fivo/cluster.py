"""A chief's or a worker's place in a cluster: its server, sessions and end.

The variables live on the parameter servers. What a process knows of the others
it reads there too, from variables that no checkpoint has:

* `status`, one on each parameter server: how each worker has ended.
* `mark`, on parameter server 0: which checkpoint the state there comes from.

The newest checkpoint is the truth. A chief that starts, or finds a parameter
server new, restores it everywhere; only where the mark says that the state on
all parameter servers comes from just this checkpoint does training go on with
that state, and a chief's death costs no steps.

A process that is gone can be started again, with the same flags, within
`--cluster_timeout_secs`: then the others give up. Chief and workers need all
parameter servers, workers and parameter servers need the chief.
"""

import hashlib
import os
import socket
import sys
import threading
import time

from absl import logging
import tensorflow as tf

from fivo import checkpoints
from fivo import cluster_spec
from fivo import errors
from fivo import validation_record

# How a worker has ended.
FINISHED = 1
FAILED = 2

_NO_CHECKPOINT = 0
_BEING_RESTORED = -1

# Worker k waits for step k times this many, where workers are staggered.
STEPS_OF_STAGGER = 1000
_SEEDS_PER_WORKER = 1000003

_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_BETWEEN_LINES = 10.
_SECONDS_TO_CONNECT = 2.
_SECONDS_TO_REPORT = 5
_SECONDS_TO_NOTICE = 10.
_MAX_FAILURES = 20

# TensorFlow 1.15 cannot stop a server, so those of this process stay.
_servers = {}


class TrainingOverError(Exception):
  """Training has ended elsewhere: there is nothing left to do."""


def join(config):
  """Makes this process the member of a cluster that its configuration says.

  Args:
    config: A `Config` that is valid.

  Returns:
    A `Config`: for a worker of a cluster with its server as the `master`, and
    with a random seed of its own; the chief has that of the configuration.

  Raises:
    UserError: If the process is a parameter server, or its address is taken.
  """
  spec = cluster_spec.parse(config)
  if spec is None:
    return config
  if spec.job == cluster_spec.PS:
    raise errors.UserError(
        "--job_name=ps: a parameter server does not train; run_fivo.py or "
        "fivo.parameter_server.serve makes it serve")
  config = cluster_spec.apply(spec, config)
  if config.random_seed is not None:
    # Python's integers grow, seeds of 64 bits do not.
    seed = config.random_seed + _SEEDS_PER_WORKER * spec.task
    config = config._replace(
        random_seed=seed if seed < 2 ** 63 else seed - 2 ** 64)
  return config._replace(master=start_server(spec).target)


def start_server(spec):
  """Starts the TensorFlow server of this process, or finds it running.

  Args:
    spec: A `ClusterSpec`.

  Returns:
    A `tf.distribute.Server`.

  Raises:
    UserError: If its address is taken.
  """
  if spec not in _servers:
    _, port = cluster_spec.split_address(spec.address)
    try:
      with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", port))
    except OSError as e:
      raise errors.UserError("--%s_hosts: %s cannot listen on %s: %s" % (
          spec.job, spec.name, spec.address, e.strerror)) from e
    _servers[spec] = _Server(
        tf.train.ClusterSpec({cluster_spec.PS: list(spec.ps_hosts),
                              cluster_spec.WORKER: list(spec.worker_hosts)}),
        job_name=spec.job, task_index=spec.task)
    logging.info("This is the %s of a cluster, at %s.", spec.name, spec.address)
  return _servers[spec]


class _Server(tf.distribute.Server):
  """A server that does not try, in vain and with a warning, to stop."""

  def __del__(self):
    pass


def device(job, task):
  """The device of a process."""
  return "/job:%s/task:%d" % (job, task)


def session_config(spec, ps_tasks, timeout_secs=0):
  """What a session needs to know.

  Args:
    spec: A `ClusterSpec`.
    ps_tasks: The numbers of the parameter servers that the session uses.
    timeout_secs: How long an operation may take; 0: without end.

  Returns:
    A ConfigProto. A session waits for all processes that it may use, so it
    must not see the other workers, which come and go.
  """
  return tf.compat.v1.ConfigProto(
      device_filters=[device(spec.job, spec.task)] + [
          device(cluster_spec.PS, task) for task in ps_tasks],
      operation_timeout_in_ms=1000 * timeout_secs)


def status_variable(spec, ps_task):
  """An int32 variable `[workers]` on a parameter server: how each has ended."""
  with tf.device(device(cluster_spec.PS, ps_task)):
    return tf.compat.v1.Variable(
        tf.zeros([len(spec.worker_hosts)], tf.int32), trainable=False,
        collections=[], name="fivo_cluster_status_%d" % ps_task,
        use_resource=False)


def mark_variable():
  """An int64 scalar on parameter server 0, see `fingerprint`."""
  with tf.device(device(cluster_spec.PS, 0)):
    return tf.compat.v1.Variable(
        tf.constant(_BEING_RESTORED, tf.int64), trainable=False,
        collections=[], name="fivo_cluster_mark", use_resource=False)


def fingerprint(path):
  """A number that tells a checkpoint from others by its content.

  Args:
    path: A checkpoint's path without suffix, or None.

  Returns:
    An int from 0 to 2^63 - 1.
  """
  if path is None:
    return _NO_CHECKPOINT
  # The index has the checksums of all variables.
  with open(path + ".index", "rb") as stream:
    digest = hashlib.sha256(stream.read()).digest()
  return int.from_bytes(digest[:8], "big") >> 1


def report(spec, status):
  """Tells all parameter servers that answer how this worker has ended.

  Args:
    spec: A `ClusterSpec`.
    status: FINISHED or FAILED.
  """
  for task, address in enumerate(spec.ps_hosts):
    if not answers(address):
      continue
    with tf.Graph().as_default():
      update = tf.compat.v1.scatter_update(
          status_variable(spec, task), [spec.task], [status])
      try:
        with tf.compat.v1.Session(
            start_server(spec).target, config=session_config(
                spec, [task], _SECONDS_TO_REPORT)) as session:
          session.run(update)
      except tf.errors.OpError as e:
        logging.warning("Could not tell ps %d of the end (%s).", task,
                        type(e).__name__)


def answers(address):
  """Whether a process listens at an address, "host:port"."""
  try:
    with socket.create_connection(
        cluster_spec.split_address(address), _SECONDS_TO_CONNECT) as probe:
      # A port that nobody listens on may connect to itself.
      return probe.getsockname() != probe.getpeername()
  except OSError:
    return False


class Watch(threading.Thread):
  """Looks whether the processes that this one needs are there.

  Attributes:
    lost: None, or what to say when one has not answered for too long.
  """

  def __init__(self, addresses, timeout_secs):
    """Creates the watch; `start` starts it.

    Args:
      addresses: A dict from names to addresses.
      timeout_secs: How long a process may be away.
    """
    super().__init__(daemon=True)
    self._addresses = addresses
    self._timeout = timeout_secs
    self._stopped = threading.Event()
    self.lost = None

  def stop(self):
    """Ends the watch."""
    self._stopped.set()

  def check(self):
    """Raises a `UserError` if a process has been away for too long."""
    if self.lost:
      raise errors.UserError(self.lost)

  def run(self):
    """Looks again and again."""
    last_seen = dict.fromkeys(self._addresses, time.time())
    missing = set()
    while not self.lost and not self._stopped.wait(_SECONDS_BETWEEN_LOOKS):
      for name, address in self._addresses.items():
        if answers(address):
          last_seen[name] = time.time()
          if name in missing:
            missing.remove(name)
            logging.info("The %s at %s answers.", name, address)
        elif time.time() - last_seen[name] > self._timeout:
          self.lost = ("the %s at %s has not answered for %g seconds "
                       "(--cluster_timeout_secs)" % (
                           name, address, self._timeout))
        elif name not in missing and not self._stopped.is_set():
          missing.add(name)
          logging.info("The %s at %s does not answer; waiting for it.",
                       name, address)
    # The main thread may hang in a TensorFlow call that nothing interrupts.
    if self.lost and not self._stopped.wait(_SECONDS_TO_NOTICE):
      sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), self.lost))
      sys.stderr.flush()
      os._exit(1)


class Member(object):
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
    self.spec = cluster_spec.parse(config)
    self._config = config
    self._caught = caught
    self._last_common_step = config.max_steps - len(self.spec.worker_hosts) + 1
    self.stop_step = (config.max_steps if self.spec.is_chief else
                      self._last_common_step)
    self._is_alone = False
    self._global_step = tf.compat.v1.train.get_or_create_global_step()
    with tf.name_scope(None):
      self._status = status_variable(self.spec, 0)
      self._mark = mark_variable()
      self._new_mark = tf.compat.v1.placeholder(tf.int64, [])
      self._set_mark = self._mark.assign(self._new_mark).op
    self._failures = 0
    needed = {"ps %d" % task: address
              for task, address in enumerate(self.spec.ps_hosts)}
    if not self.spec.is_chief:
      needed[cluster_spec.CHIEF] = self.spec.worker_hosts[0]
    self._watch = Watch(needed, config.cluster_timeout_secs)

  def device(self):
    """Where ops go that need no other place: files are the chief's business."""
    return tf.device(device(self.spec.job, self.spec.task))

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
    first = min(self.spec.task * STEPS_OF_STAGGER, self.stop_step)
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

    Args:
      error: One of `preemptions`.
    """
    self._failures += 1
    if self._failures > _MAX_FAILURES:
      raise error
    logging.info("Lost the session, trying again (%s: %s).",
                 type(error).__name__, " ".join(error.message.split())[:200])
    time.sleep(1.)

  def leave(self, status):
    """Ends this process's part.

    Args:
      status: FINISHED; FAILED; or None for one that may come back.
    """
    self._watch.stop()
    if status is not None:
      report(self.spec, status)

  def on_saved(self, session, path):
    """Notes that the state is that of a checkpoint that was just written."""
    session.run(self._set_mark, {self._new_mark: fingerprint(path)})

  def on_status(self, status):
    """Raises what the chief's status calls for.

    Args:
      status: The value of the status variable, `[workers]`.

    Raises:
      TrainingOverError: If the chief has finished.
      UserError: If it has failed, or a process is away for too long.
    """
    if status[0] == FINISHED:
      raise TrainingOverError()
    if status[0] == FAILED:
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
              if task and not status[task] and answers(address)]
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
              if not answers(address)]
      if not away:
        return
      if is_over(self._config):
        raise TrainingOverError()
      self._pause("the parameter server at %s" % away[0])

  def prepare(self, session, scaffold):
    """Makes the variables ready, or waits until they are.

    Args:
      session: A Session.
      scaffold: A Scaffold, finalized.
    """
    if not self.spec.is_chief:
      while not self._is_ready(session, scaffold):
        self._pause("the chief to make the variables ready")
    else:
      path = checkpoints.to_resume(self._config.logdir)
      if (path is not None and self._is_ready(session, scaffold) and
          session.run(self._mark) == fingerprint(path)):
        logging.info("The parameter servers hold step %d, which comes from %s: "
                     "going on with it.", session.run(self._global_step), path)
      else:
        self._initialize(session, scaffold, path)
    session.run(scaffold.local_init_op)

  def _is_ready(self, session, scaffold):
    """Whether all variables have values that belong together."""
    try:
      return (session.run(self._mark) != _BEING_RESTORED and
              not session.run(scaffold.ready_op).size)
    except tf.errors.FailedPreconditionError:
      return False  # A parameter server that has only just started.

  def _initialize(self, session, scaffold, path):
    """Gives all variables the values of a checkpoint, or new ones."""
    session.run(self._set_mark, {self._new_mark: _BEING_RESTORED})
    if path is None:
      session.run(scaffold.init_op)
    else:
      scaffold.saver.restore(session, path)
    session.run(self._set_mark, {self._new_mark: fingerprint(path)})


def is_over(config):
  """Whether the logdir, if this process sees it, has the run's last step."""
  path = checkpoints.latest(config.logdir, warn=False)
  return path is not None and (
      checkpoints.step(path) >= config.max_steps or
      validation_record.stopped_step(config) is not None)


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
        start_server(spec).target,
        config=session_config(spec, range(len(spec.ps_hosts))))
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
