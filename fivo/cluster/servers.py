"""A process's place in a cluster: its server, and what it may see of others.

The variables live on the parameter servers, and the newest checkpoint is the
truth. `state.py` says what else lies on the parameter servers, `watch.py` finds
out who is gone, and `member.py` is a chief or a worker as it trains.
"""

import socket

from absl import logging
import tensorflow as tf

from fivo.cluster import watch as cluster_watch
from fivo.config import cluster_spec
from fivo.system import errors
from fivo.system import sessions

# Worker k waits for step k times this many, where workers are staggered.
STEPS_OF_STAGGER = 1000

_SEEDS_PER_WORKER = 1000003

# TensorFlow 1.15 cannot stop a server, so those of this process stay.
_servers = {}


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
  spec = config.cluster
  if spec is None:
    return config
  if spec.job == cluster_spec.PS:
    raise errors.UserError(
        "--job_name=ps: a parameter server does not train; run_fivo.py or "
        "fivo.cluster.parameter_server.serve makes it serve")
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
    cluster_watch.bypass_proxies(spec.ps_hosts + spec.worker_hosts)
    _servers[spec] = _Server(
        tf.train.ClusterSpec({cluster_spec.PS: list(spec.ps_hosts),
                              cluster_spec.WORKER: list(spec.worker_hosts)}),
        job_name=spec.job, task_index=spec.task, config=sessions.options())
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
  """Configures a session of a process of the cluster.

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
