"""The processes of a cluster, from flags or from the variable TF_CONFIG.

A cluster has two jobs: parameter servers ("ps"), which hold the variables, and
workers, which compute. Worker 0 is the chief: it writes the logdir.
"""

import collections
import json
import os
import re

from fivo.system import errors

PS = "ps"
WORKER = "worker"
CHIEF = "chief"

_FLAGS = ("job_name", "ps_hosts", "worker_hosts")
_CHIEFS = (CHIEF, "master")  # The second is the older name.
_EVALUATOR = "evaluator"
# In ASCII: gRPC ends the process if an address is anything else.
_ADDRESS = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/\[\],\x80-\U0010ffff]+):([0-9]{1,5})")
_MAX_PORT = 65535
_MAX_SHOWN = 300  # Characters of a value of TF_CONFIG in a message.


class ClusterSpec(collections.namedtuple("ClusterSpec", (
    "ps_hosts", "worker_hosts", "job", "task"))):
  """A cluster, and the place of this process in it: number `task` of a job.

  The job is PS or WORKER; hosts are tuples of addresses "host:port".
  """

  __slots__ = ()

  @property
  def name(self):
    """The name of this process in log lines."""
    return name(self.job, self.task)

  @property
  def device(self):
    """The name of this process for TensorFlow."""
    return device(self.job, self.task)

  @property
  def address(self):
    """Where this process listens."""
    return (self.ps_hosts if self.job == PS else self.worker_hosts)[self.task]

  @property
  def needed(self):
    """A dict from names to addresses of the processes that this one needs."""
    addresses = {}
    if self.job == WORKER:
      addresses = {name(PS, task): address
                   for task, address in enumerate(self.ps_hosts)}
    if (self.job, self.task) != (WORKER, 0):
      addresses[CHIEF] = self.worker_hosts[0]
    return addresses


def name(job, task):
  """The name of a process in log lines: "chief", "worker 1", "ps 0"."""
  return CHIEF if (job, task) == (WORKER, 0) else "%s %d" % (job, task)


def device(job, task):
  """The name of a process for TensorFlow."""
  return "/job:%s/task:%d" % (job, task)


def parse(config):
  """The `ClusterSpec` of a `Config`'s process; None for a single process.

  Flags win over TF_CONFIG, whose chief, if any, comes before its workers. A
  UserError names the flag or variable that is wrong.
  """
  if any(getattr(config, flag) for flag in _FLAGS):
    return _from_flags(config)
  value = os.environ.get("TF_CONFIG")
  if not value or config.master or config.mode != "train":
    return None
  try:
    return _from_variable(value)
  except errors.UserError as e:
    raise errors.UserError("TF_CONFIG=%s: %s" % (
        " ".join(value.split())[:_MAX_SHOWN], e)) from e


def split_address(address):
  """The host, without brackets, and the port, an int, of "host:port"."""
  host, _, port = address.rpartition(":")
  return host.strip("[]"), int(port)


def master_address(master):
  """The address, "host:port", of the server that --master=grpc://... names."""
  protocol, _, address = master.partition("://")
  if protocol != "grpc":
    raise errors.UserError("--master=%s: must be grpc://host:port" % master)
  _check_addresses("--master=%s" % master, [address])
  return address


def _from_flags(config):
  """The `ClusterSpec` of --job_name, --task, --ps_hosts and --worker_hosts."""
  given = [flag for flag in _FLAGS if getattr(config, flag)]
  shown = "--%s=%s" % (given[0], getattr(config, given[0]))
  if config.mode != "train":
    raise errors.UserError(
        "%s: only --mode=train runs in a cluster; --mode=%s needs only the "
        "logdir" % (shown, config.mode))
  for flag in _FLAGS:
    if flag not in given:
      raise errors.UserError(
          "%s: needs --%s too; a cluster's process has --job_name, --task, "
          "--ps_hosts and --worker_hosts" % (shown, flag))
  hosts = {}
  for job, value in ((PS, config.ps_hosts), (WORKER, config.worker_hosts)):
    hosts[job] = tuple(part.strip() for part in value.split(","))
    _check_addresses("--%s_hosts=%s" % (job, value), hosts[job])
  _check_addresses("--ps_hosts and --worker_hosts", sum(hosts.values(), ()))
  job = PS if config.job_name == PS else WORKER
  last = 0 if config.job_name == CHIEF else len(hosts[job]) - 1
  if config.task > last:
    raise errors.UserError(
        "--task=%d: must be at most %d for --job_name=%s and --%s_hosts=%s" % (
            config.task, last, config.job_name, job, ",".join(hosts[job])))
  return ClusterSpec(hosts[PS], hosts[WORKER], job, config.task)


def _check_addresses(shown, addresses):
  """Refuses invalid addresses and duplicates."""
  for address in addresses:
    match = _ADDRESS.fullmatch(address)
    if not match:
      raise errors.UserError("%s: '%s' must be host:port" % (shown, address))
    if not 1 <= int(match.group(1)) <= _MAX_PORT:
      raise errors.UserError("%s: the port of %s must be from 1 to %d" % (
          shown, address, _MAX_PORT))
    if addresses.count(address) > 1:
      raise errors.UserError("%s: has %s twice" % (shown, address))


def _from_variable(value):
  """The `ClusterSpec` of a value of TF_CONFIG; None for a single process."""
  try:
    content = json.loads(value)
    jobs = {job: [str(host) for host in hosts] for job, hosts in (
        content.get("cluster") or {}).items() if hosts}
    task = content.get("task") or {}
    # Templates of environment variables may put it in quotes.
    job, index = task.get("type"), int(task.get("index") or 0)
  except (ArithmeticError, AttributeError, RecursionError, TypeError,
          ValueError) as e:
    raise errors.UserError(
        'must be a JSON object with "cluster" and "task": %s' % e) from e
  if "sparseCluster" in content:
    raise errors.UserError(
        '"sparseCluster" does not say who is in the cluster; needs '
        '"cluster", which TFJob gives where enableDynamicWorker is not set')
  if not jobs:
    if job in (None, WORKER) + _CHIEFS and index == 0:
      return None  # Some name their only process like this.
    raise errors.UserError(
        'has a "task" in a cluster, but no "cluster" with the addresses of all '
        "processes")
  if job == _EVALUATOR:
    raise errors.UserError(
        "an evaluator is not part of the cluster: give it --mode=eval "
        "--wait_for_checkpoint --eval_interval_secs=S")
  _check_jobs(jobs, job, index)
  chiefs = sum((jobs.get(name_, []) for name_ in _CHIEFS), [])
  workers = chiefs + jobs.get(WORKER, [])
  if len(workers) == 1 and PS not in jobs:
    return None
  if not workers or PS not in jobs:
    raise errors.UserError('needs the job "%s" too' % (
        PS if workers else WORKER))
  return ClusterSpec(
      tuple(jobs[PS]), tuple(workers), PS if job == PS else WORKER,
      index + (len(chiefs) if job == WORKER else 0))


def _check_jobs(jobs, job, index):
  """Refuses a cluster of a TF_CONFIG, and a task that is not in it."""
  for unknown in set(jobs) - {_EVALUATOR, PS, WORKER, *_CHIEFS}:
    raise errors.UserError('the job "%s" must be chief, ps or worker' % unknown)
  _check_addresses('"cluster"', sum(jobs.values(), []))
  if job not in list(jobs):
    raise errors.UserError("the task's type %s must be one of %s" % (
        json.dumps(job), ", ".join(sorted(jobs))))
  if not 0 <= index < len(jobs[job]):
    raise errors.UserError("the task's index %d must be from 0 to %d" % (
        index, len(jobs[job]) - 1))
