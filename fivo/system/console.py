"""The frame of every command: flags, log lines, and one-line errors."""

import functools
import os
import re
import signal
import sys
import time

from absl import app
from absl import flags

from fivo.system import files
from fivo.system import startup
from fivo.system.errors import did_you_mean
from fivo.system.errors import EXPECTED_ERRNOS
from fivo.system.errors import naming_flag
from fivo.system.errors import UserError

# What 128 + SIGINT makes; nothing went wrong that needs words.
_INTERRUPTED = 130

_SECONDS_TO_CLEAN = 1.
# When a signal has made this process exit.
_exits = []

# absl's own flags that name files.
_PATHS = ("log_dir", "profile_file")

# The flags that this module defines for others are theirs, in --help too.
flags.disclaim_key_flags()


class _PathParser(flags.ArgumentParser):
  """Parses what somebody calls a file or directory."""

  syntactic_help = "a path on this machine, not a URL"

  def parse(self, argument):
    return files.local_path(argument)


def define_path(name, default, text):
  """Defines a flag that names a file or a directory, see `files.local_path`."""
  flags.DEFINE(_PathParser(), name, default, text)


def run_main(main, flags_parser=None, is_interruptible=True):
  """Parses the flags, runs a command, and exits.

  Log lines go to stderr, from INFO on and without a prefix; absl's flags
  `--verbosity` and `--showprefixforinfo` change that.

  A mistake of the user, whether in a flag or found later (`UserError`, or an
  OSError such as a full disk), becomes one line on stderr and exit code 1. An
  interrupt or a closed pipe ends the command quietly, with exit code 130. Any
  other exception is a defect and keeps its stack trace.

  Args:
    main: A function of `argv`, which holds no more than the program's name. Its
      return value becomes the exit code; None is 0.
    flags_parser: A function that parses a list of arguments and returns those
      that are left over. Defaults to `parse_flags`.
    is_interruptible: Whether to `exit_on_signals`.

  Raises:
    SystemExit: Always, unless `main` raises an exception that is a defect.
  """
  startup.end_imports()
  _open_streams()
  if is_interruptible:
    exit_on_signals()
  flags.FLAGS.set_default("showprefixforinfo", False)
  app.run(functools.partial(_run_guarded, main),
          flags_parser=flags_parser or parse_flags)


def _open_streams():
  """Opens /dev/null where the caller has closed a stream, as `>&-` does.

  Else the next file that is opened would take its place.
  """
  descriptor = 0
  while descriptor <= 2:
    descriptor = os.open(os.devnull, os.O_RDWR)
  os.close(descriptor)
  for name in ("stdout", "stderr"):
    if getattr(sys, name) is None:
      setattr(sys, name, open(os.devnull, "w"))


def exit_on_signals():
  """Has SIGTERM and SIGHUP raise SystemExit, to remove temporary files.

  They do so once Python code runs again, after a call of TensorFlow's say.
  """
  for number in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_DFL:  # nohup ignores one.
      signal.signal(number, _exit_on_signal)


def _exit_on_signal(number, unused_frame):
  """Exits, but once: `timeout` sends two, and to clean up takes a while."""
  now = time.monotonic()
  if not _exits or now - _exits[-1] > _SECONDS_TO_CLEAN:
    _exits.append(now)
    sys.exit(128 + number)


def parse_flags(argv):
  """Parses absl's flags; a mistake in them becomes one line.

  Args:
    argv: The program's name and its arguments.

  Returns:
    What is left of `argv`.

  Raises:
    SystemExit: With 1 if a flag is unknown or its value wrong; with 0 after
      `--help`.
  """
  try:
    rest = flags.FLAGS(argv)
    for name in _PATHS:
      if name in flags.FLAGS and flags.FLAGS[name].value:
        with naming_flag(name):
          flags.FLAGS[name].value = files.local_path(flags.FLAGS[name].value)
    return rest
  except flags.UnrecognizedFlagError as error:
    _fail("unknown flag --%s%s" % (
        error.flagname, did_you_mean(error.flagname, list(flags.FLAGS), "--")
        or "; --help lists all flags"))
  except flags.IllegalFlagValueError as error:
    _fail(_explain_illegal_value(error))
  except flags.CantOpenFlagFileError as error:
    cause = error.__context__
    _fail("--flagfile=%s: %s; must be a file of flags" % (
        cause.filename, cause.strerror))
  except UnicodeDecodeError:
    _fail("--flagfile: must be a file of flags in UTF-8")
  except (flags.Error, ValueError) as error:
    # absl lets a ValueError of two of its own flags pass, and of --noflag=x.
    _fail(error)
  except SystemExit:
    # Only the help flags exit, as if asking for help were a mistake.
    sys.exit(0)


def _explain_illegal_value(error):
  """Says what a flag's value must be, where absl says how parsing failed.

  Args:
    error: An IllegalFlagValueError.

  Returns:
    One line.
  """
  message = str(error)
  reason = ": %s" % error.__context__
  found = re.match("flag --([^=]+)=", message)
  if not found or not message.endswith(reason):
    return message
  name, value = found.group(1), message[found.end():-len(reason)]
  parser = flags.FLAGS[name].parser
  if isinstance(parser, flags.EnumParser):
    wanted = "one of %s%s" % (", ".join(parser.enum_values),
                              did_you_mean(value, parser.enum_values))
  elif isinstance(parser, flags.BooleanParser):
    wanted = "true or false"
  else:
    wanted = parser.syntactic_help
  return "--%s=%s: must be %s" % (name, value, wanted) if wanted else message


def _run_guarded(main, argv):
  """Runs `main` and turns the exceptions that users cause into exits."""
  try:
    if len(argv) > 1:
      raise UserError("unexpected argument '%s': flags are written "
                      "--name=value" % argv[1])
    exit_code = main(argv)
    # A closed pipe or a full disk may show only here.
    sys.stdout.flush()
    return exit_code
  except UserError as error:
    _fail(error)
  except MemoryError as error:
    _fail("out of memory%s" % (": %s" % error if str(error) else ""))
  except KeyboardInterrupt:
    sys.exit(_INTERRUPTED)
  except BrokenPipeError:
    _discard_output()
    sys.exit(_INTERRUPTED)
  except OSError as error:
    if error.errno not in EXPECTED_ERRNOS:
      raise
    _discard_output()
    _fail(error.strerror if error.filename is None else
          "%s: %s" % (error.filename, error.strerror))


def _fail(message):
  """Prints `message` in one line on stderr and exits with 1."""
  line = " ".join(str(message).splitlines())
  # A file's name must not steer the terminal.
  line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
  sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), line))
  sys.exit(1)


def _discard_output():
  """Keeps Python from flushing a stdout that fails once more as it exits."""
  devnull = os.open(os.devnull, os.O_WRONLY)
  os.dup2(devnull, 1)
  os.close(devnull)
