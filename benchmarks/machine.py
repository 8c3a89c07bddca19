"""What a measurement was made on."""

import collections
import datetime
import os
import platform
import re
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
  for package in _PACKAGES:
    result[package] = pkg_resources.get_distribution(package).version
  result.update((name, value) for name, value in sorted(os.environ.items())
                if name.startswith(_VARIABLES))
  return result


def summary():
  """The processor and how much of it there is, in a few words."""
  return "%s, cores: %d" % (_processor(), _num_cores())


def _processor():
  if os.path.exists("/proc/cpuinfo"):
    with open("/proc/cpuinfo") as stream:
      found = re.search(r"model name\s*: (.*)", stream.read())
    if found:
      return found.group(1)
  return platform.processor() or platform.machine()


def _num_cores():
  """The number of cores that this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count()
