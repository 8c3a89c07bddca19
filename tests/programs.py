"""Runs this project's programs, each in a forked child, for tests.

A process that imports TensorFlow takes three seconds of a core to start. A
child of a server that has imported it is there in hundredths of one, runs the
program's file from its first line to its exit, and leaves no trace in the
process of the tests.
"""

import collections
import multiprocessing
import os
import re
import runpy
import signal
import sys
import tempfile

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RUN_FIVO = "run_fivo.py"

# A parameter of tests that send a hangup. Processes that come from one that
# ignores it, as under nohup, rightly do as well.
HANGUP = pytest.param(signal.SIGHUP, marks=pytest.mark.skipif(
    signal.getsignal(signal.SIGHUP) == signal.SIG_IGN,
    reason="hangups are ignored here"))

# The modules that the server imports. Not those that define flags: each program
# defines its own.
_PRELOADED = [
    "pytest", "tensorflow", "fivo.config.config", "fivo.system.console",
    "fivo.modes", "fivo.config.options", "fivo.formats.sound", "tests.lives"]

_CUDA_LINE = re.compile(r"^.* tensorflow/stream_executor/.*cuda.*\n",
                        re.MULTILINE)

# exit_code: As of `multiprocessing.Process`: negative where a signal killed it.
# stdout, stderr: What the program printed.
# num_ops: How many TensorFlow ops it made.
Result = collections.namedtuple("Result", "exit_code stdout stderr num_ops")

# One server for all that a process of the tests starts.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(_PRELOADED)


def run(args, program=RUN_FIVO, directory=None, timeout=60):
  """Runs a program, a file of the checkout, with a list of arguments.

  The working directory is the root of the checkout by default. A program that
  runs for more than `timeout` seconds is killed.
  """
  with tempfile.TemporaryDirectory() as capture:
    process = CONTEXT.Process(
        target=_run_in_child, args=(program, list(args), directory, capture))
    process.start()
    process.join(timeout)
    if process.is_alive():
      process.kill()
      process.join()
    outputs = [_read(os.path.join(capture, name))
               for name in ("stdout", "stderr", "num_ops")]
  return Result(process.exitcode, outputs[0],
                without_cuda_lines(outputs[1]), int(outputs[2] or -1))


def without_cuda_lines(text):
  """Leaves out what TensorFlow 1.15.0, built for CUDA, says without it."""
  return _CUDA_LINE.sub("", text)


def _run_in_child(program, args, directory, capture):
  """What the child does."""
  for descriptor, name in ((1, "stdout"), (2, "stderr")):
    stream = os.open(os.path.join(capture, name), os.O_WRONLY | os.O_CREAT)
    os.dup2(stream, descriptor)
  os.chdir(directory or ROOT)
  os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
  counter = _count_ops()
  path = os.path.join(ROOT, program)
  sys.argv = [path] + args
  try:
    runpy.run_path(path, run_name="__main__")
  except SystemExit as e:
    sys.exit(e.code or 0)  # multiprocessing takes None for a failure.
  finally:
    with open(os.path.join(capture, "num_ops"), "w") as stream:
      stream.write(str(sum(counter.values())))


def _count_ops():
  """Returns a Counter of the ops that are made from now on."""
  import tensorflow as tf  # pylint: disable=import-outside-toplevel
  counter = collections.Counter()
  make = tf.Operation.__init__

  def make_and_count(self, *args, **kwargs):
    counter["ops"] += 1
    make(self, *args, **kwargs)

  tf.Operation.__init__ = make_and_count
  return counter


def _read(path):
  """The text of a file, "" where there is none."""
  if not os.path.exists(path):
    return ""
  with open(path, encoding="utf-8", errors="backslashreplace") as stream:
    return stream.read()
