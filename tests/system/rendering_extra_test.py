"""Tests of the packages that rendering needs."""

import sys

import pytest

from fivo.system import errors
from fivo.system import rendering_extra


def test_missing_packages_are_named(monkeypatch):
  monkeypatch.setitem(sys.modules, "mido", None)  # As if not installed.
  assert "mido" in rendering_extra.missing()
  with pytest.raises(errors.UserError, match="--render: needs .*mido; install"):
    rendering_extra.check("render")
