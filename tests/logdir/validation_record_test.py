"""Tests of what a run remembers of its evaluations."""

import json
import types

import pytest

from fivo.config import config as config_lib
from fivo.logdir import validation_record
from fivo.system import errors


def _config(logdir="", **kwargs):
  return config_lib.from_object(
      types.SimpleNamespace(logdir=str(logdir), **kwargs))


def test_round_trip(tmp_path):
  record = validation_record.empty(_config())
  for step, bound in ((1, -3.5), (2, -1.25), (3, -1.25), (4, -2.)):
    record = validation_record.update(record, step, bound)
  validation_record.save(str(tmp_path), record)
  assert validation_record.load(str(tmp_path)) == record
  assert record[1:] == (-1.25, 2, 4, 2)


def test_none(tmp_path):
  assert validation_record.load(str(tmp_path / "none")) is None
  assert validation_record.stopped_step(
      _config(tmp_path, early_stop_patience=1)) is None


@pytest.mark.parametrize("change", [
    dict(num_worse=-1), dict(best_bound=float("nan")), dict(best_bound="x"),
    dict(best_step=None), dict(measure=3), dict(last_step=1.5)])
def test_damaged(tmp_path, change):
  good = validation_record.update(
      validation_record.empty(_config()), 1, -1.)._asdict()
  path = tmp_path / validation_record.FILE_NAME
  path.write_text(json.dumps(dict(good, **change)))
  with pytest.raises(errors.UserError, match="validation.json is no record"):
    validation_record.load(str(tmp_path))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null"])
def test_no_record(tmp_path, text):
  (tmp_path / validation_record.FILE_NAME).write_text(text)
  with pytest.raises(errors.UserError, match="validation.json is no record"):
    validation_record.load(str(tmp_path))


def test_aux_is_measured_as_fivo():
  assert (validation_record.measure(_config(bound="fivo-aux")) ==
          validation_record.measure(_config(bound="fivo")))


@pytest.mark.parametrize("step, kwargs, expected", [
    (4, {}, (-1., 2, 4, 1)), (9, {}, (-1., 2, 4, 1)), (3, {}, (-1., 2, 3, 1)),
    (0, {}, (None, None, 0, 0)), (4, dict(bound="iwae"), (None, None, 0, 0))])
def test_resume(tmp_path, step, kwargs, expected):
  config = _config(tmp_path)
  record = validation_record.empty(config)
  record = validation_record.update(record, 2, -1.)
  record = validation_record.update(record, 4, -2.)
  validation_record.save(str(tmp_path), record)
  assert validation_record.resume(
      _config(tmp_path, **kwargs), step)[1:] == expected
