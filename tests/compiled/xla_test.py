"""Tests of compiled training; that of what is computed: rematerialization."""

import os
import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import runners
from fivo.compiled import xla
from fivo.logdir import run_directory
from fivo.system import errors
from tests import toy


@pytest.fixture(autouse=True)
def environment(monkeypatch):
  """Takes back what a run sets."""
  monkeypatch.delenv("XLA_FLAGS", raising=False)


def _create_full_batches(*args, **kwargs):
  """As `toy.create_dataset_and_model`, with a batch size that is static."""
  inputs, targets, lengths, model, mean = toy.create_dataset_and_model(
      *args, **kwargs)
  size = len(toy.LENGTHS)
  for x in (inputs, targets):
    x.set_shape([None, size, toy.DATA_SIZE])
  lengths.set_shape([size])
  return inputs, targets, lengths, model, mean


def _train(logdir, create=_create_full_batches, **kwargs):
  runners.run_train(types.SimpleNamespace(**dict(dict(
      logdir=str(logdir), batch_size=len(toy.LENGTHS), num_samples=3,
      summarize_every=1, learning_rate=1e-30, random_seed=1), **kwargs)),
                   create)


def test_padded_length():
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    padded = session.run([xla.padded_length(tf.constant(x)) for x in (
        0, 1, 128, 129, 257, 3900, 2 ** 29 + 1)])
  assert padded == [128, 128, 128, 256, 512, 4096, 2 ** 30]


def test_respects_the_users_flags(monkeypatch):
  monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=true")
  with tf.Graph().as_default():
    xla.configure()
    assert tf.compat.v1.get_variable("v", []).dtype == tf.float32
  assert os.environ["XLA_FLAGS"] == "--xla_cpu_multi_thread_eigen=true"


def _charts(logdir, tag):
  """The values of a chart, by step."""
  return {
      event.step: float(tf.make_ndarray(value.tensor))
      for path in logdir.glob("events.*")
      for event in tf.compat.v1.train.summary_iterator(str(path))
      for value in event.summary.value if value.tag == tag}


def test_trains_and_resumes_without(tmp_path, caplog):
  """Steps of nearly no size, so that bounds differ by their noise only."""
  caplog.set_level("INFO", logger="absl")
  _train(tmp_path, xla=True, max_steps=2)
  path = run_directory.RunDirectory(tmp_path).latest()
  _train(tmp_path, xla=False, max_steps=3)
  lines = [record.getMessage() for record in caplog.records]
  assert sum(line.startswith("Compiled the step for batches of up to ")
             for line in lines) == 1
  bounds = [float(line.split(": ")[1]) for line in lines
            if line.startswith("Step ")]
  assert len(bounds) == 3
  assert np.ptp(bounds) < 1., "of about -3.5 nats"
  sizes = _charts(tmp_path, "particles/effective_sample_size")
  assert sorted(sizes) == [1, 2, 3]
  # Padding, with equal weights of three particles, does not count.
  assert 1. < sizes[1] < 2.9 and abs(sizes[1] - sizes[3]) < .3
  assert run_directory.RunDirectory(tmp_path).latest_step() == 3
  names = [{name for name, _ in tf.train.list_variables(path)}
           for path in (path, run_directory.RunDirectory(tmp_path).latest())]
  assert names[0] == names[1]


def test_refuses_other_models(tmp_path):
  def create(*args, **kwargs):
    inputs, targets, lengths, _, mean = _create_full_batches(*args, **kwargs)
    return inputs, targets, lengths, object(), mean

  with pytest.raises(errors.UserError, match="--xla: compiles only a VRNN or"):
    _train(tmp_path, create, xla=True, max_steps=1)
