"""Tests of run_tests.sh, run_lint.sh and .ci/run, and of all scripts' form."""

import glob
import os
import shutil
import stat
import subprocess

import pytest

from tests.bin import fake_checkout

_SCRIPTS = sorted(
    glob.glob(os.path.join(fake_checkout.ROOT, "bin", "*.sh")) +
    [os.path.join(fake_checkout.ROOT, ".ci", "run")])
_SOURCED = ("environment.sh", "defaults.sh")


@pytest.mark.parametrize("path", _SCRIPTS, ids=os.path.basename)
def test_scripts_parse_and_are_executable_unless_sourced(path):
  for shell in filter(shutil.which, ("sh", "bash", "dash")):
    subprocess.check_call([shell, "-n", path])
  is_executable = bool(os.stat(path).st_mode & stat.S_IXUSR)
  assert is_executable == (os.path.basename(path) not in _SOURCED)


def test_run_tests(checkout, tmp_path):
  checkout.add_environment(
      'case "$*" in *pytest*) echo "$PWD|$OMP_NUM_THREADS|'
      '$TF_NUM_INTRAOP_THREADS" >&2 ;; esac\n')
  own = ["tests/smc_test.py", "-k", "foo and bar"]
  result = checkout.run("run_tests.sh", *own, cwd=str(tmp_path))
  assert result.stderr.strip() == checkout.root + "|1|1"
  call, = checkout.calls("-m pytest")
  assert call.arguments[:4] == ["-m", "pytest", "-n", "auto"]
  assert call.arguments[-3:] == own
  assert call.pid == result.pid
  result = checkout.run("run_tests.sh", variables={"OMP_NUM_THREADS": "3"})
  assert result.stderr.strip() == checkout.root + "|3|1"


def test_run_lint(checkout):
  checkout.add_environment()
  assert checkout.run("run_lint.sh", "--fix").status == 0
  assert checkout.calls("-m ruff")[0].arguments == [
      "-m", "ruff", "check", "--fix"]
  checkout.write(checkout.path("bin", "broken.sh"), "if true; then\n")
  assert checkout.run("run_lint.sh").status == 1


@pytest.mark.parametrize("behaviour, status", [
    ("", 0), ('case "$*" in *"-m ruff"*) exit 1 ;; esac\n', 1),
    ('case "$*" in *"-m pytest"*) exit 2 ;; esac\n', 1)])
def test_ci_runs_both_and_fails_with_either(checkout, behaviour, status):
  checkout.add_python("python3.7", behaviour=behaviour)
  result = checkout.run("../.ci/run", cwd="/")
  assert result.status == status, result.stderr
  assert len(checkout.calls("-m ruff")) == 1
  # The tests last: pytest's summary is the last line.
  assert "pytest" in checkout.calls()[-1].arguments
