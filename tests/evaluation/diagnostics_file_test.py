"""Tests of --diagnostics in evaluation: of the file and the picture."""

import types

import numpy as np
import pytest

from fivo import ghmm_runners
from fivo import runners
from fivo.config import checks
from fivo.evaluation import diagnostics_file
from tests import toy


def _evaluate_recurrent(config):
  config.max_steps = 1
  runners.run_train(config, toy.create_dataset_and_model)
  runners.run_eval(config, toy.create_dataset_and_model)


@pytest.mark.parametrize("evaluate, model, directory, num_steps, criterion", [
    (_evaluate_recurrent, "vrnn", "test", toy.LENGTHS[-1], "always"),
    (_evaluate_recurrent, "vrnn", "test", toy.LENGTHS[-1], "never"),
    (ghmm_runners.run_eval, "ghmm", "eval", 5, "always")])
def test_file_and_picture(
    tmp_path, evaluate, model, directory, num_steps, criterion):
  pytest.importorskip("matplotlib")
  evaluate(types.SimpleNamespace(
      logdir=str(tmp_path), batch_size=2, num_samples=5, diagnostics=True,
      resampling_criterion=criterion, random_seed=1, split="test", model=model,
      proposal_type="prior"))
  directory = tmp_path / directory
  values = np.load(str(directory / diagnostics_file.FILE_NAME))
  num_batch = len(values["lengths"])
  assert values["ess"].shape == (num_steps, num_batch)
  assert values["ancestors"].shape == (num_steps, num_batch, 5)
  assert (values["num_roots"][-1] <= values["num_roots"][0]).all()
  for b, length in enumerate(values["lengths"]):
    assert (values["resampled"][:length, b] == (criterion == "always")).all()
  png = (directory / diagnostics_file.PICTURE_NAME).read_bytes()
  assert png.startswith(b"\x89PNG")


def test_no_picture_without_the_extra(tmp_path, monkeypatch):
  monkeypatch.setattr(checks, "missing_for_rendering", lambda: ["mido"])
  diagnostics_file.write(str(tmp_path), "test", {"ess": np.ones([3, 2])})
  assert [path.name for path in (tmp_path / "test").iterdir()] == [
      diagnostics_file.FILE_NAME]


def test_lineages():
  ancestors = np.array([[0, 1, 2], [0, 0, 2], [2, 1, 1]])
  np.testing.assert_array_equal(
      diagnostics_file.lineages(ancestors), [[2, 0, 0], [2, 1, 1], [0, 1, 2]])
