"""Tests of fivo/system/sessions.py."""

from fivo.system import sessions


def test_operations_are_not_split(monkeypatch):
  monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
  assert sessions.options().intra_op_parallelism_threads == 1
  assert sessions.options().inter_op_parallelism_threads == 0


def test_the_user_decides(monkeypatch):
  monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
  # 0 leaves it to the variable.
  assert sessions.options().intra_op_parallelism_threads == 0
