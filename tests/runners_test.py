"""Tests of the runners on a tiny dataset, without files of data."""

import functools
import pickle
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from fivo import runners
from fivo.config import config as config_lib
from fivo.logdir import run_directory
from fivo.system import errors
from tests import toy


def _config(logdir, **kwargs):
  defaults = dict(
      logdir=str(logdir), batch_size=2, num_samples=3, max_steps=2,
      summarize_every=1, prefix_length=3, sample_length=4, random_seed=0)
  defaults.update(kwargs)
  return types.SimpleNamespace(**defaults)


def _train(logdir, **kwargs):
  runners.run_train(_config(logdir, **kwargs), toy.create_dataset_and_model)


def _sample(logdir, out_dir, **kwargs):
  return runners.run_sample(
      _config(logdir, sample_out_dir=str(out_dir), **kwargs),
      toy.create_dataset_and_model)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
  """The logdir of a run of two steps, which tests only read."""
  logdir = tmp_path_factory.mktemp("run")
  _train(logdir)
  return logdir


def _values(logdir):
  """The values of all variables in the newest checkpoint, by name."""
  reader = tf.compat.v1.train.NewCheckpointReader(
      run_directory.RunDirectory(logdir).latest())
  return {name: reader.get_tensor(name)
          for name in reader.get_variable_to_shape_map()}


@pytest.mark.parametrize("repeat", [False, True])
def test_only_training_cuts_and_drops(monkeypatch, repeat):
  config = config_lib.from_object(types.SimpleNamespace(
      dataset_path="x.pkl", max_train_length=7, input_dropout=.25,
      transpose_octaves=2))
  seen = []

  def create(*unused_args, options, **unused_kwargs):
    seen.append((options.max_length, options.input_dropout, options.octaves))
    raise _StopError()

  monkeypatch.setattr(runners.datasets, "create_pianoroll_dataset", create)
  with pytest.raises(_StopError):
    runners.create_dataset_and_model(
        config, "train", shuffle=repeat, repeat=repeat)
  assert seen == [(7, .25, 2) if repeat else (None, 0., 2)]


@pytest.mark.slow
def test_data_for_a_server_of_the_users_is_read_here(tmp_path):
  """In one of another process there is no Python to read it."""
  calls = []

  def create(*args, **kwargs):
    inputs, *others = toy.create_dataset_and_model(*args, **kwargs)
    calls.append(tf.compat.v1.get_default_graph())
    if len(calls) == 1:  # In the graph that the server has.
      with tf.control_dependencies([tf.debugging.Assert(False, ["read"])]):
        inputs = tf.identity(inputs)
    return [inputs] + others

  server = tf.distribute.Server.create_local_server()
  runners.run_train(_config(tmp_path, master=server.target), create)
  assert run_directory.RunDirectory(tmp_path).latest_step() == 2
  assert len(set(calls)) == 2


class _StopError(Exception):
  """Ends a run before it has begun."""


def _lines(caplog):
  lines = [record.getMessage() for record in caplog.records]
  caplog.clear()
  return lines


@pytest.fixture(autouse=True)
def _show_info(caplog):
  caplog.set_level("INFO", logger="absl")


class TestTrain(object):

  @pytest.mark.default_session
  def test_log_lines(self, tmp_path, caplog):
    """Of the other bounds, see matrix_test.py."""
    _train(tmp_path)
    steps = [line for line in _lines(caplog) if line.startswith("Step")]
    assert [line.split(":")[0] for line in steps] == [
        "Step %d, fivo bound per timestep" % step for step in (1, 2)]
    assert run_directory.RunDirectory(tmp_path).latest_step() == 2

  def test_per_sequence(self, tmp_path, caplog):
    _train(tmp_path, normalize_by_seq_len=False, max_steps=1)
    assert any(line.startswith("Step 1, fivo bound per sequence: ")
               for line in _lines(caplog))

  def test_summaries(self, trained):
    tags = set()
    for path in trained.glob("events.*"):
      for event in tf.compat.v1.train.summary_iterator(str(path)):
        tags.update(value.tag for value in event.summary.value)
    assert {"train_ll_per_seq", "train_ll_per_t"} <= tags
    assert {"bound_per_timestep/fivo", "bound_per_sequence/fivo",
            "training/gradient_norm", "training/learning_rate",
            "speed/steps_per_second", "speed/timesteps_per_second",
            "particles/effective_sample_size",
            "particles/resampling_rate"} <= tags

  def test_twice_with_another_resampling_type(self, tmp_path):
    """Old tests do this, with a bare class for a configuration."""
    for step, resampling_type in enumerate(("multinomial", "relaxed"), start=1):
      class Config(object):
        pass
      for name, value in vars(_config(tmp_path, max_steps=step)).items():
        setattr(Config, name, value)
      Config.resampling_type = resampling_type
      runners.run_train(Config, toy.create_dataset_and_model)
      assert run_directory.RunDirectory(tmp_path).latest_step() == step

  @pytest.mark.default_session
  def test_seeded_runs_are_equal(self, trained, tmp_path):
    """Seed 0 used to be ignored."""
    _train(tmp_path)
    values, again = _values(trained), _values(tmp_path)
    assert values.keys() == again.keys()
    for name, value in values.items():
      np.testing.assert_array_equal(value, again[name], err_msg=name)

  def test_resumed_run_draws_new_noise(self, tmp_path, trained):
    """A resumed run used to replay its noise and data from the start."""
    seen = []

    def create(config, **unused_kwargs):
      seen.append(config_lib.from_object(config).noise_seed)
      raise _StopError()

    for logdir in (tmp_path, trained):
      with pytest.raises(_StopError):
        runners.run_train(_config(logdir, max_steps=4), create)
    assert seen == [0, 2]

  def test_averages_go_on(self, tmp_path):
    """A resumed run goes on from the variables and from their averages."""
    _train(tmp_path, average_variables=.9, learning_rate=.1)
    before = _values(tmp_path)
    # The last step leaves the variables as they are.
    _train(tmp_path, average_variables=.9, learning_rate=1e-20, max_steps=3)
    after = _values(tmp_path)
    name = "prior_fcnet/linear_1/b"
    raw_name = name + "/ExponentialMovingAverage"
    raw = before[raw_name]
    assert (before[name] != raw).any()
    np.testing.assert_array_equal(after[raw_name], raw)
    decay = (1. + 3) / (10. + 3)
    np.testing.assert_allclose(
        after[name], decay * before[name] + (1 - decay) * raw, rtol=1e-5,
        atol=1e-7)

  def test_a_finished_run_builds_no_graph(self, trained, caplog, monkeypatch):
    monkeypatch.setattr(tf, "Graph", None)
    caplog.clear()
    _train(trained, max_steps=2)
    assert "Already at step 2 of --max_steps=2: nothing to do." in _lines(
        caplog)


class TestOwnConfiguration(object):

  def test_a_function_of_the_callers_gets_it(self, tmp_path):
    """With whatever the caller keeps in it, and may change."""
    config = _config(
        tmp_path, model="mine", dataset_type="frames", split="dev", own=[7],
        batch_size=np.int32(2), num_samples=3.0, num_timesteps=None,
        eval_every=1)
    seen = []

    def create(own_config, split, shuffle, repeat):
      assert own_config is config
      own_config.latent_size = 9  # Is kept, or evaluation would refuse it.
      own_config.own.append(split)
      seen.append((split, shuffle, repeat))
      inside = config_lib.from_object(own_config)._replace(model="vrnn")
      return toy.create_dataset_and_model(inside, split, shuffle, repeat)

    runners.run_train(config, create)
    result = runners.run_eval(config, create)
    runners.run_sample(config, create)
    assert result.num_sequences == 5
    assert seen == [("train", True, True), ("valid", False, False),
                    ("dev", False, False), ("dev", True, False)]
    assert config.own[1:] == [split for split, _, _ in seen]
    with pytest.raises(errors.UserError,
                       match="has a model, 'mine', that must be one"):
      runners.run_eval(config)

  def test_a_function_around_ours(self, tmp_path):
    """Ours finds what the run has resolved, and what the function set."""
    seen = []

    def create(config, **kwargs):
      config.dataset_path = "missing.pkl"
      seen.append(config_lib.from_object(config))
      return runners.create_dataset_and_model(config, **kwargs)

    _train(tmp_path)
    config = _config(tmp_path, max_steps=4)
    with pytest.raises(errors.UserError, match="--dataset_path=missing.pkl"):
      runners.run_train(config, create)
    assert seen[0].start_step == 2
    np.testing.assert_array_equal(seen[0].train_mean, toy.MEAN)


def test_poses(tmp_path):
  """Real-valued sequences, which the original listed and did not have."""
  rng = np.random.RandomState(0)
  contents = {split: [rng.normal(size=[length, 3]).astype(np.float32)
                      for length in (5, 4)]
              for split in ("train", "valid", "test")}
  contents["train_mean"] = np.full([3], .5)
  path = tmp_path / "poses.pkl"
  path.write_bytes(pickle.dumps(contents, 2))
  config = _config(tmp_path / "run", dataset_type="pose", latent_size=2,
                   dataset_path=str(path), split="test")
  runners.run_train(config)
  assert np.isfinite(runners.run_eval(config).ll_per_t).all()
  samples = np.load(runners.run_sample(config))
  assert samples["samples"].shape == (4, 2, 3, 3)
  assert len(np.unique(samples["samples"])) > 50


def test_restoring_by_hand(trained, tmp_path):
  with tf.Graph().as_default(), tf.compat.v1.Session() as session:
    step = tf.compat.v1.train.get_or_create_global_step()
    saver = tf.compat.v1.train.Saver()
    assert not runners.restore_checkpoint_if_exists(
        saver, session, str(tmp_path))
    for restore in (runners.restore_checkpoint_if_exists,
                    runners.wait_for_checkpoint):
      session.run(step.assign(9).op)
      restore(saver, session, str(trained))
      assert session.run(step) == 2


class TestEval(object):

  def test_rotated_away_meanwhile(self, trained, tmp_path, monkeypatch):
    logdir = str(tmp_path / "run")
    shutil.copytree(str(trained), logdir)
    monkeypatch.setattr(
        run_directory.RunDirectory, "require",
        lambda self, *unused_args: self.path_of(1))
    for run in (runners.run_eval, runners.run_sample):
      run(_config(logdir), toy.create_dataset_and_model)

  def test_lines_and_batch_sizes(self, trained, caplog):
    caplog.clear()
    results = []
    for batch_sizes in ([1], [5], [2, 3]):
      results.append(runners.run_eval(
          _config(trained, num_samples=1024, split="test"),
          functools.partial(toy.create_dataset_and_model,
                            batch_sizes=batch_sizes)))
      lines = _lines(caplog)
      assert "Model restored from step 2, evaluating." in lines
      assert lines[-2].startswith("test elbo ll/t: ")
      assert lines[-1].startswith("test elbo ll/seq: ")
    for result in results:
      assert result.num_sequences == 5
      # Sampling noise of 1024 particles over 20 timesteps of a tiny model.
      np.testing.assert_allclose(result.ll_per_t, results[0].ll_per_t, atol=.05)
      np.testing.assert_allclose(
          result.ll_per_seq / result.ll_per_t, np.mean(toy.LENGTHS))


class TestSample(object):

  def test_too_large(self, trained, tmp_path):
    with pytest.raises(errors.UserError, match="--sample_length=900000: the "):
      _sample(trained, tmp_path / "out", sample_length=900000, batch_size=100)
    assert not (tmp_path / "out").exists()

  def test_prefixes_are_long_enough(self, trained, tmp_path):
    """Shorter sequences used to be continued from their padding."""
    path = _sample(trained, tmp_path / "made" / "by_it", prefix_length=5)
    assert path == str(tmp_path / "made" / "by_it" / "samples.npz")
    loaded = np.load(path)
    long_enough = [x[:5] for x in toy.sequences() if len(x) >= 5]
    for b in range(2):
      assert any(np.array_equal(loaded["prefixes"][:, b], x)
                 for x in long_enough)

  def test_too_few_long_enough(self, trained, tmp_path, caplog):
    loaded = np.load(_sample(trained, tmp_path, prefix_length=6))
    np.testing.assert_array_equal(
        loaded["prefixes"][:, 0], loaded["prefixes"][:, 1])
    assert any("Only 1 sequences have 6" in line for line in _lines(caplog))
