"""The first seconds of a command, in which it imports its packages.

Needs none of them itself, and no certain Python: a wrong one is to say so.
"""

import os
import signal
import sys
import traceback

_PYTHONS = ((3, 6), (3, 7))
_TENSORFLOW = "1.15"
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def begin_imports():
  """Has Ctrl-C end the process quietly, and a wrong Python with one line."""
  _replace_handler(signal.default_int_handler, _leave)
  sys.excepthook = _explain


def end_imports():
  """Ends what `begin_imports` began.

  Raises:
    SystemExit: If there is another TensorFlow.
  """
  _replace_handler(_leave, signal.default_int_handler)
  sys.excepthook = sys.__excepthook__
  if _has_other_tensorflow():
    sys.exit(_complaint(""))


def _replace_handler(before, after):
  """Has Ctrl-C do something else, if it does what it did `before`."""
  if signal.getsignal(signal.SIGINT) is before:
    try:
      signal.signal(signal.SIGINT, after)
    except ValueError:
      pass  # Not in the main thread.


def _leave(number, _):
  # An exception would be lost in some packages, and change others' words.
  os._exit(128 + number)


def _has_other_tensorflow():
  module = sys.modules.get("tensorflow")
  return module is not None and not _version(module).startswith(_TENSORFLOW)


def _version(module):
  return str(getattr(module, "__version__", "unknown"))


def _explain(kind, error, trace):
  """Writes one line where packages are to blame, else the stack trace."""
  if _is_of_packages(kind, error, trace):
    sys.stderr.write(_complaint("%s: %s" % (kind.__name__, error)) + "\n")
  else:
    sys.__excepthook__(kind, error, trace)


def _is_of_packages(kind, error, trace):
  """Returns whether an exception is due to packages that do not fit."""
  if not issubclass(kind, Exception):
    return False
  if sys.version_info[:2] not in _PYTHONS or _has_other_tensorflow():
    return True
  if issubclass(kind, ImportError):
    return not (getattr(error, "name", None) or "").startswith("fivo")
  file_name = traceback.extract_tb(trace)[-1][0]
  return not os.path.abspath(file_name).startswith(_PACKAGE)


def _complaint(reason):
  """One line: what is needed, what is there, and what to do."""
  found = "this is %s, %d.%d" % ((sys.executable,) + sys.version_info[:2])
  if _has_other_tensorflow():
    found += " with TensorFlow " + _version(sys.modules["tensorflow"])
  elif reason:
    found += " (%s)" % " ".join(reason.split())[:200]
  if os.environ.get("PYTHONPATH"):
    found += " and PYTHONPATH=" + os.environ["PYTHONPATH"]
  return ("%s: needs Python 3.7 with TensorFlow %s and the other packages of "
          "requirements.lock; %s; use the scripts in bin/, which install them, "
          "or then .venv/bin/python" % (
              os.path.basename(sys.argv[0]), _TENSORFLOW, found))
