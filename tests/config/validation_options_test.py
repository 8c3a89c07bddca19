"""Tests of the options of evaluation in training."""

import types

import pytest

from fivo.config import config as config_lib
from fivo.config import validation_options
from fivo.system import errors


@pytest.mark.parametrize("kwargs, complaint", [
    (dict(export_best=True), "--export_best=True: .* give --eval_every"),
    (dict(early_stop_patience=3),
     "--early_stop_patience=3: .* give --eval_every"),
    (dict(model="ghmm", eval_every=5), "--eval_every=5: the ghmm has no valid"),
    (dict(eval_every=0), "--eval_every=0: must be at least 1"),
])
def test_refused(kwargs, complaint):
  config = config_lib.from_object(types.SimpleNamespace(**kwargs))
  with pytest.raises(errors.UserError, match=complaint):
    config_lib.validate(config)


def test_path_for_split(tmp_path):
  """Of speech, the valid file lies beside the train file."""
  path = tmp_path / "train"
  path.write_text("")
  for given, dataset_type, expected in (
      (path, "speech", tmp_path), (tmp_path, "speech", tmp_path),
      (path, "pianoroll", path)):
    config = config_lib.from_object(types.SimpleNamespace(
        dataset_path=str(given), dataset_type=dataset_type))
    assert validation_options.path_for_split(config, "valid") == str(expected)
