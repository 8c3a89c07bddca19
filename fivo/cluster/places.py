"""The place of a process that trains: alone, or as the member of a cluster."""

import abc

import tensorflow as tf

from fivo.cluster import servers
from fivo.cluster import watch
from fivo.system import sessions


class Place(abc.ABC):
  """How a process opens its sessions, and what it heeds between steps.

  Attributes:
    stop_step: The global step at which this process ends.
    preemptions: A tuple of the errors of a session that `recover` may get over.
    on_saved: None, or a callable of the Session and the path of each checkpoint
      that was saved.
  """

  stop_step = None
  preemptions = ()
  on_saved = None

  def device(self):
    """Where ops go that need no other place."""
    return tf.device(None)

  @abc.abstractmethod
  def open(self, scaffold, hooks):
    """Opens a session.

    Args:
      scaffold: A Scaffold.
      hooks: A list of SessionRunHooks.

    Returns:
      A session like a MonitoredSession, which raises `preemptions`.
    """

  def before_first_step(self, unused_session, step):
    """Waits until the first step may be taken; gives the global step then."""
    return step

  def after_step(self, unused_session, step):
    """Waits until the next step may be taken; gives the global step then."""
    return step

  def recover(self, error):
    """Gets over one of `preemptions`, or raises it."""
    raise error

  def leave(self, status):  # noqa: B027
    """Ends this process's part, with a status of `state.py` or None."""


class Alone(Place):
  """The place of a process that trains alone, or with servers of the user's."""

  def __init__(self, config, path, caught):
    """Creates the place.

    Args:
      config: A `Config`.
      path: The checkpoint to resume from, or None.
      caught: A list that receives the numbers of signals.
    """
    self._config = config
    self._path = path
    self._caught = caught
    self.stop_step = config.max_steps

  def open(self, scaffold, hooks):
    """Opens a MonitoredSession."""
    config = self._config
    if config.master:
      watch.wait_for_master(config, self._caught)
    if config.task == 0:
      creator = tf.compat.v1.train.ChiefSessionCreator(
          scaffold, master=config.master, config=sessions.options(),
          checkpoint_filename_with_path=self._path)
    else:
      creator = tf.compat.v1.train.WorkerSessionCreator(
          scaffold, master=config.master, config=sessions.options())
      if config.stagger_workers:
        hooks = hooks + [tf.compat.v1.train.GlobalStepWaiterHook(
            config.task * servers.STEPS_OF_STAGGER)]
    return tf.compat.v1.train.MonitoredSession(creator, hooks=hooks)
