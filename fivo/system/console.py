"""Flags of commands, and users' errors in one line."""

import contextlib
import functools
import os
import re
import signal
import sys

from absl import app
from absl import flags

from fivo.system import errors
from fivo.system import files

# The exit code of a command that Ctrl-C or a closed pipe ended.
_INTERRUPTED = 130

# Flags that this module defines for others count as theirs, in --help too.
flags.disclaim_key_flags()


class _PathParser(flags.ArgumentParser):
  """Parses the name of a file or directory."""

  syntactic_help = "a path on this machine, not a URL"
  parse = staticmethod(files.local_path)


def define_path(name, default, text):
  """Defines a flag that names a file or a directory, see `files.local_path`."""
  flags.DEFINE(_PathParser(), name, default, text)


def run_module(module):
  """Runs a module as a command and exits, see `startup`."""
  if hasattr(module, "define_flags"):
    module.define_flags()
  for flag in flags.FLAGS.get_key_flags_for_module(module.__name__):
    flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
  run_main(module.main)


def run_main(main):
  """Parses the flags, calls `main` with `argv`, and exits with what it returns.

  Log lines go to stderr without a prefix, unless `--showprefixforinfo` is set.
  An error that `errors.explain` explains is one line on stderr and exit code 1.
  Ctrl-C, SIGTERM or a closed pipe ends the command quietly with exit code 130
  or 143. Any other exception is a defect and keeps its stack trace.
  """
  signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
  flags.FLAGS.set_default("showprefixforinfo", False)
  with _explaining():
    app.run(functools.partial(_call_main, main), flags_parser=_parse_flags)


def _parse_flags(argv):
  """Parses absl's flags; returns the rest of `argv`."""
  try:
    return flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as error:
    _fail("unknown flag --%s%s" % (
        error.flagname, errors.did_you_mean(
            error.flagname, list(flags.FLAGS), "--")
        or "; --help lists all flags"))
  except flags.IllegalFlagValueError as error:
    _fail(_explain_illegal_value(error))
  except (flags.Error, ValueError) as error:
    _fail(error)
  except SystemExit:
    sys.stdout.flush()
    sys.exit(0)  # absl's --help exits with 1.


def _explain_illegal_value(error):
  """Says what a flag's value must be, unlike absl's message."""
  if "must have a value other than None" in str(error):
    return "%s is required" % ", ".join(re.findall(r"Flag (--\S+)", str(error)))
  reason = ": %s" % error.__context__
  found = re.match("flag (--([^=]+)=(.*))$", str(error)[:-len(reason)])
  if not found:
    return error
  assignment, name, value = found.groups()
  parser = flags.FLAGS[name].parser
  if isinstance(parser, flags.EnumParser):
    wanted = "one of %s%s" % (
        ", ".join(parser.enum_values),
        errors.did_you_mean(value, parser.enum_values))
  else:
    wanted = parser.syntactic_help or "true or false"
  return "%s: must be %s" % (assignment, wanted)


def _call_main(main, argv):
  """Calls `main`; returns the exit code."""
  if len(argv) > 1:
    _fail("unexpected argument '%s': flags are written --name=value" % argv[1])
  exit_code = main(argv)
  sys.stdout.flush()  # A closed pipe or a full disk may show only here.
  return exit_code


@contextlib.contextmanager
def _explaining():
  """Exits if the user is the cause of an exception."""
  try:
    yield
  except KeyboardInterrupt:
    sys.exit(_INTERRUPTED)
  except Exception as error:  # pylint: disable=broad-except
    line = errors.explain(error)
    if line is None:
      raise
    if isinstance(error, OSError):
      # At exit Python would flush the failing stdout once more.
      os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    if isinstance(error, BrokenPipeError):
      sys.exit(_INTERRUPTED)
    _fail(line)


def _fail(message):
  """Prints `message` in one line on stderr and exits with 1."""
  line = " ".join(str(message).splitlines())
  # A file name must not control the terminal.
  line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
  sys.exit("%s: %s" % (os.path.basename(sys.argv[0]), line))
