"""What a measurement was made on."""

import collections
import datetime
import os
import platform
import shlex
import sys

import pkg_resources

_PACKAGES = ("tensorflow", "dm-sonnet", "tensorflow-probability", "numpy")
# The beginnings of the names of those variables that change speed.
_VARIABLES = ("OMP_", "MKL_", "KMP_", "XLA_", "TF_NUM_", "TF_XLA_",
              "TF_DISABLE_", "TF_ENABLE_")


def describe(argv):
  """Describes this machine, its software and this call.

  Args:
    argv: The command line.

  Returns:
    An ordered dict of strings and numbers.
  """
  result = collections.OrderedDict([
      ("date", datetime.datetime.now().astimezone().isoformat("T", "seconds")),
      ("command", " ".join(map(shlex.quote, argv))),
      ("processor", _processor()),
      ("cores", _num_cores()),
      ("system", platform.platform()),
      # Other processes that compete; a quiet machine is near 0 at the start.
      ("load", round(os.getloadavg()[0], 2)),
      ("python", platform.python_version()),
  ])
  for package in _PACKAGES:
    result[package] = _version(package)
  for name in sorted(os.environ):
    if name.startswith(_VARIABLES):
      result[name] = os.environ[name]
  return result


def summary():
  """The processor and how much of it there is, in a few words."""
  return "%s, cores: %d" % (_processor(), _num_cores())


def to_markdown(description):
  """A description in lines."""
  return "".join("* %s: %s\n" % item for item in description.items())


def _processor():
  """The processor's name."""
  try:
    with open("/proc/cpuinfo") as stream:
      for line in stream:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
          return value.strip()
  except OSError:
    pass  # No Linux.
  return platform.processor() or platform.machine()


def _num_cores():
  """How many cores this process may use."""
  if hasattr(os, "sched_getaffinity"):
    return len(os.sched_getaffinity(0))
  return os.cpu_count()


def _version(package):
  try:
    return pkg_resources.get_distribution(package).version
  except pkg_resources.DistributionNotFound:
    return "of no package that pip knows; Python is %s" % sys.executable
