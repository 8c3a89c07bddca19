"""Who is in a cluster, from flags or from the variable TF_CONFIG.

A cluster has two jobs: parameter servers ("ps"), which hold the variables, and
workers, which compute. Worker 0 is the chief: it writes the logdir.
"""

import collections
import json
import os
import re

from fivo.config import options
from fivo.system import errors

PS = "ps"
WORKER = "worker"
CHIEF = "chief"

VARIABLE = "TF_CONFIG"
_PROTOCOL = "grpc://"

_FLAGS = ("job_name", "ps_hosts", "worker_hosts")
# In ASCII: gRPC ends the process where an address is anything else.
_ADDRESS = re.compile(
    r"(?:\[[0-9a-fA-F:.]+\]|[^\s:/\[\],\x80-\U0010ffff]+):([0-9]{1,5})")
_MAX_PORT = 65535
_MAX_SHOWN = 300  # Of what may be of any length.


class ClusterSpec(collections.namedtuple("ClusterSpec", (
    "ps_hosts", "worker_hosts", "job", "task"))):
  """A cluster, and the place of this process in it.

  Attributes:
    ps_hosts: A tuple of the parameter servers' addresses, "host:port".
    worker_hosts: A tuple of the workers' addresses, the chief's first.
    job: PS or WORKER.
    task: The number of this process in its job.
  """

  __slots__ = ()

  @property
  def is_chief(self):
    """Whether this process writes the logdir."""
    return self.job == WORKER and self.task == 0

  @property
  def address(self):
    """Where this process listens."""
    return (self.ps_hosts if self.job == PS else self.worker_hosts)[self.task]

  @property
  def name(self):
    """What log lines call this process."""
    return name(self.job, self.task)


def name(job, task):
  """What log lines call a process: "chief", "worker 1", "ps 0"."""
  return CHIEF if (job, task) == (WORKER, 0) else "%s %d" % (job, task)


def parse(config, environ=None):
  """Finds out which cluster a process is in.

  Flags win over TF_CONFIG. What the latter calls the chief is worker 0 here,
  and its workers follow; where there is no chief its first worker is one.

  Args:
    config: A `Config`.
    environ: The environment variables. Defaults to those of this process.

  Returns:
    A `ClusterSpec`; None for a process on its own.

  Raises:
    UserError: Naming the flag or variable, its value, and what would be right.
  """
  if any(getattr(config, flag) for flag in _FLAGS):
    return _from_flags(config)
  value = (os.environ if environ is None else environ).get(VARIABLE)
  if not value or config.master or config.mode != "train":
    return None
  return _from_variable(value)


def apply(spec, config):
  """Writes a place in a cluster into a configuration.

  Args:
    spec: A `ClusterSpec`.
    config: A `Config`.

  Returns:
    A `Config`; `parse` finds `spec` in it.
  """
  return config._replace(
      cluster=spec, job_name=spec.job, task=spec.task,
      ps_tasks=len(spec.ps_hosts), ps_hosts=",".join(spec.ps_hosts),
      worker_hosts=",".join(spec.worker_hosts))


def split_address(address):
  """Splits a valid address.

  Args:
    address: A string, "host:port".

  Returns:
    The host, an IPv6 address without its brackets, and the port, an int.
  """
  host, _, port = address.rpartition(":")
  return host.strip("[]"), int(port)


def master_address(master):
  """The address of a TensorFlow server that the user runs.

  Args:
    master: The value of --master, which is not empty.

  Returns:
    A string, "host:port".

  Raises:
    UserError: If it is none that TensorFlow takes.
  """
  shown = "--master=%s" % master
  if not master.startswith(_PROTOCOL):
    raise errors.UserError("%s: must be %shost:port" % (shown, _PROTOCOL))
  address = master[len(_PROTOCOL):]
  _check_addresses(shown, [address])
  return address


def _from_flags(config):
  """The `ClusterSpec` of --job_name, --task, --ps_hosts and --worker_hosts."""
  given = [flag for flag in _FLAGS if getattr(config, flag)]
  shown = "--%s=%s" % (given[0], getattr(config, given[0]))
  if config.mode != "train":
    raise errors.UserError(
        "%s: only --mode=train runs in a cluster; --mode=%s needs no more than "
        "the logdir" % (shown, config.mode))
  for flag in _FLAGS:
    if not getattr(config, flag):
      raise errors.UserError(
          "%s: needs --%s too; a cluster's process has --job_name, --task, "
          "--ps_hosts and --worker_hosts" % (shown, flag))
  ps_hosts = _addresses("--ps_hosts", config.ps_hosts)
  worker_hosts = _addresses("--worker_hosts", config.worker_hosts)
  for address in worker_hosts:
    if address in ps_hosts:
      raise errors.UserError("--worker_hosts=%s: %s is in --ps_hosts too" % (
          config.worker_hosts, address))
  if config.job_name == CHIEF and config.task != 0:
    raise errors.UserError(
        "--task=%d: must be 0 for --job_name=chief, which is the first of "
        "--worker_hosts" % config.task)
  job = PS if config.job_name == PS else WORKER
  flag, hosts = (("ps_hosts", ps_hosts) if job == PS else
                 ("worker_hosts", worker_hosts))
  if config.task >= len(hosts):
    raise errors.UserError(
        "--task=%d: must be at most %d: --%s=%s has %d for --job_name=%s" % (
            config.task, len(hosts) - 1, flag, getattr(config, flag),
            len(hosts), config.job_name))
  return ClusterSpec(ps_hosts, worker_hosts, job, config.task)


def _addresses(flag, value):
  """Splits and checks the value of a flag that lists addresses."""
  addresses = tuple(part.strip() for part in value.split(","))
  _check_addresses("%s=%s" % (flag, value), addresses)
  return addresses


def _check_addresses(shown, addresses):
  """Refuses what is no address, or comes twice."""
  for address in addresses:
    match = _ADDRESS.fullmatch(address)
    if not match:
      raise errors.UserError("%s: '%s' must be host:port" % (shown, address))
    if not 1 <= int(match.group(1)) <= _MAX_PORT:
      raise errors.UserError("%s: the port of %s must be from 1 to %d" % (
          shown, address, _MAX_PORT))
  for address, count in collections.Counter(addresses).items():
    if count > 1:
      raise errors.UserError("%s: has %s twice" % (shown, address))


def _from_variable(value):
  """The `ClusterSpec` of a value of TF_CONFIG; None where there is no ps."""
  try:
    content = json.loads(value)
    jobs = dict(content.get("cluster") or {})
    task = dict(content.get("task") or {})
  except (AttributeError, RecursionError, TypeError, ValueError) as e:
    raise _refusal(
        value, 'must be a JSON object with "cluster" and "task": %s' % e) from e
  if not jobs:
    return _check_alone(value, content, task)
  _check_jobs(value, jobs)
  job, index = _task_of_variable(value, jobs, task)
  # "master" is the chief's older name.
  chiefs = jobs.get(CHIEF, []) + jobs.get("master", [])
  ps_hosts = tuple(jobs.get(PS, []))
  worker_hosts = tuple(chiefs + jobs.get(WORKER, []))
  if not ps_hosts and len(worker_hosts) == 1:
    return None
  if not ps_hosts or not worker_hosts:
    raise _refusal(value, 'needs the job "%s" too' % (
        WORKER if ps_hosts else PS))
  if job == WORKER:
    index += len(chiefs)
  return ClusterSpec(
      ps_hosts, worker_hosts, PS if job == PS else WORKER, index)


def _check_alone(value, content, task):
  """Refuses a TF_CONFIG without "cluster" of one of several processes."""
  if "sparseCluster" in content:
    raise _refusal(
        value, '"sparseCluster" does not say who is in the cluster; needs '
        '"cluster", which TFJob gives where enableDynamicWorker is not set')
  # Others name their only process so.
  if task and (task.get("type") not in (None, CHIEF, "master", WORKER) or
               task.get("index", 0) not in (0, "0", None)):
    raise _refusal(
        value, 'has a "task" in a cluster, but no "cluster" with the addresses '
        "of all processes")


def _refusal(value, complaint):
  """A `UserError` about a value of TF_CONFIG."""
  return errors.UserError("%s=%s: %s" % (
      VARIABLE, " ".join(value.split())[:_MAX_SHOWN], complaint))


def _check_jobs(value, jobs):
  """Refuses the cluster of a TF_CONFIG if its jobs or addresses are wrong."""
  addresses = []
  for job, hosts in sorted(jobs.items(), key=lambda item: str(item[0])):
    if job not in (CHIEF, "evaluator", "master", PS, WORKER):
      raise _refusal(value, 'the job "%s" must be chief, ps or worker' % job)
    if not isinstance(hosts, list) or not all(
        isinstance(host, str) for host in hosts):
      raise _refusal(value, 'the job "%s" must be a list of "host:port"' % job)
    addresses += hosts
  if len(jobs.get(CHIEF, []) + jobs.get("master", [])) > 1:
    raise _refusal(value, "must have one chief")
  _check_addresses(VARIABLE, addresses)


def _task_of_variable(value, jobs, task):
  """The job and the index of this process in a TF_CONFIG."""
  job, index = task.get("type"), task.get("index", 0)
  if job == "evaluator":
    raise _refusal(
        value, "an evaluator is no part of the cluster: give it --mode=eval "
        "--wait_for_checkpoint --eval_interval_secs=S")
  filled = sorted(key for key, hosts in jobs.items() if hosts)
  if job not in filled:
    raise _refusal(value, 'the task\'s type %s must be one of %s' % (
        json.dumps(job), ", ".join(filled)))
  if isinstance(index, str) and re.fullmatch("[0-9]{1,9}", index):
    index = int(index)  # Some write environment variables by templates.
  if not options.is_integer(index) or not (
      0 <= index < len(jobs[job])):
    raise _refusal(value, "the task's index %s must be from 0 to %d" % (
        json.dumps(index), len(jobs[job]) - 1))
  return job, index
