"""The packages that rendering needs, which not everybody has."""

import importlib.util
import sys

from fivo.system import errors

_PACKAGES = ("matplotlib", "mido")


def check(flag):
  """Refuses to render without the packages; loads neither of them.

  Args:
    flag: The flag that asks for it.

  Raises:
    UserError: If one is not installed.
  """
  missing = [name for name in _PACKAGES if not _is_installed(name)]
  if missing:
    raise errors.UserError(
        "--%s: needs %s; install with: pip install 'fivo[render]', or leave "
        "the flag out" % (flag, " and ".join(missing)))


def is_installed():
  """Tells if all packages of the extra are there."""
  return all(map(_is_installed, _PACKAGES))


def _is_installed(name):
  if name in sys.modules:
    return sys.modules[name] is not None
  return importlib.util.find_spec(name) is not None
