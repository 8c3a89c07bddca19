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
_LINK = re.compile(r"\]\(([^)#:]+)\)")
# A path from the root, or the name of a module.
_FILE = re.compile(
    r"(?<![-/\w.~])((?:bin|benchmarks|docs|fivo|tests)/[\w./-]*\w|\w+\.py\b)")
_COMMAND = re.compile(r"run_fivo\.py((?:[^\n`]*\\\n)*[^\n`]*)")
_FLAGS_OF_ABSL = {"alsologtostderr", "help"}


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


_FLAGS_PAGE = "docs/flags.md"


def flags_page():
  """The page of flags, with its tables made from the table of options."""
  begin, _, end = _read(_FLAGS_PAGE).partition("\n## What to do")
  lines = [begin.rstrip("\n")]
  for group, listed in options.GROUPS.items():
    lines.append("\n## %s\n" % group)
    lines.append("| flag | default | meaning |\n| --- | --- | --- |")
    for option in listed:
      default = "" if option.default is None else option.default
      one_of = option.choices and " One of %s." % ", ".join(option.choices)
      lines.append("| `--%s` | %s | %s%s |" % (
          option.name, default, option.help, one_of or ""))
  return "\n".join(lines) + "\n\n## Of absl" + end.partition("\n## Of absl")[2]


def test_flags_page():
  """Mended by python -c "from tests import docs_test as d; d.write_flags()"."""
  assert _read(_FLAGS_PAGE) == flags_page()


def write_flags():
  page = flags_page()
  with open(os.path.join(programs.ROOT, _FLAGS_PAGE), "w") as stream:
    stream.write(page)
