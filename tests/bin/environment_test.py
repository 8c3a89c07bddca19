"""Tests of bin/environment.sh, through the scripts that source it."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.bin import fake_checkout

# The script dies in the middle of pip, as of `kill -9`.
_KILLED_IN_PIP = """
case "$*" in
  *"-m pip "*) : >"${0%/bin/*}/lib/half-a-package"; kill -9 "$PPID" ;;
esac
"""
_PIP_FAILS = """
case "$*" in *"-m pip "*) exit 1 ;; esac
"""
_PIP_IS_SLOW = """
case "$*" in *"-m pip "*) sleep 0.2 ;; esac
"""


def _train(checkout, *arguments, **kwargs):
  return checkout.run("run_train.sh", "--dataset_path=x", *arguments, **kwargs)


def _assert_one_line(result, *words):
  assert result.status == 1
  assert len(result.stderr.splitlines()) == 1, result.stderr
  for word in words:
    assert word in result.stderr


class TestFirstUse(object):

  def test_sets_up_once(self, checkout):
    checkout.add_python("python3.7")
    result = _train(checkout)
    assert result.status == 0, result.stderr
    assert len(checkout.calls("-m venv")) == 1
    assert len(checkout.calls("run_fivo.py")) == 1
    calls = len(checkout.calls())
    result = _train(checkout)
    assert (result.status, result.stderr) == (0, "")
    # The second time, training is all that happens.
    assert len(checkout.calls()) == calls + 1

  def test_installs_by_hash_first_pip_then_the_rest(self, checkout):
    checkout.add_python("python3.7")
    _train(checkout)
    bootstrap, rest = checkout.calls("-m pip install")
    for call in (bootstrap, rest):
      assert "--require-hashes" in call.arguments
      assert call.program == checkout.path(".venv", "bin", "python")
    path = bootstrap.arguments[bootstrap.arguments.index("-r") + 1]
    with open(path) as stream:
      assert stream.read() == (
          "pip==24.0 \\\n    --hash=sha256:2\n    # via fivo\n")
    assert checkout.path("requirements.lock") in rest.arguments
    # Nothing that the lock file does not pin may be fetched to build with.
    assert "--no-build-isolation" in rest.arguments

  def test_makes_the_project_importable(self, checkout):
    checkout.add_python("python3.7")
    _train(checkout)
    with open(checkout.path(".venv", "lib", "fivo.pth")) as stream:
      assert stream.read() == checkout.root + "\n"

  def test_compiles_whatever_the_user_has_set(self, checkout):
    checkout.add_python("python3.7")
    _train(checkout, variables={"PYTHONDONTWRITEBYTECODE": "1"})
    compile_call, = checkout.calls("-m compileall")
    # -I is what makes Python ignore the variable.
    assert compile_call.arguments[0] == "-I"

  def test_users_pip_settings_do_not_lead_out_of_the_environment(
      self, checkout):
    checkout.add_python("python3.7", behaviour='case "$*" in *"-m pip "*) '
                        'echo "${PIP_TARGET:-none} $PIP_USER" >&2 ;; esac\n')
    result = _train(
        checkout, variables={"PIP_TARGET": "/elsewhere", "PIP_USER": "1"})
    assert result.stderr.splitlines()[1:] == ["none 0", "none 0"]

  @pytest.mark.parametrize("script", [
      "run_train.sh", "run_eval.sh", "run_sample.sh", "run_tests.sh",
      "run_lint.sh", "download_pianorolls.sh"])
  def test_each_script_does_it(self, checkout, script):
    checkout.add_python("python3.7")
    result = checkout.run(script, "--dataset_path=x")
    assert result.status == 0, result.stderr
    assert len(checkout.calls("-m venv")) == 1

  def test_environment_elsewhere(self, checkout, tmp_path):
    checkout.add_python("python3.7")
    place = str(tmp_path / "else where")
    result = _train(checkout, variables={"FIVO_VENV": place})
    assert result.status == 0, result.stderr
    call, = checkout.calls("run_fivo.py")
    assert call.program == place + "/bin/python"
    assert not os.path.exists(checkout.path(".venv"))

  def test_relative_environment_stays_relative_to_the_caller(
      self, checkout, tmp_path):
    checkout.add_python("python3.7")
    result = _train(checkout, variables={"FIVO_VENV": "here"},
                    cwd=str(tmp_path))
    assert result.status == 0, result.stderr
    assert checkout.calls("run_fivo.py")[0].program == (
        str(tmp_path / "here" / "bin" / "python"))

  def test_an_interpreter_that_has_everything_is_used_as_it_is(
      self, checkout, tmp_path):
    interpreter = checkout.add_python(str(tmp_path / "my python"))
    result = _train(checkout, variables={"FIVO_INTERPRETER": interpreter})
    assert (result.status, result.stderr) == (0, "")
    call, = checkout.calls()
    assert call.program == interpreter
    assert not os.path.exists(checkout.path(".venv"))

  def test_an_interpreter_that_is_none_is_named(self, checkout):
    result = _train(checkout, variables={"FIVO_INTERPRETER": "/no/python"})
    _assert_one_line(result, "FIVO_INTERPRETER=/no/python")


class TestRepair(object):

  def test_interrupted_set_up_is_done_again(self, checkout):
    checkout.add_python("python3.7", behaviour=_KILLED_IN_PIP)
    assert _train(checkout).status == -9
    half = checkout.path(".venv", "lib", "half-a-package")
    assert os.path.exists(half)
    assert not checkout.calls("run_fivo.py")
    checkout.add_python("python3.7")
    result = _train(checkout)
    assert result.status == 0, result.stderr
    assert not os.path.exists(half)
    assert len(checkout.calls("run_fivo.py")) == 1

  def test_interrupted_repair_is_done_again(self, checkout):
    # The stamp of the complete environment must not outlive that.
    checkout.add_environment()
    os.remove(checkout.path(".venv", "bin", "python"))
    checkout.add_python("python3.7", behaviour=_KILLED_IN_PIP)
    assert _train(checkout).status == -9
    checkout.add_python("python3.7")
    assert _train(checkout).status == 0
    assert len(checkout.calls("-m venv")) == 2

  def test_interrupted_before_anything_was_made(self, checkout):
    checkout.add_python("python3.7")
    checkout.write(checkout.path(".venv", ".fivo-lock"), "")
    assert _train(checkout).status == 0

  def test_failed_install_ends_the_script_and_is_tried_again(self, checkout):
    checkout.add_python("python3.7", behaviour=_PIP_FAILS)
    result = _train(checkout)
    assert result.status == 1
    assert "pip could not install" in result.stderr
    assert not checkout.calls("run_fivo.py")
    checkout.add_python("python3.7")
    assert _train(checkout).status == 0

  def test_missing_interpreter_of_the_environment(self, checkout):
    checkout.add_environment()
    os.remove(checkout.path(".venv", "bin", "python"))
    assert _train(checkout).status == 0
    assert len(checkout.calls("-m venv")) == 1

  def test_changed_lock_file(self, checkout):
    checkout.add_environment()
    with open(checkout.path("requirements.lock"), "a") as stream:
      stream.write("six==1.17.0 --hash=sha256:3\n")
    leftover = checkout.write(checkout.path(".venv", "lib", "old"), "")
    assert _train(checkout).status == 0
    assert len(checkout.calls("-m pip install")) == 2
    # A package that is no longer in the lock file is gone.
    assert not os.path.exists(leftover)

  def test_moved_checkout(self, checkout, tmp_path):
    # Its fivo.pth would lead to the old one, or nowhere.
    checkout.add_environment()
    moved = str(tmp_path / "moved")
    os.rename(checkout.root, moved)
    checkout.root = moved
    assert _train(checkout).status == 0
    with open(checkout.path(".venv", "lib", "fivo.pth")) as stream:
      assert stream.read() == moved + "\n"

  def test_two_at_once_set_up_once(self, checkout):
    checkout.add_python("python3.7", behaviour=_PIP_IS_SLOW)
    processes = [checkout.start(script, "--dataset_path=x") for script in (
        "run_train.sh", "run_eval.sh", "run_sample.sh")]
    for process in processes:
      _, stderr = process.communicate(timeout=60)
      assert process.returncode == 0, stderr
    assert len(checkout.calls("-m venv")) == 1
    assert len(checkout.calls("run_fivo.py")) == 3

  def test_a_run_does_not_hold_the_lock(self, checkout):
    checkout.add_environment(
        'case "$*" in *run_fivo.py*) [ ! -e /dev/fd/9 ] || exit 9 ;; esac\n')
    os.remove(checkout.path(".venv", ".fivo-stamp"))
    assert _train(checkout).status == 0


  @pytest.mark.parametrize("code", [1, 65, 71])
  def test_a_file_system_without_locks(self, checkout, code):
    checkout.add_python("python3.7")
    checkout.add_command("flock", "exit %d\n" % code)
    result = _train(checkout)
    assert result.status == 0
    assert "has no locks: see to it that no other script" in result.stderr
    assert ("waiting for" in result.stderr) == (code == 1)
    assert len(checkout.calls("run_fivo.py")) == 1


class TestVariables(object):

  def test_python_is_isolated(self, checkout):
    checkout.add_environment(
        'env | grep ^PYTHON >"${STUB_LOG%/*}/variables" || :\n')
    variables = {"PYTHONPATH": "/other", "PYTHONHOME": "/other",
                 "PYTHONSTARTUP": "/other", "PYTHONUNBUFFERED": "1"}
    checkout.add_command("grep", 'exec %s "$@"' % shutil.which("grep"))
    assert _train(checkout, variables=variables).status == 0
    with open(os.path.join(os.path.dirname(checkout.root), "variables")) as f:
      assert sorted(f.read().split()) == [
          "PYTHONNOUSERSITE=1", "PYTHONUNBUFFERED=1"]

  def test_an_interpreter_of_the_users_is_not(self, checkout):
    checkout.add_command("mine", "echo $PYTHONPATH >&2")
    result = _train(checkout, variables={
        "FIVO_INTERPRETER": "mine", "PYTHONPATH": "/modules"})
    assert result.stderr == "/modules\n"

  def test_tilde(self, checkout):
    home = checkout.environment["HOME"]
    checkout.add_python(os.path.join(home, "py", "python3.7"))
    result = _train(checkout, variables={
        "FIVO_PYTHON": "~/py/python3.7", "FIVO_VENV": "~/venv"})
    assert result.status == 0, result.stderr
    call, = checkout.calls("run_fivo.py")
    assert call.program == os.path.join(home, "venv", "bin", "python")
    result = _train(checkout, variables={
        "FIVO_INTERPRETER": "~/py/python3.7"})
    assert checkout.calls("run_fivo.py")[-1].program == os.path.join(
        home, "py", "python3.7")

  def test_url(self, checkout):
    _assert_one_line(_train(checkout, variables={"FIVO_VENV": "gs://b/venv"}),
                     "FIVO_VENV=gs://b/venv: must be a path")


class TestEnvironmentOfOthers(object):

  def test_another_python_is_refused_and_left_alone(self, checkout):
    checkout.add_python("python3.7")
    checkout.add_python(checkout.path(".venv", "bin", "python"),
                        is_python37=False)
    precious = checkout.write(checkout.path(".venv", "precious"), "")
    result = _train(checkout)
    _assert_one_line(result, checkout.path(".venv"), "move it away")
    assert os.path.exists(precious)
    assert not checkout.calls()

  def test_a_python37_is_added_to_but_never_emptied(self, checkout):
    checkout.add_python(checkout.path(".venv", "bin", "python"))
    os.makedirs(checkout.path(".venv", "lib"))
    precious = checkout.write(checkout.path(".venv", "precious"), "")
    for _ in range(2):
      result = _train(checkout)
      assert result.status == 0, result.stderr
      assert os.path.exists(precious)
      # For a change of the lock file neither.
      with open(checkout.path("requirements.lock"), "a") as stream:
        stream.write("# changed\n")
    assert not checkout.calls("-m venv")
    assert len(checkout.calls("-m pip install")) == 4


def _is_python37(python):
  """What the function of that name in environment.sh says."""
  return subprocess.call(
      ["sh", "-c", '. "$(dirname "$0")/environment.sh"; is_python37 "$1"',
       os.path.join(fake_checkout.ROOT, "bin", "any.sh"), python]) == 0


def test_real_pythons_are_told_apart():
  assert _is_python37(sys.executable) == (sys.version_info[:2] == (3, 7))
  others = [python for python in map(shutil.which, (
      "python3.6", "python3.8", "python3.9", "python3.10", "python3.11",
      "python3.12", "python3.13", "/usr/bin/python3")) if python]
  # A name may be a shim that does not run; that is no Python 3.7 either.
  for python in others:
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[:2])"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    assert _is_python37(python) == (version.strip() == b"(3, 7)")


class TestFindingPython(object):

  def _program_of_venv(self, checkout, **variables):
    result = _train(checkout, variables=variables)
    assert result.status == 0, result.stderr
    call, = checkout.calls("-m venv")
    return call.program

  def test_a_shim_that_cannot_run_is_passed_over(self, checkout, tmp_path):
    checkout.add_command("python3.7", "exit 127\n")
    python = checkout.add_python(
        str(tmp_path / "pyenv" / "versions" / "3.7.16" / "bin" / "python3.7"))
    assert self._program_of_venv(
        checkout, PYENV_ROOT=str(tmp_path / "pyenv")) == python

  def test_pyenv_in_the_home_directory(self, checkout):
    python = checkout.add_python(os.path.join(
        checkout.environment["HOME"],
        ".pyenv/versions/3.7.17/bin/python3.7"))
    assert self._program_of_venv(checkout) == python

  def test_the_active_python(self, checkout):
    checkout.add_python("python3", is_python37=False)
    python = checkout.add_python("python")
    assert self._program_of_venv(checkout) == python

  def test_python37_before_python(self, checkout):
    checkout.add_python("python")
    python = checkout.add_python("python3.7")
    assert self._program_of_venv(checkout) == python

  def test_the_users_choice_comes_first(self, checkout, tmp_path):
    checkout.add_python("python3.7")
    python = checkout.add_python(str(tmp_path / "my own" / "python"))
    assert self._program_of_venv(checkout, FIVO_PYTHON=python) == python

  def test_the_users_choice_is_no_python37(self, checkout, tmp_path):
    checkout.add_python("python3.7")
    python = checkout.add_python(str(tmp_path / "python3.11"),
                                 is_python37=False)
    result = _train(checkout, variables={"FIVO_PYTHON": python})
    _assert_one_line(result, "FIVO_PYTHON=" + python, "3.7")
    assert not checkout.calls()

  def test_none(self, checkout):
    checkout.add_python("python3", is_python37=False)
    checkout.add_command("python3.7", "exit 127\n")
    result = _train(checkout)
    _assert_one_line(result, "Python 3.7", "install", "FIVO_PYTHON")
    assert not checkout.calls()

  def test_an_existing_conda_environment(self, checkout, tmp_path):
    python = checkout.add_python(str(tmp_path / "envs" / "a b/bin/python"))
    checkout.add_command("conda", """
[ "$1 $2" = "env list" ] || exit 1
echo '# conda environments:'
echo '#'
echo 'base                  *  /no/conda'
echo 'py37                     %s'
""" % (tmp_path / "envs" / "a b"))
    assert self._program_of_venv(checkout) == python

  def test_a_new_conda_environment(self, checkout):
    stub = checkout.add_python("stub")
    checkout.add_command("conda", """
[ "$1" = create ] || exit 0
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin"
cp '%s' "$2/bin/python"
echo "conda's own chatter"
""" % stub)
    assert self._program_of_venv(checkout) == checkout.path(
        ".venv", ".python", "bin", "python")

  def test_the_first_conda_that_works_is_the_last_asked(self, checkout):
    stub = checkout.add_python("stub")
    create = """
[ "$1" = create ] || exit 0
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin"
cp '%s' "$2/bin/python"
""" % stub
    checkout.add_command("mamba", "exit 1\n")
    checkout.add_command("micromamba", create)
    checkout.add_command("conda", "[ $1 = create ] && exit 3\n" + create)
    assert self._program_of_venv(checkout) == checkout.path(
        ".venv", ".python", "bin", "python")

  def test_uv_gets_one(self, checkout, tmp_path):
    python = checkout.add_python(str(tmp_path / "uv" / "python3.7"))
    got = str(tmp_path / "got")
    checkout.add_command("uv", """
case "$2" in
  install) : >'%s' ;;
  find) [ -e '%s' ] || exit 2; echo '%s' ;;
esac
""" % (got, got, python))
    assert self._program_of_venv(checkout) == python

  def test_uv_and_conda_have_none(self, checkout):
    checkout.add_command("uv", "exit 2\n")
    checkout.add_command("conda", "exit 1\n")
    result = _train(checkout)
    assert result.status == 1
    assert "found no Python 3.7" in result.stderr.splitlines()[-1]

  def test_without_the_venv_module(self, checkout):
    checkout.add_python(
        "python3.7", behaviour='case "$*" in *"-m venv "*) exit 1 ;; esac\n')
    result = _train(checkout)
    assert result.status == 1
    assert "python3.7-venv" in result.stderr.splitlines()[-1]
