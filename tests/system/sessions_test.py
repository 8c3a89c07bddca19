"""Tests of fivo/system/sessions.py."""

import pytest

from fivo.system import sessions


@pytest.mark.parametrize("variable, num_threads", [("", 1), ("2", 0)])
def test_operations_are_not_split(monkeypatch, variable, num_threads):
  """0 leaves it to the variable."""
  monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", variable)
  assert sessions.options().intra_op_parallelism_threads == num_threads
  assert sessions.options().inter_op_parallelism_threads == 0
