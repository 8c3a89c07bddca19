"""Makes tests cheaper that build many small graphs and run each but once."""

import functools
import gc
import signal
import sys

import pytest


def pytest_configure(config):
  config.addinivalue_line(
      "markers", "default_session: sessions optimize their graphs, as they do "
      "outside of tests.")
  config.addinivalue_line(
      "markers", "slow: left out unless asked for: -m slow, or -m ''.")
  # A shell starts what it puts in the background so that Ctrl-C does not reach
  # it; the processes that tests interrupt would inherit that.
  if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish(session):
  """Keeps the garbage collector from imported modules, and from graphs."""
  del session
  gc.collect()
  gc.freeze()
  gc.set_threshold(20000, 20, 20)
  if "tensorflow" in sys.modules:
    from fivo.system import log  # pylint: disable=import-outside-toplevel
    log.skip_deprecation_checks()  # As in the program.
  _optimize_graphs(False)


@pytest.fixture(autouse=True)
def _default_session(request, monkeypatch):
  """Sessions of tests with this mark have the options that users have."""
  if request.node.get_closest_marker("default_session") is None:
    sessions = sys.modules.get("fivo.system.sessions")
    if sessions is not None:
      monkeypatch.setattr(
          sessions, "options",
          functools.partial(_unoptimized, sessions.options))
    yield
    return
  _optimize_graphs(True)
  try:
    yield
  finally:
    _optimize_graphs(False)


def _optimize_graphs(on):
  """Whether Grappler rewrites the graphs of sessions without a configuration.

  It takes longer than to run a small graph once. The tests that it might
  concern, of random numbers and of the reference figures, have the mark
  `default_session`; those that start the program have the defaults anyway.
  """
  if "tensorflow" in sys.modules:
    sys.modules["tensorflow"].config.optimizer.set_experimental_options(
        {"disable_meta_optimizer": not on})


def _unoptimized(session_options):
  """The options of a session, but without Grappler."""
  options = session_options()
  options.graph_options.rewrite_options.disable_meta_optimizer = True
  return options
