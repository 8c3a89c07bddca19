"""Tests of the pictures that evaluations in training draw."""

import io
import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import runners
from fivo.system import errors
from tests import toy


def _train(logdir, **kwargs):
  config = dict(
      logdir=str(logdir), batch_size=2, num_samples=3, max_steps=2,
      eval_every=1, prefix_length=3, sample_length=4, random_seed=1)
  config.update(kwargs)
  runners.run_train(
      types.SimpleNamespace(**config), toy.create_dataset_and_model)


def _written(logdir):
  """The pictures and the scalars of the valid split, by step."""
  pictures, scalars = {}, {}
  for path in (logdir / "valid").glob("events.*"):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
      for value in event.summary.value:
        if value.HasField("image"):
          pictures[event.step, value.tag] = value.image.encoded_image_string
        else:
          scalars[event.step, value.tag] = value.simple_value
  return pictures, scalars


def test_one_at_each_evaluation(tmp_path):
  """Training and evaluation compute what they compute without."""
  image = pytest.importorskip("matplotlib.image")
  pytest.importorskip("mido")
  _train(tmp_path / "with", render=True)
  _train(tmp_path / "without")
  pictures, scalars = _written(tmp_path / "with")
  assert set(pictures) == {(1, "samples"), (2, "samples")}
  for png in pictures.values():
    pixels = image.imread(io.BytesIO(png))
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 10
  assert _written(tmp_path / "without") == ({}, scalars)


def test_refused_before_training(tmp_path):
  pytest.importorskip("mido")
  with pytest.raises(errors.UserError, match="--prefix_length=7: no sequence"):
    _train(tmp_path, render=True, prefix_length=7)
  assert not list(tmp_path.iterdir())
