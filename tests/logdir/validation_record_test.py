"""Tests of what a run remembers of its evaluations."""

import pytest

from fivo.logdir import validation_record
from fivo.system import errors

_MEASURE = "fivo bound per timestep with --num_samples=4"


@pytest.fixture
def record(tmp_path):
  """The record of two evaluations, kept in `tmp_path`."""
  record = validation_record.Record(_MEASURE)
  for step, bound in ((2, -1.), (4, -2.)):
    record = record.updated(step, bound)
  validation_record.save(str(tmp_path), record)
  return record


def test_update_save_and_load(tmp_path, record):
  assert record == (_MEASURE, -1., 2, 4, 1)
  assert validation_record.load(str(tmp_path)) == record
  assert record.updated(6, -.5)[1:] == (-.5, 6, 6, 0)
  assert record.updated(6, -1.)[1:] == (-1., 2, 6, 2)
  assert validation_record.Record(_MEASURE).updated(
      6, -float("inf"))[1:] == (None, None, 6, 1)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 2}'])
def test_no_record(tmp_path, text):
  (tmp_path / validation_record.FILE_NAME).write_text(text)
  with pytest.raises(errors.UserError, match="validation.json is not a record"):
    validation_record.load(str(tmp_path))
