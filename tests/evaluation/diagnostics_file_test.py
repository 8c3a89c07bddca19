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


def _check(values, num_steps):
  num_batch = len(values["lengths"])
  assert values["ess"].shape == (num_steps, num_batch)
  assert values["ancestors"].shape == (num_steps, num_batch, 5)
  assert (values["num_roots"][-1] <= values["num_roots"][0]).all()
  for b, length in enumerate(values["lengths"]):
    assert values["resampled"][:length, b].all()


@pytest.mark.parametrize("has_extra", [True, False])
def test_evaluation(tmp_path, has_extra, monkeypatch):
  if has_extra:
    pytest.importorskip("matplotlib")
  else:
    monkeypatch.setattr(rendering_extra, "is_installed", lambda: False)
  config = _config(tmp_path, split="test")
  runners.run_train(config, toy.create_dataset_and_model)
  without = runners.run_eval(
      types.SimpleNamespace(**dict(vars(config), diagnostics=False)),
      toy.create_dataset_and_model)
  assert not (tmp_path / "test" / diagnostics_file.FILE_NAME).exists()
  result = runners.run_eval(config, toy.create_dataset_and_model)
  assert result.ll_per_t.shape == without.ll_per_t.shape
  values = np.load(str(tmp_path / "test" / diagnostics_file.FILE_NAME))
  _check(values, max(values["lengths"]))
  picture = tmp_path / "test" / diagnostics_file.PICTURE_NAME
  assert picture.exists() == has_extra
  tags = {value.tag for path in tmp_path.glob("events*")
          for event in tf.compat.v1.train.summary_iterator(str(path))
          for value in event.summary.value}
  assert "particles/num_roots" in tags


def test_ghmm(tmp_path):
  pytest.importorskip("matplotlib")
  ghmm_runners.run_eval(_config(tmp_path, model="ghmm", proposal_type="prior"))
  _check(np.load(str(tmp_path / "eval" / diagnostics_file.FILE_NAME)), 5)
  png = (tmp_path / "eval" / diagnostics_file.PICTURE_NAME).read_bytes()
  assert png.startswith(b"\x89PNG")


def test_lineages():
  ancestors = np.array([[0, 1, 2], [0, 0, 2], [2, 1, 1]])
  np.testing.assert_array_equal(
      genealogy.lineages(ancestors), [[2, 0, 0], [2, 1, 1], [0, 1, 2]])
