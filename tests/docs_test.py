"""Tests that what README.md, CONTRIBUTING.md and docs/ refer to is there."""

import glob
import os
import re

import pytest

from fivo.config import options
from tests import programs

_PAGES = ["README.md", "CONTRIBUTING.md"] + sorted(
    os.path.relpath(path, programs.ROOT)
    for path in glob.glob(os.path.join(programs.ROOT, "docs", "*.md")))
_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
_LINK = re.compile(r"\]\(([^)#:]+)\)")
# A path from the root, or the name of a module.
_FILE = re.compile(
    r"(?<![-/\w.~])((?:bin|benchmarks|docs|fivo|tests)/[\w./-]*\w|\w+\.py\b)")
_COMMAND = re.compile(r"run_fivo\.py((?:[^\n`]*\\\n)*[^\n`]*)")
_FLAGS_OF_ABSL = {"alsologtostderr", "help"}
_ROW = re.compile(r"^\| `--(\w+)` \| ([^|]*) \| (.*) \|$", re.MULTILINE)


def _read(page):
  with open(os.path.join(programs.ROOT, page), encoding="utf-8") as stream:
    return stream.read()


def _modules():
  """The names of all Python files, without their directories."""
  names = {"make_poses.py", "make_series.py", "my_step.py"}  # A reader's own.
  for _, directories, files in os.walk(programs.ROOT):
    directories[:] = [name for name in directories if name[0] != "."]
    names.update(name for name in files if name.endswith(".py"))
  return names


@pytest.mark.parametrize("page", _PAGES)
def test_files_are_there(page):
  modules = _modules()
  for name in set(_FILE.findall(_read(page))):
    assert name in modules or os.path.exists(
        os.path.join(programs.ROOT, name)), name


@pytest.mark.parametrize("page", _PAGES)
def test_links_lead_somewhere(page):
  directory = os.path.join(programs.ROOT, os.path.dirname(page))
  for link in set(_LINK.findall(_read(page))):
    assert os.path.exists(os.path.join(directory, link)), link


@pytest.mark.parametrize("page", _PAGES)
def test_tests_are_there(page):
  for test_file, test in _TEST.findall(_read(page)):
    *classes, function = test.split("::")
    content = _read(test_file)
    for name in classes:
      assert "\nclass %s" % name in content, test
    assert "def %s(" % function in content, test


@pytest.mark.parametrize("page", _PAGES)
def test_every_flag_in_a_command_exists(page):
  for command in _COMMAND.findall(_read(page)):
    for name in re.findall(r"--(\w+)", command):
      known = _FLAGS_OF_ABSL.union(options.OPTIONS)
      assert name in known or re.sub("^no", "", name) in known, name


def test_the_readme_names_all_pages():
  readme = _read("README.md")
  assert len(_PAGES) > 2
  for page in _PAGES[1:]:
    assert "(%s)" % page in readme


class TestFlags:
  """docs/flags.md says of the flags what `options.py` does."""

  def test_groups_are_in_order(self):
    sections = _read("docs/flags.md").split("\n## ")[1:]
    found = [(section.partition("\n")[0],
              [name for name, _, _ in _ROW.findall(section)])
             for section in sections]
    assert found[:-1] == [(group, [option.name for option in listed])
                          for group, listed in options.GROUPS.items()]

  def test_defaults_and_choices(self):
    rows = {name: rest for name, *rest in _ROW.findall(_read("docs/flags.md"))}
    assert set(rows) == set(options.OPTIONS)
    for name, option in options.OPTIONS.items():
      default, meaning = rows[name]
      assert default.strip() == (
          "" if option.default in ("", None) else str(option.default)), name
      for choice in option.choices or ():
        assert re.search(r"\b%s\b" % choice, default + meaning), name
