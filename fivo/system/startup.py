"""Starting a command: it imports its packages, parses flags, and runs.

A command is a module with a function `main` of `argv`, the program's name only,
and optionally `define_flags`. It begins like `logdir/export_model.py`. This
module needs no package itself, so that it can say which ones are missing.
"""

import contextlib
import importlib
import os
import signal
import sys
import traceback

_PYTHONS = ((3, 6), (3, 7))
_TENSORFLOW = "1.15"
_ROOT = os.path.realpath(os.path.join(__file__, "../../.."))


def run(path):
  """Runs the command whose module is in the file `path`, and exits."""
  for name in ("stdin", "stdout", "stderr"):
    if getattr(sys, name) is None:  # Closed: other files would take its number.
      setattr(sys, name, open(os.devnull, "r+"))
  # TensorFlow's notes about the processor are noise; 0 would show them.
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
  name = os.path.relpath(os.path.realpath(path), _ROOT)[:-len(".py")]
  with importing():
    from fivo.system import console
    module = importlib.import_module(name.replace(os.sep, "."))
  console.run_module(module)


@contextlib.contextmanager
def importing():
  """Lets Ctrl-C end the process quietly while packages are imported.

  It exits with one line if Python or its packages are not the right ones.
  """
  is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
  if is_default:
    # Some packages would swallow an exception.
    signal.signal(signal.SIGINT, lambda number, _: os._exit(128 + number))
  reason = ""
  try:
    yield
  except Exception as error:  # pylint: disable=broad-except
    if not _is_of_packages(error):
      raise
    reason = "%s: %s" % (type(error).__name__, error)
  finally:
    if is_default:
      signal.signal(signal.SIGINT, signal.default_int_handler)
  if reason or _other_tensorflow():
    sys.exit(_complaint(reason))


def _other_tensorflow():
  """The version of a TensorFlow that is not the right one, or ""."""
  module = sys.modules.get("tensorflow")
  version = str(getattr(module, "__version__", "unknown"))
  return "" if not module or version.startswith(_TENSORFLOW) else version


def _is_of_packages(error):
  """True if an exception is due to packages, not to this project."""
  if sys.version_info[:2] not in _PYTHONS or _other_tensorflow():
    return True
  if isinstance(error, ImportError):
    return not (error.name or "").startswith("fivo")
  file_name = traceback.extract_tb(error.__traceback__)[-1][0]
  return not os.path.realpath(file_name).startswith(
      os.path.join(_ROOT, "fivo") + os.sep)


def _complaint(reason):
  """One line: what is needed, what is installed, and what to do."""
  found = "this is %s, %d.%d" % ((sys.executable,) + sys.version_info[:2])
  if _other_tensorflow():
    found += " with TensorFlow " + _other_tensorflow()
  elif reason:
    found += " (%s)" % " ".join(reason.split())[:200]
  if os.environ.get("PYTHONPATH"):
    found += " and PYTHONPATH=" + os.environ["PYTHONPATH"]
  return ("%s: needs Python 3.7 with TensorFlow %s and the other packages of "
          "requirements.lock; %s; use the scripts in bin/, which install them, "
          "or then .venv/bin/python" % (
              os.path.basename(sys.argv[0]), _TENSORFLOW, found))
