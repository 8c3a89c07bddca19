"""The TensorFlow server of a process of a cluster."""

import os
import socket

import tensorflow as tf

from fivo.config import cluster_spec
from fivo.system import errors
from fivo.system import log
from fivo.system import sessions

# TensorFlow 1.15 cannot stop a server, so those of this process stay.
_servers = {}


def start(spec):
  """The running `tf.distribute.Server` of a process, by its `ClusterSpec`."""
  if spec not in _servers:
    try:
      # TensorFlow's servers would share a port without an error.
      with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("", cluster_spec.split_address(spec.address)[1]))
    except OSError as e:
      raise errors.UserError("--%s_hosts: %s cannot listen on %s: %s" % (
          spec.job, spec.name, spec.address, e.strerror)) from e
    bypass_proxies(spec.ps_hosts + spec.worker_hosts)
    _servers[spec] = _Server(
        tf.train.ClusterSpec({cluster_spec.PS: list(spec.ps_hosts),
                              cluster_spec.WORKER: list(spec.worker_hosts)}),
        job_name=spec.job, task_index=spec.task, config=sessions.options())
    log.info("This is the %s of a cluster, at %s.", spec.name, spec.address)
  return _servers[spec]


class _Server(tf.distribute.Server):
  """A server that does not try to stop, which would fail with a warning."""

  def __del__(self):
    pass


def bypass_proxies(addresses):
  """Makes TensorFlow connect to addresses, "host:port", directly.

  With a proxy from http_proxy or https_proxy it would wait for ever.
  """
  hosts = {cluster_spec.split_address(address)[0] for address in addresses}
  before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
  listed = [host for host in before.split(",") if host]
  os.environ["no_proxy"] = ",".join(listed + sorted(hosts - set(listed)))
