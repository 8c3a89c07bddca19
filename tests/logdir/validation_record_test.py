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
    record = validation_record.update(record, step, bound)
  validation_record.save(str(tmp_path), record)
  return record


def test_update_save_and_load(tmp_path, record):
  assert record == (_MEASURE, -1., 2, 4, 1)
  assert validation_record.load(str(tmp_path)) == record
  assert validation_record.update(record, 6, -.5)[1:] == (-.5, 6, 6, 0)
  assert validation_record.update(record, 6, -1.)[1:] == (-1., 2, 6, 2)
  assert validation_record.update(
      validation_record.Record(_MEASURE), 6, -float("inf"))[1:] == (
          None, None, 6, 1)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 2}'])
def test_no_record(tmp_path, text):
  (tmp_path / validation_record.FILE_NAME).write_text(text)
  with pytest.raises(errors.UserError, match="validation.json is no record"):
    validation_record.load(str(tmp_path))


@pytest.mark.parametrize("step, measure, expected", [
    (9, _MEASURE, (-1., 2, 4, 1)),
    (3, _MEASURE, (-1., 2, 3, 1)), (0, _MEASURE, (None, None, 0, 0)),
    (4, "another", (None, None, 0, 0))])
@pytest.mark.usefixtures("record")
def test_resume(tmp_path, step, measure, expected):
  assert validation_record.resume(
      str(tmp_path), measure, step)[1:] == expected


@pytest.mark.parametrize("measure, patience, expected", [
    (_MEASURE, 1, 4), (_MEASURE, 2, None), (_MEASURE, None, None),
    ("another", 1, None)])
@pytest.mark.usefixtures("record")
def test_stopped_step(tmp_path, measure, patience, expected):
  assert validation_record.stopped_step(
      str(tmp_path), measure, patience) == expected
