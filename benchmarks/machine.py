"""What a measurement was made on."""

import collections
import datetime
import os
import platform
import shlex
import sys

import pkg_resources

_PACKAGES = ("tensorflow", "dm-sonnet", "tensorflow-probability", "numpy")
# The beginnings of the names of variables that change speed.
_VARIABLES = ("OMP_", "MKL_", "KMP_", "XLA_", "TF_NUM_", "TF_XLA_",
              "TF_DISABLE_", "TF_ENABLE_")


def describe():
  """Describes this machine, its software and this call, in an ordered dict."""
  result = collections.OrderedDict([
      ("date", datetime.datetime.now().astimezone().isoformat("T", "seconds")),
      ("command", " ".join(map(shlex.quote, sys.argv))),
      ("processor", _processor()),
      ("cores", _num_cores()),
      ("system", platform.platform()),
      # Other processes that compete; a quiet machine is near 0 at the start.
      ("load", round(os.getloadavg()[0], 2)),
      ("python", platform.python_version()),
  ])
  installed = pkg_resources.working_set.by_key
  for package in _PACKAGES:
    result[package] = (installed[package].version if package in installed else
                       "not installed by pip")
  for name in sorted(os.environ):
    if name.startswith(_VARIABLES):
      result[name] = os.environ[name]
  return result


def summary():
  """The processor and how much of it there is, in a few words."""
  return "%s, cores: %d" % (_processor(), _num_cores())


def _processor():
  """The processor's name."""
  if os.path.exists("/proc/cpuinfo"):
    with open("/proc/cpuinfo") as stream:
      for line in stream:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
          return value.strip()
  return platform.processor() or platform.machine()


def _num_cores():
  """The number of cores that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count()
