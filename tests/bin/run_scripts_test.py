"""Tests of run_train.sh, run_cluster.sh and the like: flags and data."""

import os
import shutil

import pytest

_RUN_SCRIPTS = ["run_train.sh", "run_eval.sh", "run_sample.sh"]

# Writes its working directory to what --out_file= names, after $STUB_SLOW
# seconds, or fails if there is $STUB_FAIL.
_MAKES_CHORALES = """
case "$*" in
  *create_chorales_dataset*)
    for argument in "$@"; do :; done
    sleep "${STUB_SLOW:-0}"
    [ -z "${STUB_FAIL:-}" ] || exit 1
    pwd >"${argument#--out_file=}" ;;
esac
"""


@pytest.fixture
def ready(checkout):
  checkout.add_environment(_MAKES_CHORALES)
  return checkout


def _flags(checkout, script, *arguments, **kwargs):
  """Runs a script and returns run_fivo.py's arguments."""
  before = len(checkout.calls("run_fivo.py"))
  result = checkout.run(script, *arguments, **kwargs)
  assert result.status == 0, result.stderr
  calls = checkout.calls("run_fivo.py")[before:]
  assert len(calls) == 1
  program, arguments = calls[0].arguments[0], calls[0].arguments[1:]
  assert program == checkout.path("run_fivo.py")
  return arguments


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
  flags = _flags(ready, script, variables={"PIANOROLL_DIR": "/piano rolls"})
  assert flags == expected


def test_renders_only_where_it_can(checkout):
  """The stub finds no package."""
  checkout.add_environment('case "$*" in *find_spec*) exit 1 ;; esac')
  assert "--render" not in _flags(checkout, "run_sample.sh", "--dataset_path=x")


@pytest.mark.parametrize("script", _RUN_SCRIPTS)
def test_flags_are_passed_on_last_and_unchanged(ready, script):
  own = ["--max_steps=200", "--bound=iwae", "--logdir", "/a b", "", "*",
         "--dataset_path=x", "it's $HOME"]
  assert _flags(ready, script, *own)[-len(own):] == own


@pytest.mark.parametrize("shell", [None, "sh", "bash", "dash"])
@pytest.mark.parametrize("directory", ["/", "bin", "elsewhere"])
def test_any_shell_and_working_directory(ready, tmp_path, shell, directory):
  if shell and not shutil.which(shell):
    pytest.skip("no %s here" % shell)
  (tmp_path / "elsewhere").mkdir()
  place = {"/": "/", "bin": ready.path("bin")}.get(
      directory, str(tmp_path / "elsewhere"))
  _flags(ready, "run_train.sh", "--dataset_path=x", shell=shell, cwd=place,
         variables={"CDPATH": str(tmp_path)})


@pytest.mark.parametrize("directory, script", [
    (".", "bin/run_train.sh"), ("bin", "run_train.sh"),
    ("bin", "./run_train.sh"), ("bin", "../bin/run_train.sh")])
def test_called_by_a_relative_path(ready, tmp_path, directory, script):
  # `cd bin` looks there first, and says so.
  (tmp_path / "decoy" / "bin").mkdir(parents=True)
  process = ready.start(
      script, relative=True, shell="sh", cwd=ready.path(directory),
      variables={"CDPATH": str(tmp_path / "decoy")})
  _, stderr = process.communicate(timeout=60)
  assert process.returncode == 0, stderr


def test_exit_code_and_process_are_those_of_python(checkout):
  checkout.add_environment('case "$*" in *run_fivo.py*) exit 17 ;; esac\n')
  result = checkout.run("run_train.sh", "--dataset_path=x")
  assert result.status == 17
  # The script has become the Python: signals reach that directly.
  assert checkout.calls("run_fivo.py")[0].pid == result.pid


def test_a_cluster_trains_what_run_train_trains(ready):
  variables = {"PIANOROLL_DIR": "/piano rolls"}
  own = ["--workers=3", "--max_steps=2"]
  result = ready.run("run_cluster.sh", *own, variables=variables)
  assert result.status == 0, result.stderr
  call, = ready.calls("local.py")
  assert call.pid == result.pid
  assert call.arguments[0] == ready.path("fivo", "cluster", "local.py")
  assert call.arguments[1:] == _flags(
      ready, "run_train.sh", *own, variables=variables)


class TestData(object):

  def test_the_three_share_data_and_logdir(self, ready):
    flags = [_flags(ready, script) for script in _RUN_SCRIPTS]
    assert {_value(each, "dataset_path") for each in flags} == {
        ready.path(".data", "chorales.pkl")}
    assert {_value(each, "logdir") for each in flags} == {
        "/tmp/fivo_chorales"}

  def test_chorales_are_made_once(self, ready):
    for script in _RUN_SCRIPTS:
      _flags(ready, script)
    call, = ready.calls("create_chorales_dataset")
    assert call.arguments == [
        "-m", "fivo.data.create_chorales_dataset",
        "--out_file=" + ready.path(".data", "chorales.pkl")]

  def test_chorales_are_made_in_the_checkout(self, ready, tmp_path):
    # `python -m` would prefer a package fivo in the working directory.
    _flags(ready, "run_train.sh", cwd=str(tmp_path))
    with open(ready.path(".data", "chorales.pkl")) as stream:
      assert stream.read() == ready.root + "\n"

  def test_chorales_are_made_once_by_two_at_once(self, ready):
    processes = [ready.start(script, variables={"STUB_SLOW": "0.2"})
                 for script in _RUN_SCRIPTS]
    for process in processes:
      _, stderr = process.communicate(timeout=60)
      assert process.returncode == 0, stderr
    assert len(ready.calls("create_chorales_dataset")) == 1

  def test_chorales_that_cannot_be_made_end_the_script(self, ready):
    result = ready.run("run_train.sh", variables={"STUB_FAIL": "1"})
    assert result.status == 1
    assert "could not make" in result.stderr.splitlines()[-1]
    assert not ready.calls("run_fivo.py")

  def test_chorales_elsewhere(self, ready, tmp_path):
    flags = _flags(ready, "run_train.sh", cwd=str(tmp_path),
                   variables={"FIVO_DATA_DIR": "da ta"})
    assert _value(flags, "dataset_path") == str(
        tmp_path / "da ta" / "chorales.pkl")
    assert (tmp_path / "da ta" / "chorales.pkl").exists()

  @pytest.mark.parametrize("own", [
      ["--dataset_path=x"], ["--dataset_path", "x"], ["-dataset_path=x"],
      ["-dataset_path", "x"], ["--bound=elbo", "--dataset_path="]])
  def test_the_users_own_data_need_no_chorales(self, ready, own):
    flags = _flags(ready, "run_eval.sh", *own)
    assert not ready.calls("create_chorales_dataset")
    assert not any("chorales" in flag for flag in flags)
    assert flags[-len(own):] == own
    assert _value(flags, "logdir") == "/tmp/fivo"

  @pytest.mark.parametrize("own", [
      ["--dataset_type=pianoroll"], ["--dataset_pathology=x"],
      ["--", "--dataset_path=x"], ["dataset_path=x"]])
  def test_other_flags_are_not_taken_for_data(self, ready, own):
    _flags(ready, "run_eval.sh", *own)
    assert len(ready.calls("create_chorales_dataset")) == 1

  @pytest.mark.parametrize("own", [["--model=ghmm"], ["--model", "ghmm"],
                                   ["--model=vrnn", "-model=ghmm"]])
  def test_the_ghmm_needs_no_data(self, ready, own):
    flags = _flags(ready, "run_train.sh", *own)
    assert not ready.calls("create_chorales_dataset")
    assert not any(flag.startswith("--dataset_path") for flag in flags)
    assert _value(flags, "logdir") == "/tmp/fivo_ghmm"

  def test_pianoroll_dir(self, ready):
    flags = _flags(ready, "run_train.sh", variables={"PIANOROLL_DIR": "/p"})
    assert _value(flags, "dataset_path") == "/p/jsb.pkl"
    assert _value(flags, "logdir") == "/tmp/fivo"
    assert not ready.calls("create_chorales_dataset")

  def test_pianorolls_at_home(self, ready):
    home = ready.environment["HOME"]
    ready.write(os.path.join(home, "pianorolls", "jsb.pkl"), "")
    flags = _flags(ready, "run_train.sh")
    assert _value(flags, "dataset_path") == home + "/pianorolls/jsb.pkl"
    assert not ready.calls("create_chorales_dataset")

  @pytest.mark.parametrize("value, path", [
      ("~/da ta", "{home}/da ta"), ("file://{home}/x", "{home}/x")])
  def test_names_of_directories(self, ready, value, path):
    home = ready.environment["HOME"]
    flags = _flags(ready, "run_train.sh", variables={
        "FIVO_DATA_DIR": value.format(home=home)})
    assert _value(flags, "dataset_path") == (
        path.format(home=home) + "/chorales.pkl")

  @pytest.mark.parametrize("url", ["gs://b/x", "file://x"])
  def test_url(self, ready, url):
    result = ready.run("run_train.sh", variables={"FIVO_DATA_DIR": url})
    assert result.status == 1
    assert result.stderr.startswith(
        "run_train.sh: FIVO_DATA_DIR=%s: must be " % url)
    assert result.stderr.count("\n") == 1
    assert not ready.calls()

  def test_an_empty_pianoroll_dir_is_none(self, ready):
    flags = _flags(ready, "run_train.sh", variables={"PIANOROLL_DIR": ""})
    assert _value(flags, "dataset_path").endswith("chorales.pkl")

  @pytest.mark.parametrize("variables", [{}, {"PIANOROLL_DIR": "/p"}])
  @pytest.mark.parametrize("script", _RUN_SCRIPTS)
  def test_logdir_of_the_environment(self, ready, script, variables):
    flags = _flags(ready, script,
                   variables=dict(variables, FIVO_LOGDIR="/log dir"))
    assert _value(flags, "logdir") == "/log dir"
    flags = _flags(ready, script, "--logdir=/mine",
                   variables=dict(variables, FIVO_LOGDIR="/log dir"))
    assert _value(flags, "logdir") == "/mine"

  def test_help_waits_for_no_data(self, ready):
    assert _flags(ready, "run_train.sh", "--help")[-1] == "--help"
    assert not ready.calls("create_chorales_dataset")


class TestPretrained(object):

  def test_samples_from_the_model_of_the_checkout(self, ready):
    """The chorales', whatever else there is, and nothing is written to it."""
    flags = _flags(ready, "run_sample.sh", "--batch_size=2", "--pretrained",
                   "--bound=iwae", variables={"PIANOROLL_DIR": "/rolls"})
    assert flags[-2:] == ["--batch_size=2", "--bound=iwae"]
    assert "--pretrained" not in flags
    assert _value(flags, "logdir") == ready.path(
        "results", "models", "chorales_vrnn_fivo_n4_seed1")
    assert _value(flags, "dataset_path") == ready.path(".data", "chorales.pkl")
    assert _value(flags, "sample_out_dir") == "/tmp/fivo_pretrained"

  def test_elsewhere(self, ready):
    flags = _flags(ready, "run_sample.sh", "--pretrained",
                   variables={"FIVO_LOGDIR": "/a b"})
    assert _value(flags, "sample_out_dir") == "/a b"


class TestReproduce(object):

  def _call(self, ready, *arguments, **kwargs):
    result = ready.run("reproduce.sh", *arguments, **kwargs)
    assert result.status == 0, result.stderr
    call, = ready.calls("reproduce.py")
    assert call.arguments[0] == ready.path("benchmarks", "reproduce.py")
    return call.arguments[1:]

  def test_passes_flags_on(self, ready):
    assert self._call(ready, "--dataset=jsb", "--jobs=1") == [
        "--dataset=jsb", "--jobs=1"]

  def test_makes_the_chorales(self, ready):
    assert self._call(ready, "--dataset=chorales") == [
        "--data_dir=" + ready.path(".data"), "--dataset=chorales"]
    assert len(ready.calls("create_chorales_dataset")) == 1


def test_plot_training_takes_logdirs_and_flags_in_any_order(ready):
  result = ready.run("plot_training.sh", "a b", "--out_file", "x.png", "c",
                     "--verbosity=0")
  assert result.status == 0, result.stderr
  call, = ready.calls("plot_training.py")
  assert call.arguments[1:] == [
      "--logdir=a b", "--out_file", "x.png", "--logdir=c", "--verbosity=0"]
