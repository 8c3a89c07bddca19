"""Tests of run_train.sh, run_cluster.sh and the like: flags and data."""

import os

import pytest

_RUN_SCRIPTS = ["run_train.sh", "run_eval.sh", "run_sample.sh"]

# Writes its working directory to what --out_file= names, or fails if there is
# $STUB_FAIL.
_MAKES_CHORALES = """
case "$*" in
  *create_chorales_dataset*)
    for argument in "$@"; do :; done
    [ -z "${STUB_FAIL:-}" ] || exit 1
    pwd >"${argument#--out_file=}" ;;
esac
"""


@pytest.fixture
def ready(checkout):
  checkout.add_environment(_MAKES_CHORALES)
  return checkout


def _flags(checkout, script, *arguments, program="run_fivo.py", **kwargs):
  """Runs a script and returns the flags of the program that it becomes."""
  result = checkout.run(script, *arguments, **kwargs)
  assert result.status == 0, result.stderr
  call = checkout.calls(program)[-1]
  assert call.pid == result.pid  # Signals reach it directly.
  assert call.arguments[0] == checkout.path(program)
  return call.arguments[1:]


def _value(flags, name):
  """The value that absl would take: the last one's."""
  return [flag.split("=", 1)[1] for flag in flags
          if flag.startswith("--%s=" % name)][-1]


@pytest.mark.parametrize("script, expected", [
    ("run_train.sh", [
        "--mode=train", "--logdir=/tmp/fivo", "--model=vrnn", "--bound=fivo",
        "--summarize_every=100", "--batch_size=4", "--num_samples=4",
        "--learning_rate=0.0001", "--dataset_path=/piano rolls/jsb.pkl",
        "--dataset_type=pianoroll"]),
    ("run_eval.sh", [
        "--mode=eval", "--split=test", "--alsologtostderr",
        "--logdir=/tmp/fivo", "--batch_size=4", "--num_samples=4",
        "--dataset_path=/piano rolls/jsb.pkl"]),
    ("run_sample.sh", [
        "--mode=sample", "--alsologtostderr", "--logdir=/tmp/fivo",
        "--batch_size=4", "--num_samples=4", "--split=test",
        "--dataset_path=/piano rolls/jsb.pkl", "--prefix_length=25",
        "--sample_length=50", "--render"]),
])
def test_commands_are_those_of_the_original_readme(ready, script, expected):
  """But for what a run's logdir knows, so that other models work too."""
  own = ["--bound=iwae", "--logdir", "/a b", "", "*", "it's $HOME"]
  flags = _flags(
      ready, script, *own, variables={"PIANOROLL_DIR": "/piano rolls"})
  assert flags == expected + own


@pytest.mark.parametrize("script, program", [
    ("run_cluster.sh", "fivo/cluster/local.py"),
    ("run_benchmark.sh", "benchmarks/run.py"),
    ("reproduce.sh", "benchmarks/reproduce.py")])
def test_other_programs(ready, script, program):
  own = ["--workers=3", "--yardstick=x=echo '3 steps/s' *"]
  variables = {"PIANOROLL_DIR": "/p"}
  flags = _flags(ready, script, *own, program=program, variables=variables)
  if script == "run_cluster.sh":
    assert flags == _flags(ready, "run_train.sh", *own, variables=variables)
  else:
    assert flags == ["--dataset_path=/p/jsb.pkl"] * (
        script == "run_benchmark.sh") + own


def test_reproduce_makes_the_chorales(ready):
  assert _flags(ready, "reproduce.sh", "--dataset=chorales",
                program="benchmarks/reproduce.py") == [
                    "--data_dir=" + ready.path(".data"), "--dataset=chorales"]
  assert len(ready.calls("create_chorales_dataset")) == 1


def test_renders_only_where_it_can(checkout):
  """The stub finds no package."""
  checkout.add_environment('case "$*" in *find_spec*) exit 1 ;; esac')
  assert "--render" not in _flags(checkout, "run_sample.sh", "--dataset_path=x")


@pytest.mark.parametrize("directory, script", [
    (".", "bin/run_train.sh"), ("bin", "run_train.sh"),
    ("bin", "../bin/run_train.sh")])
def test_called_by_a_relative_path(ready, tmp_path, directory, script):
  # `cd bin` looks there first, and says so.
  (tmp_path / "decoy" / "bin").mkdir(parents=True)
  process = ready.start(
      script, relative=True, shell="sh", cwd=ready.path(directory),
      variables={"CDPATH": str(tmp_path / "decoy"), "PIANOROLL_DIR": "x"})
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == 0, stderr


class TestData(object):

  def test_chorales_are_made_once_for_all(self, ready, tmp_path):
    flags = [_flags(ready, script, cwd=str(tmp_path))
             for script in _RUN_SCRIPTS]
    path = ready.path(".data", "chorales.pkl")
    assert {_value(each, "dataset_path") for each in flags} == {path}
    assert {_value(each, "logdir") for each in flags} == {
        "/tmp/fivo_chorales"}
    call, = ready.calls("create_chorales_dataset")
    assert call.arguments[2] == "--out_file=" + path
    # `python -m` would prefer a package fivo in the working directory.
    with open(path) as stream:
      assert stream.read() == ready.root + "\n"

  def test_chorales_that_cannot_be_made_end_the_script(self, ready):
    result = ready.run("run_train.sh", variables={"STUB_FAIL": "1"})
    assert result.status == 1
    assert "could not make" in result.stderr.splitlines()[-1]
    assert not ready.calls("run_fivo.py")

  @pytest.mark.parametrize("value, directory", [
      ("da ta", "{cwd}/da ta"), ("~/da ta", "{home}/da ta"),
      ("file://{home}/x", "{home}/x")])
  def test_chorales_elsewhere(self, ready, tmp_path, value, directory):
    names = dict(cwd=tmp_path, home=ready.environment["HOME"])
    flags = _flags(ready, "run_train.sh", cwd=str(tmp_path),
                   variables={"FIVO_DATA_DIR": value.format(**names)})
    path = _value(flags, "dataset_path")
    assert path == directory.format(**names) + "/chorales.pkl"
    assert os.path.exists(path)

  def test_url(self, ready):
    result = ready.run("run_train.sh", variables={"FIVO_DATA_DIR": "gs://b/x"})
    assert result.status == 1
    assert result.stderr.startswith(
        "run_train.sh: FIVO_DATA_DIR=gs://b/x: must be ")
    assert not ready.calls()

  @pytest.mark.parametrize("own, logdir", [
      (["--dataset_path=x"], "/tmp/fivo"),
      (["-dataset_path", "x"], "/tmp/fivo"),
      (["--help"], "/tmp/fivo"), (["--model=ghmm"], "/tmp/fivo_ghmm"),
      (["--dataset_type=pianoroll"], "/tmp/fivo_chorales"),
      (["--dataset_pathology=x"], "/tmp/fivo_chorales"),
      (["--", "--dataset_path=x"], "/tmp/fivo_chorales")])
  def test_flags_that_choose_the_data(self, ready, own, logdir):
    flags = _flags(ready, "run_train.sh", *own)
    assert flags[-len(own):] == own
    assert _value(flags, "logdir") == logdir
    assert len(ready.calls("create_chorales_dataset")) == (
        logdir == "/tmp/fivo_chorales")

  def test_pianorolls_at_home(self, ready):
    home = ready.environment["HOME"]
    ready.write(os.path.join(home, "pianorolls", "jsb.pkl"), "")
    flags = _flags(ready, "run_train.sh", variables={"PIANOROLL_DIR": ""})
    assert _value(flags, "dataset_path") == home + "/pianorolls/jsb.pkl"
    assert not ready.calls("create_chorales_dataset")

  @pytest.mark.parametrize("script", _RUN_SCRIPTS)
  def test_logdir_of_the_environment(self, ready, script):
    variables = {"FIVO_LOGDIR": "/log dir"}
    flags = _flags(ready, script, variables=variables)
    assert _value(flags, "logdir") == "/log dir"
    flags = _flags(ready, script, "--logdir=/mine", variables=variables)
    assert _value(flags, "logdir") == "/mine"


@pytest.mark.parametrize("own, variables, out_dir", [
    ("--pretrained", {}, "/tmp/fivo_pretrained"),
    ("--pretrained=true", {"FIVO_LOGDIR": "/a b"}, "/a b")])
def test_samples_from_the_model_of_the_checkout(ready, own, variables, out_dir):
  """The chorales', whatever else there is, and nothing is written to it."""
  _flags(ready, "run_sample.sh", own, "--help")
  assert not ready.calls("create_chorales_dataset")
  flags = _flags(ready, "run_sample.sh", "--batch_size=2", own, "--bound=iwae",
                 variables=dict(variables, PIANOROLL_DIR="/p"))
  assert flags[-2:] == ["--batch_size=2", "--bound=iwae"]
  assert own not in flags
  assert _value(flags, "logdir") == ready.path(
      "results", "models", "chorales_vrnn_autoregressive_fivo_n4_seed1")
  assert _value(flags, "dataset_path") == ready.path(".data", "chorales.pkl")
  assert _value(flags, "sample_out_dir") == out_dir


def test_plot_training_takes_logdirs_and_flags_in_any_order(ready):
  assert _flags(
      ready, "plot_training.sh", "a b", "--out_file", "x.png", "c",
      "--verbosity=0", program="fivo/rendering/plot_training.py") == [
          "--logdir=a b", "--out_file", "x.png", "--logdir=c", "--verbosity=0"]
