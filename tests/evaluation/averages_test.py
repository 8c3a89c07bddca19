"""Tests of averaging bounds over a dataset."""

import contextlib
import threading

import numpy as np
import pytest
import tensorflow as tf

from fivo import bounds
from fivo.evaluation import averages
from fivo.evaluation import charts
from fivo.system import errors

_BATCHES = [("a", np.array([2, 4])), ("b", np.array([3]))]


def _by_length(batch):
  """Bounds that are simple functions of a sequence's length."""
  lengths = batch[-1].astype(np.float32)
  return bounds.AllBounds(-3 * lengths, -2 * lengths, -lengths - 1)


def _report(caplog, result, split, directory):
  """Reports a result of step 7; gives the lines logged."""
  caplog.set_level("INFO", logger="absl")
  with contextlib.closing(charts.Summaries(directory, split)) as writer:
    averages.report(result, split, 7, writer)
  return [record.getMessage() for record in caplog.records]


def test_averages():
  result = averages.average(_BATCHES, _by_length)
  np.testing.assert_allclose(result.ll_per_t, [[-3, -2, -12 / 9]])
  np.testing.assert_allclose(result.ll_per_seq, [[-9, -6, -4]])
  assert result.num_sequences == 3


def test_repeats():
  values = iter(range(4))
  result = averages.average(
      _BATCHES, lambda batch: bounds.AllBounds(
          *[np.full(len(batch[-1]), float(next(values)))] * 3), num_repeats=2)
  # Two sequences get 0 and 1, the third 2 and 3.
  np.testing.assert_allclose(result.ll_per_seq[:, 0], [2 / 3, 5 / 3])


def test_threads():
  """Two batches are evaluated at a time, in any order, and no third is read."""
  lengths = [np.array([n]) for n in (2, 3, 4, 5, 6, 7)]  # Pairs.
  at_once = threading.Barrier(2, timeout=30)
  done = []

  def batches():
    for num_read, x in enumerate(lengths, 1):
      assert num_read <= len(done) + 2
      yield (x,)

  def evaluate_batch(batch):
    at_once.wait()
    done.append(batch)
    return _by_length(batch)

  result = averages.average(batches(), evaluate_batch, num_threads=2)
  np.testing.assert_allclose(result.ll_per_t, [[-3, -2, -33 / 27]])
  assert len(done) == 6


@pytest.mark.parametrize("batches, message", [
    ([], "no sequences"),
    (_BATCHES, "iwae bound of sequence 2 .*, of 3 timesteps, is NaN")])
def test_what_has_no_average(batches, message):
  def evaluate_batch(batch):
    values = _by_length(batch)
    if batch[0] == "b":
      values.iwae[0] = float("nan")
    return values
  with pytest.raises(errors.UserError, match=message):
    averages.average(batches, evaluate_batch)


def test_report(tmp_path, caplog):
  result = averages.average(_BATCHES, _by_length)
  assert _report(caplog, result, "valid", str(tmp_path)) == [
      "valid elbo ll/t: -3.000000, iwae ll/t: -2.000000 fivo ll/t: -1.333333",
      "valid elbo ll/seq: -9.000000, iwae ll/seq: -6.000000 fivo ll/seq: "
      "-4.000000"]
  path, = (tmp_path / "valid").iterdir()
  found = {
      value.tag: (event.step, value.simple_value)
      for event in tf.compat.v1.train.summary_iterator(str(path))
      for value in event.summary.value}
  assert found["valid/elbo_ll_per_t"] == (7, -3)
  assert found["valid/iwae_ll_per_seq"] == (7, -6)
  # On the charts of training too.
  assert found["bound_per_timestep/elbo"] == (7, -3)
  assert found["bound_per_sequence/iwae"] == (7, -6)
  assert len(found) == 12


def test_report_of_repeats_where_no_summaries_can_be_written(tmp_path, caplog):
  """A run on a read-only file system can be evaluated."""
  (tmp_path / "run").touch()
  values = np.array([[1., 2., 3.], [3., 2., 5.]])
  lines = _report(caplog, averages.EvalResult(values, values, 2), "test",
                  str(tmp_path / "run"))
  assert lines[1] == (
      "test standard errors over 2 repeats, ll/t: elbo 1.000000, iwae "
      "0.000000, fivo 1.000000")
  assert lines[-1] == (
      "The summaries cannot be written: %s/run/test: Not a directory" % (
          tmp_path))
