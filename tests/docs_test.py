"""Tests that what docs/ refers to is there."""

import glob
import os
import re

import pytest

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PATHS = sorted(glob.glob(os.path.join(_ROOT, "docs", "*.md")))
_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
_FILE = re.compile(r"`((?:bin|fivo|tests)/[\w./]+)")


def _read(path):
  with open(os.path.join(_ROOT, path), encoding="utf-8") as stream:
    return stream.read()


@pytest.mark.parametrize("path", _PATHS, ids=os.path.basename)
def test_tests_and_files_are_there(path):
  text = _read(path)
  for name in _FILE.findall(text):
    assert os.path.exists(os.path.join(_ROOT, name)), name
  for test_file, test in _TEST.findall(text):
    *classes, function = test.split("::")
    content = _read(test_file)
    for name in classes:
      assert "\nclass %s" % name in content, test
    assert "def %s(" % function in content, test


def test_the_readme_names_all():
  assert _PATHS
  for path in _PATHS:
    assert "(docs/%s)" % os.path.basename(path) in _read("README.md")
