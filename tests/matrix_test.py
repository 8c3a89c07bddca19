"""Combinations of model, bound, proposal, data, filter and mode.

Every choice of any two of them works. The sizes are tiny: the parts are to fit;
what they compute is tested elsewhere. Most combinations are slow tests.
"""

import itertools
import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import ghmm_runners
from fivo import runners
from fivo.config import catalogue
from fivo.formats import pianorolls
from fivo.logdir import run_directory

_PROPOSALS = ("prior", "filtering", "smoothing")
_TRUE_PROPOSALS = ("true-filtering", "true-smoothing")
_DATASET_TYPES = ("pianoroll", "speech")
_BATCH, _PARTICLES = 2, 3


def _recurrent_cases():
  """Every choice of any two parts for the VRNN and the SRNN, most as slow."""
  for (i, bound), (j, proposal) in itertools.product(
      enumerate(catalogue.BOUNDS), enumerate(_PROPOSALS)):
    yield pytest.param(
        ("vrnn", "srnn")[(i + j) % 2], bound, proposal,
        _DATASET_TYPES[(j + i // 2) % 2], "independent",
        marks=[pytest.mark.slow] * bool((i + j) % 3))
  yield "vrnn", "fivo", "filtering", "pianoroll", "autoregressive"
  yield "srnn", "sixo", "smoothing", "pianoroll", "autoregressive"


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
  """Options that choose a tiny dataset of each type."""
  directory = tmp_path_factory.mktemp("data")
  rng = np.random.RandomState(0)
  contents = {split: [[(60,), (), (60, 64), (60,), ()],
                      [(62, 65), (64,), (), (62,)]]
              for split in pianorolls.SPLITS}
  contents["train_mean"] = rng.uniform(size=pianorolls.NUM_NOTES)
  pianorolls.save(str(directory / "tiny.pkl"), contents)
  for split in pianorolls.SPLITS:
    with tf.io.TFRecordWriter(str(directory / split)) as writer:
      for length in (5, 4):
        writer.write(rng.normal(size=[length, 4]).astype("<f4").tobytes())
  return {
      "pianoroll": dict(dataset_path=str(directory / "tiny.pkl")),
      "speech": dict(dataset_path=str(directory), data_dimension=4),
  }


def _config(logdir, **kwargs):
  return types.SimpleNamespace(
      logdir=str(logdir), batch_size=_BATCH, num_samples=_PARTICLES,
      latent_size=2, max_steps=1, summarize_every=1, prefix_length=4,
      sample_length=5, num_timesteps=3, random_seed=7, **kwargs)


@pytest.mark.parametrize(
    "model, bound, proposal_type, dataset_type, emission", _recurrent_cases())
def test_recurrent(tmp_path, datasets, caplog, model, bound, proposal_type,
                   dataset_type, emission):
  """Smoothing, and most ways to sample, crashed in the original."""
  caplog.set_level("INFO", logger="absl")
  config = _config(
      tmp_path, model=model, bound=bound, proposal_type=proposal_type,
      dataset_type=dataset_type, emission=emission, **datasets[dataset_type])
  runners.run_train(config)
  assert run_directory.RunDirectory(tmp_path).latest_step() == 1
  line, = [record.getMessage() for record in caplog.records
           if record.getMessage().startswith("Step")]
  assert line.startswith("Step 1, %s bound per timestep: " % bound)
  if bound not in ("elbo", "iwae"):  # Evaluation is of all bounds at once.
    config.split = "test"
    result = runners.run_eval(config)
    assert np.isfinite(result.ll_per_t).all()
    assert result.ll_per_t.shape == (1, 4 if bound == "sixo" else 3)
  samples = np.load(runners.run_sample(config))
  dimension = 88 if dataset_type == "pianoroll" else 4
  assert samples["prefixes"].shape == (4, _BATCH, dimension)
  assert samples["samples"].shape == (5, _BATCH, _PARTICLES, dimension)
  assert np.isfinite(samples["samples"]).all()
  if dataset_type == "pianoroll":
    assert set(np.unique(samples["samples"])) <= {0, 1}


@pytest.mark.parametrize("bound, proposal_type", [
    pytest.param(bound, proposal, marks=[pytest.mark.slow] * ((i + j) % 2))
    for i, bound in enumerate(("elbo", "fivo", "iwae", "sixo"))
    for j, proposal in enumerate(_PROPOSALS + _TRUE_PROPOSALS)])
def test_ghmm(tmp_path, bound, proposal_type):
  config = _config(
      tmp_path, model="ghmm", bound=bound, proposal_type=proposal_type,
      twist="optimal")
  if proposal_type in ("filtering", "smoothing"):
    ghmm_runners.run_train(config)
  results = ghmm_runners.run_eval(config)
  particles = 1 if bound == "elbo" else _PARTICLES
  assert results["log_weights"].shape == (3, _BATCH, particles)
  assert np.isfinite(results["mean"])
  assert ("resampled" in results) == (bound in ("fivo", "sixo"))
  samples = np.load(ghmm_runners.run_sample(config))
  assert samples["latents"].shape == (3, _BATCH)
  assert samples["observations"].shape == (3, _BATCH)
  assert samples["samples"].shape == (3, _BATCH, _PARTICLES)


def _filter_cases():
  """How a filter resamples: every scheme, criterion and gradient."""
  for resampling_type in catalogue.SCHEMES:
    yield dict(resampling_type=resampling_type, resampling_criterion="always")
  yield dict(resampling_criterion="never")
  yield dict(ess_threshold=.9, eval_resampling_type="systematic")
  yield dict(resampling_gradients="score")
  yield dict(resampling_gradients="stop_gradient", resampling_type="residual")
  yield dict(bound="iwae", iwae_gradients="dreg")
  yield dict(bound="sixo", twist="dre", twist_steps=2)
  yield dict(bound="sixo", twist="joint", resampling_gradients="score")


@pytest.mark.parametrize("model, kwargs", [
    pytest.param(
        model, kwargs, marks=[pytest.mark.slow] * bool((i + 2 * j) % 4))
    for i, kwargs in enumerate(_filter_cases())
    for j, model in enumerate(["vrnn", "ghmm"])])
def test_filters(tmp_path, datasets, model, kwargs):
  module = ghmm_runners if model == "ghmm" else runners
  config = _config(
      tmp_path, model=model, proposal_type="filtering",
      **dict(datasets["pianoroll"], **kwargs))
  module.run_train(config)
  assert run_directory.RunDirectory(tmp_path).latest_step() == 1
  config.split = "test"
  result = module.run_eval(config)
  if model == "vrnn":
    assert np.isfinite(result.ll_per_t).all()
  else:
    assert np.isfinite(result["mean"])
