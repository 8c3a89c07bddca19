"""Finding out which processes of a cluster are gone.

A process that is gone can be started again, with the same flags, within
`--cluster_timeout_secs`: then the others give up, and after Ctrl-C or SIGTERM
they wait no longer. Chief and workers need all parameter servers, workers and
parameter servers need the chief.
"""

import os
import socket
import sys
import threading
import time

from absl import logging

from fivo.config import cluster_spec
from fivo.system import errors
from fivo.system import signals

_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_BETWEEN_LINES = 10.
_SECONDS_TO_ANSWER = 5.
_SECONDS_TO_NOTICE = 3.

# How a client of gRPC begins (RFC 7540, section 3.5): a greeting and settings,
# none of which differ from the defaults.
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def answers(address):
  """Returns whether the server at an address, "host:port", says a word.

  The kernel accepts connections for a process that is stopped or hangs. And
  gRPC keeps those open for two minutes in which it was not greeted.
  """
  try:
    with socket.create_connection(
        cluster_spec.split_address(address), _SECONDS_TO_ANSWER) as probe:
      # A port that nobody listens on may connect to itself.
      if probe.getsockname() == probe.getpeername():
        return False
      probe.sendall(_GREETING)
      return bool(probe.recv(1))
  except OSError:
    return False


def bypass_proxies(addresses):
  """Has TensorFlow's channels connect directly, as `answers` does.

  Else they would go to the proxy that http_proxy or https_proxy names, which
  knows nothing of a cluster's ports, and wait there without end.

  Args:
    addresses: The addresses, "host:port", that this process is to reach.
  """
  hosts = {cluster_spec.split_address(address)[0] for address in addresses}
  before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
  # The gRPC in TensorFlow 1.15 reads the first; later ones prefer the second.
  for name, value in (("no_proxy", before),
                      ("no_grpc_proxy", os.environ.get("no_grpc_proxy"))):
    if value is not None:
      listed = [host for host in value.split(",") if host]
      os.environ[name] = ",".join(listed + sorted(hosts - set(listed)))


def wait_for_master(config, caught):
  """Waits until the server that the user runs answers, or for a signal.

  TensorFlow would wait without end, and heed no signal.

  Args:
    config: A `Config` with a `master`.
    caught: A list that receives the numbers of signals.

  Raises:
    UserError: If it does not answer for `cluster_timeout_secs`.
    SystemExit: After a signal, with the usual exit code.
  """
  address = cluster_spec.master_address(config.master)
  bypass_proxies([address])
  deadline = time.time() + config.cluster_timeout_secs
  while not answers(address):
    if caught:
      raise SystemExit(128 + caught[0])
    if time.time() > deadline:
      raise errors.UserError(
          "--master=%s: has not answered for %g seconds "
          "(--cluster_timeout_secs)" % (
              config.master, config.cluster_timeout_secs))
    logging.log_every_n_seconds(
        logging.INFO, "Waiting for the server at %s.", _SECONDS_BETWEEN_LINES,
        address)
    time.sleep(_SECONDS_BETWEEN_LOOKS)


class Watch(threading.Thread):
  """Looks whether the processes that this one needs are there.

  Attributes:
    lost: None, or what to say when one has not answered for too long.
    num_departures: How often one has ceased to answer.
  """

  def __init__(self, addresses, timeout_secs):
    """Creates the watch; `start` starts it.

    Args:
      addresses: A dict from names to addresses.
      timeout_secs: How long a process may be away.
    """
    super().__init__(daemon=True)
    self._addresses = addresses
    self._timeout = timeout_secs
    self._stopped = threading.Event()
    self.lost = None
    self.num_departures = 0

  def stop(self):
    """Ends the watch."""
    self._stopped.set()

  def check(self):
    """Raises a `UserError` if a process has been away for too long."""
    if self.lost:
      raise errors.UserError(self.lost)

  def run(self):
    """Looks again and again."""
    last_seen = dict.fromkeys(self._addresses, time.time())
    missing = set()
    while not self._stopped.wait(_SECONDS_BETWEEN_LOOKS):
      self._look(last_seen, missing)
      if self.lost or (missing and signals.arrived()):
        break
    # The main thread may hang in a TensorFlow call that nothing interrupts.
    if not self._stopped.wait(_SECONDS_TO_NOTICE):
      self._end_process(missing)

  def _look(self, last_seen, missing):
    """Looks at each process once.

    Args:
      last_seen: A dict from names to times, brought up to date.
      missing: The set of the names of those that are away, likewise.
    """
    for name, address in self._addresses.items():
      if answers(address):
        last_seen[name] = time.time()
        if name in missing:
          missing.remove(name)
          logging.info("The %s at %s answers.", name, address)
      elif time.time() - last_seen[name] > self._timeout:
        self.lost = ("the %s at %s has not answered for %g seconds "
                     "(--cluster_timeout_secs)" % (
                         name, address, self._timeout))
      elif name not in missing and not self._stopped.is_set():
        missing.add(name)
        self.num_departures += 1
        logging.info("The %s at %s does not answer; waiting for it.",
                     name, address)

  def _end_process(self, missing):
    """Ends this process, whatever its main thread does."""
    line, code = self.lost, 1
    if line is None:
      number = signals.arrived()[0]
      line = "stopped by signal %d; the %s did not answer" % (
          number, sorted(missing)[0])
      code = 128 + number
    sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), line))
    sys.stderr.flush()
    os._exit(code)
