"""A training process, alone or in a cluster, and how it reaches the others."""

import tensorflow as tf

from fivo.cluster import server
from fivo.cluster import session
from fivo.cluster import supervision
from fivo.config import cluster_spec

# If workers are staggered, worker k waits for step k times this number.
_STEPS_OF_STAGGER = 1000


class Process(object):
  """A training process: worker `task`, where worker 0 is the chief.

  With a `ClusterSpec` it starts its server. Otherwise `master` may name a
  server that the user runs, "grpc://host:port", with `num_ps` servers.
  """

  def __init__(self, spec=None, master="", task=0, num_ps=0, timeout_secs=60.):
    self.spec = spec
    self.task = spec.task if spec else task
    self.target = server.start(spec).target if spec else master
    self._num_ps = len(spec.ps_hosts) if spec else num_ps
    self._timeout_secs = timeout_secs
    self._needed = spec.needed if spec else {}
    if master:
      address = cluster_spec.master_address(master)
      server.bypass_proxies([address])
      self._needed = {"server of --master": address}

  @property
  def is_chief(self):
    """True if this process writes the logdir."""
    return self.task == 0

  @property
  def feeds_server(self):
    """True if another process, which has no Python, computes the graph."""
    return bool(self.target) and not self.spec

  @property
  def device(self):
    """The device of ops that must stay in this process; None for any."""
    return self.spec and self.spec.device

  @property
  def session_config(self):
    """The ConfigProto of a training session."""
    return session.options(self.spec)

  def placing_variables(self):
    """Places variables on the parameter servers, if there are any."""
    return tf.device(tf.compat.v1.train.replica_device_setter(
        ps_tasks=self._num_ps, worker_device=self.device or "/job:worker"))

  def supervised(self):
    """In a `with` block, ends this process if one that it needs is gone."""
    return supervision.supervise(self._needed, self._timeout_secs)

  def hooks(self, max_steps, is_staggered, caught):
    """Session hooks for a process that trains with others."""
    first_step = self.task * _STEPS_OF_STAGGER if is_staggered else 0
    if self.spec and self.is_chief:
      return [session.ChiefHook(self._num_ps, caught)]
    if self.spec:
      return [session.WorkerHook(min(first_step, max_steps), caught)]
    if first_step:
      return [tf.compat.v1.train.GlobalStepWaiterHook(first_step)]
    return []
