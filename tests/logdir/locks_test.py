"""Tests of noticing a second process in a logdir."""

import errno
import multiprocessing
import os
from unittest import mock

import pytest

from fivo.logdir import locks
from fivo.system import errors


def _hold(logdir, connection):
  """Holds the lock until it is killed."""
  with locks.training_lock(logdir):
    connection.send("held")
    connection.recv()


def test_other_process(tmp_path):
  """It is named while it lives, and leaves no lock."""
  context = multiprocessing.get_context("fork")
  ours, theirs = context.Pipe()
  holder = context.Process(target=_hold, args=(str(tmp_path), theirs))
  holder.start()
  assert ours.recv() == "held"
  with pytest.raises(errors.UserError) as caught:
    with locks.training_lock(str(tmp_path)):
      raise AssertionError("two processes hold the lock")
  assert str(caught.value) == (
      "--logdir=%s: another process (%d on %s) is training there; wait for its "
      "end, or use another --logdir" % (
          tmp_path, holder.pid, os.uname().nodename))
  holder.kill()
  holder.join()
  for _ in range(2):
    with locks.training_lock(str(tmp_path)):
      text = (tmp_path / locks.FILE_NAME).read_text()
      assert text.startswith("%d on " % os.getpid())


def test_link_is_not_followed(tmp_path):
  """It emptied the file to which it leads."""
  other = tmp_path / "other"
  other.write_text("precious")
  (tmp_path / locks.FILE_NAME).symlink_to(other)
  with pytest.raises(OSError) as caught:
    with locks.training_lock(str(tmp_path)):
      pass
  assert caught.value.errno == errno.ELOOP
  assert other.read_text() == "precious"


@pytest.mark.parametrize("number", [errno.ENOLCK, 524])
def test_file_system_without_locks(tmp_path, number, caplog):
  with mock.patch.object(locks.fcntl, "flock",
                         side_effect=OSError(number, os.strerror(number))):
    with locks.training_lock(str(tmp_path)):
      pass
  assert "has no locks (%s)" % os.strerror(number) in caplog.text
