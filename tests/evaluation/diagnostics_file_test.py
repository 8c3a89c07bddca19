"""Tests of --diagnostics: of the file, the picture and the charts."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import ghmm_runners
from fivo import runners
from fivo.evaluation import diagnostics_file
from fivo.rendering import genealogy
from fivo.system import rendering_extra
from tests import toy


def _config(logdir, **kwargs):
  return types.SimpleNamespace(
      logdir=str(logdir), batch_size=2, num_samples=5, diagnostics=True,
      resampling_criterion="always", random_seed=1, summarize_every=1,
      max_steps=2, **kwargs)


def _check(directory, num_steps):
  values = np.load(str(directory / diagnostics_file.FILE_NAME))
  num_steps = num_steps or max(values["lengths"])
  num_batch = len(values["lengths"])
  assert values["ess"].shape == (num_steps, num_batch)
  assert values["ancestors"].shape == (num_steps, num_batch, 5)
  assert (values["num_roots"][-1] <= values["num_roots"][0]).all()
  for b, length in enumerate(values["lengths"]):
    assert values["resampled"][:length, b].all()
  png = (directory / diagnostics_file.PICTURE_NAME).read_bytes()
  assert png.startswith(b"\x89PNG")


def test_recurrent(tmp_path):
  pytest.importorskip("matplotlib")
  config = _config(tmp_path, split="test")
  runners.run_train(config, toy.create_dataset_and_model)
  runners.run_eval(config, toy.create_dataset_and_model)
  _check(tmp_path / "test", None)
  tags = {value.tag for path in tmp_path.glob("events*")
          for event in tf.compat.v1.train.summary_iterator(str(path))
          for value in event.summary.value}
  assert "particles/num_roots" in tags


def test_ghmm(tmp_path):
  pytest.importorskip("matplotlib")
  ghmm_runners.run_eval(_config(tmp_path, model="ghmm", proposal_type="prior"))
  _check(tmp_path / "eval", 5)


def test_no_picture_without_the_extra(tmp_path, monkeypatch):
  monkeypatch.setattr(rendering_extra, "missing", lambda: ["mido"])
  diagnostics_file.write(str(tmp_path), "test", {"ess": np.ones([3, 2])})
  assert [path.name for path in (tmp_path / "test").iterdir()] == [
      diagnostics_file.FILE_NAME]


def test_lineages():
  ancestors = np.array([[0, 1, 2], [0, 0, 2], [2, 1, 1]])
  np.testing.assert_array_equal(
      genealogy.lineages(ancestors), [[2, 0, 0], [2, 1, 1], [0, 1, 2]])
