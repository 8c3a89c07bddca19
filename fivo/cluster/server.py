"""The TensorFlow server of a process of a cluster."""

import os
import socket

import tensorflow as tf

from fivo.config import cluster_spec
from fivo.system import errors
from fivo.system import log
from fivo.system import sessions

_SEEDS_PER_WORKER = 1000003

# TensorFlow 1.15 cannot stop a server, so those of this process stay.
_servers = {}


def join(config):
  """Starts the server of a worker of a cluster; gives the worker's `Config`.

  Workers have random seeds of their own.
  """
  spec = config.cluster
  if spec is None:
    return config
  seed = config.random_seed
  if seed is not None and spec.task:
    seed = (seed + _SEEDS_PER_WORKER * spec.task) % 2 ** 63
  return config._replace(
      job_name=spec.job, task=spec.task, ps_tasks=len(spec.ps_hosts),
      master=start(spec).target, random_seed=seed)


def start(spec):
  """The running `tf.distribute.Server` of a process, by its `ClusterSpec`."""
  if spec not in _servers:
    name = cluster_spec.name(spec.job, spec.task)
    try:
      # TensorFlow's servers would share a port.
      with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", cluster_spec.split_address(spec.address)[1]))
    except OSError as e:
      raise errors.UserError("--%s_hosts: %s cannot listen on %s: %s" % (
          spec.job, name, spec.address, e.strerror)) from e
    bypass_proxies(spec.ps_hosts + spec.worker_hosts)
    _servers[spec] = _Server(
        tf.train.ClusterSpec({cluster_spec.PS: list(spec.ps_hosts),
                              cluster_spec.WORKER: list(spec.worker_hosts)}),
        job_name=spec.job, task_index=spec.task, config=sessions.options())
    log.info("This is the %s of a cluster, at %s.", name, spec.address)
  return _servers[spec]


class _Server(tf.distribute.Server):
  """A server that does not try, in vain and with a warning, to stop."""

  def __del__(self):
    pass


def bypass_proxies(addresses):
  """Has TensorFlow connect to addresses, "host:port", directly.

  A proxy that http_proxy or https_proxy names would let it wait for ever.
  """
  hosts = {cluster_spec.split_address(address)[0] for address in addresses}
  before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
  listed = [host for host in before.split(",") if host]
  os.environ["no_proxy"] = ",".join(listed + sorted(hosts - set(listed)))


def device(job, task):
  """The device of a process."""
  return "/job:%s/task:%d" % (job, task)
