"""The packages that rendering needs, which not everybody has."""

import importlib.util

from fivo.system import errors


def missing():
  """The names of those that are not installed; loads none of them."""
  return [name for name in ("matplotlib", "mido")
          if importlib.util.find_spec(name) is None]


def check(flag):
  """Refuses a flag that asks to render where the packages are missing."""
  if missing():
    raise errors.UserError(
        "--%s: needs %s; install with: pip install 'fivo[render]', or leave "
        "the flag out" % (flag, " and ".join(missing())))
