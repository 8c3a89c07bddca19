"""Tests of the runners of the Gaussian HMM."""

import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import ghmm_runners
from fivo.logdir import run_directory
from fivo.system import errors


def _config(logdir, **kwargs):
  defaults = dict(
      logdir=str(logdir), model="ghmm", proposal_type="true-smoothing",
      bound="fivo", batch_size=3, num_samples=4, num_timesteps=4, max_steps=2,
      summarize_every=1, random_seed=3)
  defaults.update(kwargs)
  return types.SimpleNamespace(**defaults)


@pytest.fixture(autouse=True)
def _show_info(caplog):
  caplog.set_level("INFO", logger="absl")


def _lines(caplog):
  return [record.getMessage() for record in caplog.records]


class TestTrain(object):

  def test_each_line_once(self, tmp_path, caplog):
    """With summarize_every=1 the original logged lines twice."""
    ghmm_runners.run_train(
        _config(tmp_path, proposal_type="smoothing", bound="iwae"))
    steps = [line for line in _lines(caplog) if line.startswith("Step")]
    assert len(steps) == 2
    for step, line in enumerate(steps, start=1):
      prefix, bound, likelihood, gap = line.split(": ")
      assert prefix == "Step %d, iwae/t" % step
      assert bound.endswith(", likelihood") and likelihood.endswith(", gap")
      # The three printed numbers agree up to their rounding.
      assert float(gap) == pytest.approx(
          float(likelihood.split(",")[0]) - float(bound.split(",")[0]),
          rel=5e-4, abs=2e-3)

  def test_summaries_of_a_run_that_then_is_finished(
      self, tmp_path, caplog, monkeypatch):
    config = _config(tmp_path, proposal_type="filtering", diagnostics=True)
    ghmm_runners.run_train(config)
    tags = set()
    for path in tmp_path.glob("events.*"):
      for event in tf.compat.v1.train.summary_iterator(str(path)):
        tags.update(value.tag for value in event.summary.value)
    assert {"train_ll_bound", "train_true_ll", "bound_gap",
            "bound_per_timestep/fivo", "exact/gap_per_timestep",
            "speed/timesteps_per_second", "particles/num_roots"} <= tags
    monkeypatch.setattr(tf, "Graph", None)  # No graph is built.
    ghmm_runners.run_train(config)
    assert _lines(caplog)[-1] == (
        "Already at step 2 of --max_steps=2: nothing to do.")

  @pytest.mark.parametrize("proposal_type, kwargs", [
      pytest.param(proposal_type, kwargs,
                   marks=[pytest.mark.slow] * ((i + j) % 2))
      for i, kwargs in enumerate([
          dict(batch_size=1), dict(num_timesteps=1), dict(num_samples=1),
          dict(resampling_type="relaxed"),
          dict(batch_size=1, num_timesteps=1, num_samples=1)])
      for j, proposal_type in enumerate(["filtering", "smoothing"])])
  def test_smallest_sizes(self, tmp_path, proposal_type, kwargs):
    """Each of these raised shape errors in the original."""
    config = _config(tmp_path, proposal_type=proposal_type, **kwargs)
    ghmm_runners.run_train(config)
    assert run_directory.RunDirectory(tmp_path).latest_step() == 2
    assert np.isfinite(ghmm_runners.run_eval(config)["mean"])

  def test_seeded_runs_are_equal(self, tmp_path, caplog):
    runs = []
    for name in ("a", "b"):
      caplog.clear()
      ghmm_runners.run_train(
          _config(tmp_path / name, proposal_type="filtering", max_steps=5))
      runs.append([line for line in _lines(caplog) if line.startswith("Step")])
    assert runs[0] == runs[1]


class TestEval(object):

  @pytest.mark.parametrize("bound", ["elbo", "iwae"])
  def test_true_smoothing_is_exact(self, tmp_path, bound):
    """The posterior as the proposal makes every weight the likelihood."""
    results = ghmm_runners.run_eval(_config(tmp_path, bound=bound))
    np.testing.assert_allclose(
        results["log_p_hat"], results["likelihood"], rtol=1e-5, atol=1e-5)

  def test_true_filtering_beats_the_prior(self, tmp_path):
    spreads = {}
    for proposal_type in ("prior", "true-filtering"):
      results = ghmm_runners.run_eval(_config(
          tmp_path / proposal_type, proposal_type=proposal_type,
          batch_size=500, num_samples=8))
      spreads[proposal_type] = np.std(
          results["log_p_hat"] - results["likelihood"])
    # 500 sequences give each spread to about 5 percent.
    assert spreads["true-filtering"] < .7 * spreads["prior"]

  @pytest.mark.parametrize("bound, proposal_type, mean, std", [
      ("fivo", "prior", -3.0639, .5199),
      ("iwae", "true-smoothing", -.8559, .2147)])
  def test_per_timestep_as_in_the_original(
      self, tmp_path, bound, proposal_type, mean, std):
    results = ghmm_runners.run_eval(_config(
        tmp_path, bound=bound, proposal_type=proposal_type, batch_size=4,
        num_timesteps=10, random_seed=1234))
    assert results["mean"] == pytest.approx(mean, abs=1e-4)
    assert results["std"] == pytest.approx(std, abs=1e-4)

  @pytest.mark.parametrize("bound", ["iwae", "fivo"])
  def test_lines(self, tmp_path, caplog, bound):
    results = ghmm_runners.run_eval(_config(
        tmp_path, proposal_type="prior", bound=bound))
    expected = [
        "Evaled bound %s with batch_size: 3, num_samples: 4." % bound,
        "mean: %f, std: %f" % (results["mean"], results["std"]),
        "true likelihood: %s" % (results["likelihood"].mean() / 4),
        "avg log weight: %s" % results["log_weight_means"],
        "log weight variance: %s" % results["log_weight_variances"]]
    if bound == "fivo":
      expected.append("avg resamples per t: %s" % results["avg_resampled"])
    lines = _lines(caplog)
    start = lines.index(expected[0])
    assert lines[start:start + len(expected)] == expected
    assert sum("avg resamples" in line for line in lines) == (bound == "fivo")

  @pytest.mark.parametrize("run", [
      ghmm_runners.run_eval, ghmm_runners.run_sample])
  def test_too_large(self, tmp_path, run):
    with pytest.raises(errors.UserError, match="--num_samples=1000000: the "):
      run(_config(tmp_path, num_samples=10 ** 6, num_timesteps=200))

  def test_file(self, tmp_path):
    results = ghmm_runners.run_eval(_config(tmp_path))
    loaded = np.load(str(tmp_path / "out.npz"))
    for key in ("mean", "std", "log_weights", "log_weight_means",
                "log_weight_variances", "resampled", "avg_resampled"):
      np.testing.assert_array_equal(loaded[key], results[key])
      np.testing.assert_array_equal(loaded[()][key], results[key])
    assert loaded["log_weights"].shape == (4, 3, 4)
    assert loaded["resampled"].shape == (4, 3)

  def test_variance_is_that_of_the_log_weights(self, tmp_path):
    """The original's was a variance of variances."""
    results = ghmm_runners.run_eval(_config(
        tmp_path, proposal_type="prior", bound="iwae", batch_size=6))
    weights = results["log_weights"]
    by_hand = [np.mean([np.mean((w - w.mean())**2) for w in step])
               for step in weights]
    np.testing.assert_allclose(
        results["log_weight_variances"], by_hand, rtol=1e-5)

  def test_resampling_is_multinomial(self, tmp_path):
    """Relaxed resampling is for training: its bound is biased."""
    results = [
        ghmm_runners.run_eval(_config(
            tmp_path, proposal_type="prior", num_samples=8,
            resampling_type=resampling_type))
        for resampling_type in ("multinomial", "relaxed")]
    assert results[0]["resampled"].any()
    for key in results[0]:
      np.testing.assert_array_equal(results[0][key], results[1][key])

  def test_data_from_the_model(self, tmp_path):
    """The original's chain has one more transition than the model."""
    means = {}
    for data_from_model in (False, True):
      results = ghmm_runners.run_eval(_config(
          tmp_path, data_from_model=data_from_model, batch_size=4000,
          num_timesteps=1, bound="elbo", variance=1.))
      means[data_from_model] = results["likelihood"].mean()
    # With v = 1, x_0 of the model has variance 2: log N has the mean
    # -log(4 pi) / 2 - 1 / 2; the chain's has variance 3. The standard error
    # of 4000 draws is .011, or .017.
    entropy = -.5 * np.log(4 * np.pi)
    assert means[True] == pytest.approx(entropy - .5, abs=.05)
    assert means[False] == pytest.approx(entropy - .75, abs=.08)


class TestSample(object):

  def test_posterior_of_the_latents(self, tmp_path):
    """With true smoothing the particles are draws from the posterior."""
    path = ghmm_runners.run_sample(_config(
        tmp_path, num_samples=4000, num_timesteps=2, batch_size=2,
        variance=1.))
    loaded = np.load(path)
    for b in range(2):
      # z ~ N(0, K), x = z + noise: E[z | x] = K (K + 1)^-1 x.
      prior = np.array([[1., 1.], [1., 2.]])
      gain = prior.dot(np.linalg.inv(prior + np.eye(2)))
      samples = loaded["samples"][:, b]
      # Standard errors of .01: five of them.
      np.testing.assert_allclose(
          samples.mean(axis=1), gain.dot(loaded["observations"][:, b]),
          atol=.06)
      np.testing.assert_allclose(
          np.cov(samples), prior - gain.dot(prior), atol=.08)
