"""Tests of the packaging: setup.py, requirements.lock, MANIFEST.in."""

import os
import re
import subprocess
import sys

import pkg_resources
import pytest

import run_fivo

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LOCK = os.path.join(_ROOT, "requirements.lock")


@pytest.fixture(scope="module")
def metadata(tmp_path_factory):
  """The distribution that setup.py describes."""
  directory = str(tmp_path_factory.mktemp("metadata"))
  subprocess.check_output(
      [sys.executable, "setup.py", "-q", "egg_info", "-e", directory],
      cwd=_ROOT, stderr=subprocess.STDOUT)
  distribution, = pkg_resources.find_distributions(directory)
  return distribution


def _pins():
  """Returns the versions in the lock file by project name."""
  with open(_LOCK) as stream:
    found = re.findall(r"^([\w.-]+)==([^\s;]+)", stream.read(), re.MULTILINE)
  pins = {pkg_resources.safe_name(name).lower(): version
          for name, version in found}
  assert len(pins) == len(found), "a project is pinned twice"
  return pins


def _requirements(metadata):
  return {pkg_resources.safe_name(requirement.key): requirement
          for requirement in metadata.requires()}


def test_every_package_is_found(metadata):
  directories = {
      os.path.relpath(directory, _ROOT).replace(os.sep, ".")
      for directory, _, names in os.walk(os.path.join(_ROOT, "fivo"))
      if any(name.endswith(".py") for name in names)}
  sources = metadata.get_metadata("SOURCES.txt").splitlines()
  packages = {os.path.dirname(source).replace("/", ".") for source in sources
              if source.endswith("/__init__.py") and source[:4] == "fivo"}
  assert packages == directories
  assert set(metadata.get_metadata("top_level.txt").split()) == {
      "fivo", "run_fivo"}


def test_console_command_calls_run(metadata):
  entry, = metadata.get_entry_map("console_scripts").values()
  assert str(entry) == "run_fivo = run_fivo:run"
  assert callable(run_fivo.run)


def test_the_pythons_that_have_tensorflow_1(metadata):
  requires = re.search(r"^Requires-Python: (.*)$",
                       metadata.get_metadata("PKG-INFO"), re.MULTILINE)
  versions = pkg_resources.Requirement.parse("python" + requires.group(1))
  assert [version for version in ("2.7", "3.5", "3.6.15", "3.7.16", "3.8.0")
          if version in versions] == ["3.6.15", "3.7.16"]


@pytest.mark.parametrize("project, breaks", [
    ("tensorflow", ["1.14.0", "2.0.0"]),
    ("dm-sonnet", ["2.0.0"]),
    ("tensorflow-probability", ["0.7.0", "0.9.0"]),
    ("numpy", ["1.20.0"]),
    ("protobuf", ["3.21.0", "4.21.0"]),
])
def test_versions_that_break_are_excluded(metadata, project, breaks):
  requirement = _requirements(metadata)[project]
  assert not [version for version in breaks if version in requirement]


def test_lock_file_meets_every_requirement(metadata):
  pins = _pins()
  assert {"chorales", "midi", "render", "progress", "benchmark", "test",
          "lint"} <= set(metadata.extras)
  for requirement in metadata.requires(extras=metadata.extras):
    pin = pins.get(requirement.key)
    assert pin is not None, requirement
    assert pin in requirement, requirement


def test_lock_file_is_complete_in_hashes_and_names_no_host():
  with open(_LOCK) as stream:
    text = stream.read()
  requirements = [line for line in re.sub(r"\\\n", " ", text).splitlines()
                  if line.strip() and not line.lstrip().startswith("#")]
  assert len(requirements) == len(_pins()) > 0
  assert all("--hash=sha256:" in line for line in requirements)
  assert "://" not in text
  assert "index-url" not in text
