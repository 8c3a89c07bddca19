"""The knowledge that the processes of a cluster share.

They read it where the variables are, on the parameter servers, from variables
that no checkpoint has:

* `status`, one on each parameter server: how each worker has ended.
* `mark`, on parameter server 0: which checkpoint the state there comes from.
* `traits`, on parameter server 0: what the chief's model is.

The newest checkpoint is the truth. A chief that starts, or finds a parameter
server new, restores it everywhere; only where the mark says that the state on
all parameter servers comes from just this checkpoint does training go on with
that state, and a chief's death costs no steps.
"""

import hashlib

from absl import logging
import tensorflow as tf

from fivo.cluster import servers as cluster
from fivo.cluster import watch as cluster_watch
from fivo.config import cluster_spec
from fivo.config import config as config_lib
from fivo.logdir import checkpoints
from fivo.logdir import validation_record
from fivo.system import errors

# How a worker has ended.
FINISHED = 1
FAILED = 2

# What the mark says where there is no checkpoint, or the state is of no use.
NO_CHECKPOINT = 0
BEING_RESTORED = -1

_SECONDS_TO_REPORT = 5


def status_variable(spec, ps_task):
  """An int32 variable `[workers]` on a parameter server: how each has ended."""
  with tf.device(cluster.device(cluster_spec.PS, ps_task)):
    return tf.compat.v1.Variable(
        tf.zeros([len(spec.worker_hosts)], tf.int32), trainable=False,
        collections=[], name="fivo_cluster_status_%d" % ps_task,
        use_resource=False)


def mark_variable():
  """An int64 scalar on parameter server 0, see `fingerprint`."""
  with tf.device(cluster.device(cluster_spec.PS, 0)):
    return tf.compat.v1.Variable(
        tf.constant(BEING_RESTORED, tf.int64), trainable=False,
        collections=[], name="fivo_cluster_mark", use_resource=False)


def fingerprint(path):
  """A number that tells a checkpoint from others by its content.

  Args:
    path: A checkpoint's path without suffix, or None.

  Returns:
    An int from 0 to 2^63 - 1.
  """
  if path is None:
    return NO_CHECKPOINT
  # The index has the checksums of all variables.
  with open(path + ".index", "rb") as stream:
    return _hash(stream.read())


def _hash(data):
  """An int from 0 to 2^63 - 1 that tells bytes from others."""
  return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") >> 1


def traits(config):
  """One number for each option that defines the model.

  Args:
    config: A `Config`.

  Returns:
    A list of ints from 0 to 2^63 - 1.
  """
  return [_hash(repr(value).encode("utf-8"))
          for _, value in config_lib.model_options(config)]


def traits_variable(config):
  """An int64 variable on parameter server 0: the chief's `traits`."""
  with tf.device(cluster.device(cluster_spec.PS, 0)):
    return tf.compat.v1.Variable(
        tf.zeros([len(traits(config))], tf.int64), trainable=False,
        collections=[], name="fivo_cluster_traits", use_resource=False)


def check_traits(config, traits_of_chief):
  """Refuses to train another model than the chief.

  Args:
    config: A `Config`.
    traits_of_chief: The value of the variable.

  Raises:
    UserError: Naming the first option that differs.
  """
  for (name, value), own, chiefs in zip(
      config_lib.model_options(config), traits(config), traits_of_chief):
    if own != chiefs:
      raise errors.UserError(
          "--%s=%s: the chief has another, which defines its model; give the "
          "same flags to all processes of a cluster" % (name, value))


def report(spec, status):
  """Tells all parameter servers that answer how this worker has ended.

  Args:
    spec: A `ClusterSpec`.
    status: FINISHED or FAILED.
  """
  for task, address in enumerate(spec.ps_hosts):
    if not cluster_watch.answers(address):
      continue
    with tf.Graph().as_default():
      update = tf.compat.v1.scatter_update(
          status_variable(spec, task), [spec.task], [status])
      try:
        with tf.compat.v1.Session(
            cluster.start_server(spec).target, config=cluster.session_config(
                spec, [task], _SECONDS_TO_REPORT)) as session:
          session.run(update)
      except tf.errors.OpError as e:
        logging.warning("Could not tell ps %d of the end (%s).", task,
                        type(e).__name__)


def is_over(config):
  """Returns whether the logdir, if seen from here, has the run's last step."""
  path = checkpoints.latest(config.logdir, warn=False)
  return path is not None and (
      checkpoints.step(path) >= config.max_steps or
      validation_record.stopped_step(
          config.logdir, config.measure,
          config.early_stop_patience) is not None)
