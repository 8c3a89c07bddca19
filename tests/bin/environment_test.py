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
_PIP_FAILS = 'case "$*" in *"-m pip "*) exit 1 ;; esac\n'
_PIP_IS_SLOW = 'case "$*" in *"-m pip "*) sleep 0.2 ;; esac\n'
_VENV_FAILS = 'case "$*" in *"-m venv "*) exit 1 ;; esac\n'
_CONDA_CREATES = """
[ "$1" = create ] || exit 0
while [ "$1" != --prefix ]; do shift; done
mkdir -p "$2/bin"
cp '%s' "$2/bin/python"
echo "conda's own chatter"
"""


def _train(checkout, **kwargs):
  return checkout.run("run_train.sh", "--dataset_path=x", **kwargs)


def _succeeds(checkout, **kwargs):
  """Trains, and returns the call of run_fivo.py."""
  result = _train(checkout, **kwargs)
  assert result.status == 0, result.stderr
  return checkout.calls("run_fivo.py")[-1]


def _assert_one_line(result, *words):
  assert result.status == 1
  assert len(result.stderr.splitlines()) == 1, result.stderr
  for word in words:
    assert word in result.stderr


class TestFirstUse(object):

  def test_sets_up_once(self, checkout):
    checkout.add_python("python3.7")
    _succeeds(checkout)
    assert len(checkout.calls("-m venv")) == 1
    with open(checkout.path(".venv", "lib", "fivo.pth")) as stream:
      assert stream.read() == checkout.root + "\n"
    calls = len(checkout.calls())
    result = _train(checkout)
    assert (result.status, result.stderr) == (0, "")
    # The second time, training is all that happens.
    assert len(checkout.calls()) == calls + 1

  def test_installs_by_hash_first_pip_then_the_rest(self, checkout):
    checkout.add_python("python3.7", behaviour='case "$*" in *"-m pip "*) '
                        'echo "${PIP_TARGET:-none} $PIP_USER" >&2 ;; esac\n')
    result = _train(
        checkout, variables={"PIP_TARGET": "/elsewhere", "PIP_USER": "1"})
    assert result.stderr.splitlines()[1:] == ["none 0", "none 0"]
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

  @pytest.mark.parametrize("script", [
      "run_eval.sh", "run_sample.sh", "run_tests.sh", "run_lint.sh"])
  def test_each_script_does_it(self, checkout, script):
    checkout.add_python("python3.7")
    result = checkout.run(script, "--dataset_path=x")
    assert result.status == 0, result.stderr
    assert len(checkout.calls("-m venv")) == 1

  @pytest.mark.parametrize("place", ["{}/else where", "here", "~/venv"])
  def test_environment_elsewhere(self, checkout, tmp_path, place):
    checkout.add_python("python3.7")
    call = _succeeds(checkout, cwd=str(tmp_path),
                     variables={"FIVO_VENV": place.format(tmp_path)})
    expected = place.format(tmp_path).replace(
        "~", checkout.environment["HOME"])
    assert call.program == os.path.join(
        str(tmp_path), expected, "bin", "python")
    assert not os.path.exists(checkout.path(".venv"))

  def test_an_interpreter_that_has_everything_is_used_as_it_is(
      self, checkout):
    interpreter = checkout.add_python(
        os.path.join(checkout.environment["HOME"], "my python"))
    result = _train(checkout, variables={"FIVO_INTERPRETER": "~/my python"})
    assert (result.status, result.stderr) == (0, "")
    call, = checkout.calls()
    assert call.program == interpreter
    assert not os.path.exists(checkout.path(".venv"))

  @pytest.mark.parametrize("name, value, words", [
      ("FIVO_INTERPRETER", "/no/python", "is not a program"),
      ("FIVO_VENV", "gs://b/venv", "must be a path")])
  def test_refuses(self, checkout, name, value, words):
    _assert_one_line(_train(checkout, variables={name: value}),
                     "%s=%s" % (name, value), words)


class TestRepair(object):

  @pytest.mark.parametrize("behaviour, status", [
      (_KILLED_IN_PIP, -9), (_PIP_FAILS, 1)])
  @pytest.mark.parametrize("is_repair", [False, True])
  def test_unfinished_set_up_is_done_again(
      self, checkout, is_repair, behaviour, status):
    if is_repair:  # The stamp of the complete environment must not outlive it.
      checkout.add_environment()
      os.remove(checkout.path(".venv", "bin", "python"))
    checkout.add_python("python3.7", behaviour=behaviour)
    result = _train(checkout)
    assert result.status == status
    assert ("pip could not install" in result.stderr) == (status == 1)
    assert not checkout.calls("run_fivo.py")
    checkout.add_python("python3.7")
    _succeeds(checkout)
    assert not os.path.exists(checkout.path(".venv", "lib", "half-a-package"))

  @pytest.mark.parametrize("change", ["lock file", "moved checkout"])
  def test_another_checkout_or_lock_file(self, checkout, tmp_path, change):
    checkout.add_environment()
    # A package that is no longer in the lock file must go.
    checkout.write(checkout.path(".venv", "lib", "old"), "")
    if change == "lock file":
      checkout.write(checkout.path("requirements.lock"), "six==1.17.0\n")
    else:
      moved = str(tmp_path / "moved")
      os.rename(checkout.root, moved)
      checkout.root = moved
    _succeeds(checkout)
    assert not os.path.exists(checkout.path(".venv", "lib", "old"))
    with open(checkout.path(".venv", "lib", "fivo.pth")) as stream:
      assert stream.read() == checkout.root + "\n"

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
    _succeeds(checkout)

  @pytest.mark.parametrize("code", [1, 65])
  def test_a_file_system_without_locks(self, checkout, code):
    checkout.add_python("python3.7")
    checkout.add_command("flock", "exit %d\n" % code)
    result = _train(checkout)
    assert result.status == 0
    assert "has no locks: make sure that no other script" in result.stderr
    assert ("waiting for" in result.stderr) == (code == 1)


def test_python_is_isolated(checkout):
  checkout.add_environment(
      'case "$*" in *run_fivo*) echo "${PYTHONPATH:-none} ${PYTHONHOME:-none} '
      '$PYTHONNOUSERSITE" >&2 ;; esac\n')
  result = _train(checkout, variables={
      "PYTHONPATH": "/other", "PYTHONHOME": "/other"})
  assert result.stderr == "none none 1\n"


def test_an_interpreter_of_the_users_is_not_isolated(checkout):
  checkout.add_command("mine", "echo $PYTHONPATH >&2")
  result = _train(checkout, variables={
      "FIVO_INTERPRETER": "mine", "PYTHONPATH": "/modules"})
  assert result.stderr == "/modules\n"


class TestEnvironmentOfOthers(object):

  @pytest.mark.parametrize("is_python37", [False, True])
  def test_is_never_emptied(self, checkout, is_python37):
    checkout.add_python("python3.7")
    checkout.add_python(checkout.path(".venv", "bin", "python"), is_python37)
    os.makedirs(checkout.path(".venv", "lib"))
    precious = checkout.write(checkout.path(".venv", "precious"), "")
    for _ in range(2):  # The second time the lock file has changed.
      result = _train(checkout)
      if is_python37:
        assert result.status == 0, result.stderr
      else:
        _assert_one_line(result, checkout.path(".venv"), "move it away")
      assert os.path.exists(precious)
      with open(checkout.path("requirements.lock"), "a") as stream:
        stream.write("# changed\n")
    assert not checkout.calls("-m venv")
    assert len(checkout.calls("-m pip install")) == 4 * is_python37


def _is_python37(python):
  """Whether environment.sh takes a program."""
  return subprocess.run(
      ["sh", "-c", '. "$(dirname "$0")/environment.sh"; first_python37',
       os.path.join(fake_checkout.ROOT, "bin", "any.sh")],
      input=python + "\n", universal_newlines=True,
      stdout=subprocess.DEVNULL).returncode == 0


def test_real_pythons_are_told_apart():
  assert _is_python37(sys.executable) == (sys.version_info[:2] == (3, 7))
  assert not _is_python37(shutil.which("sh"))


class TestFindingPython(object):

  def _chosen(self, checkout, **variables):
    """The Python from which the environment is made."""
    _succeeds(checkout, variables=variables)
    call, = checkout.calls("-m venv")
    return call.program

  @pytest.mark.parametrize("path, variables", [
      ("pyenv/versions/3.7.16/bin/python3.7", {"PYENV_ROOT": "{}/pyenv"}),
      (".pyenv/versions/3.7.17/bin/python3.7", {}),
      ("my own/python", {"FIVO_PYTHON": "~/my own/python"})])
  def test_in_the_home_directory(self, checkout, path, variables):
    home = checkout.environment["HOME"]
    checkout.add_command("python3.7", "exit 127\n")  # A shim of pyenv.
    checkout.add_python("python3", is_python37=False)
    python = checkout.add_python(os.path.join(home, path))
    variables = {
        name: value.format(home) for name, value in variables.items()}
    assert self._chosen(checkout, **variables) == python

  def test_the_users_choice_is_no_python37(self, checkout, tmp_path):
    checkout.add_python("python3.7")
    python = checkout.add_python(str(tmp_path / "python3.11"),
                                 is_python37=False)
    result = _train(checkout, variables={"FIVO_PYTHON": python})
    _assert_one_line(result, "FIVO_PYTHON=" + python, "3.7")
    assert not checkout.calls()

  def test_none(self, checkout):
    _assert_one_line(_train(checkout), "Python 3.7", "install", "FIVO_PYTHON")
    checkout.add_command("uv", "exit 2\n")
    checkout.add_command("conda", "exit 1\n")
    result = _train(checkout)
    assert result.status == 1
    assert "found no Python 3.7" in result.stderr.splitlines()[-1]

  def test_conda(self, checkout, tmp_path):
    create = _CONDA_CREATES % checkout.add_python("stub")
    checkout.add_command("mamba", "exit 1\n")  # The first that works counts.
    checkout.add_command("micromamba", create)
    checkout.add_command("conda", "[ $1 = create ] && exit 3\n" + create)
    assert self._chosen(checkout) == checkout.path(
        ".venv", ".python", "bin", "python")
    # An environment that is there is used.
    shutil.rmtree(checkout.path(".venv"))
    python = checkout.add_python(str(tmp_path / "envs" / "a b/bin/python"))
    checkout.add_command("conda", """
echo '# conda environments:'
echo 'base                  *  /no/conda'
echo 'py37                     %s'
""" % (tmp_path / "envs" / "a b"))
    _succeeds(checkout)
    assert checkout.calls("-m venv")[-1].program == python

  def test_uv_gets_one(self, checkout, tmp_path):
    python = checkout.add_python(str(tmp_path / "uv" / "python3.7"))
    got = str(tmp_path / "got")
    checkout.add_command("uv", """
case "$2" in
  install) : >'%s' ;;
  find) [ -e '%s' ] || exit 2; echo '%s' ;;
esac
""" % (got, got, python))
    assert self._chosen(checkout) == python

  def test_without_the_venv_module(self, checkout):
    checkout.add_python("python3.7", behaviour=_VENV_FAILS)
    result = _train(checkout)
    assert result.status == 1
    assert "python3.7-venv" in result.stderr.splitlines()[-1]
