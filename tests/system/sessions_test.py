"""Tests of fivo/system/sessions.py."""

import os

import pytest

from fivo.system import errors
from fivo.system import sessions
from tests import programs


def test_operations_are_not_split(monkeypatch):
  monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
  assert sessions.options().intra_op_parallelism_threads == 1
  assert sessions.options().inter_op_parallelism_threads == 0


def test_the_user_decides(monkeypatch):
  monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
  # 0 leaves it to the variable.
  assert sessions.options().intra_op_parallelism_threads == 0


def _complaint(environ):
  os.environ.update(environ)
  try:
    sessions.check_environment()
  except errors.UserError as e:
    return str(e)


def _complaint_of_a_new_process(**environ):
  """TensorFlow reads its variables once in a process."""
  with programs.CONTEXT.Pool(1) as pool:
    return pool.apply(_complaint, (environ,))


@pytest.mark.parametrize("name, value, complaint", [
    ("TF_NUM_INTRAOP_THREADS", "-3", "must be an integer from 0 to 1000"),
    ("TF_NUM_INTRAOP_THREADS", "1e9", "must be an integer from 0 to 1000"),
    ("TF_NUM_INTEROP_THREADS", "1001", "must be an integer from 0 to 1000"),
    ("TF_NUM_INTEROP_THREADS", "\u0663", "must be an integer from 0 to 1000"),
    ("XLA_FLAGS", "--xla_no", "Unknown flags in XLA_FLAGS: --xla_no"),
    ("TF_XLA_FLAGS", "--no", "Unknown flags in TF_XLA_FLAGS: --no"),
])
def test_the_environment_is_wrong(name, value, complaint):
  assert _complaint_of_a_new_process(**{name: value}) == (
      "%s=%s: %s" % (name, value, complaint))


def test_the_environment_is_right():
  assert _complaint_of_a_new_process(
      TF_NUM_INTRAOP_THREADS="0", TF_NUM_INTEROP_THREADS="2",
      XLA_FLAGS="--xla_cpu_multi_thread_eigen=false") is None
