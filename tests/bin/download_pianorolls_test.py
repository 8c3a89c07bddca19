"""Tests of bin/download_pianorolls.sh; what it runs has tests of its own."""

import os

import pytest


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--help"]])
def test_wrong_arguments(checkout, arguments):
  # The original ended with 0.
  result = checkout.run("download_pianorolls.sh", *arguments)
  assert result.status == 2
  assert result.stderr.startswith("usage: ")
  assert not os.path.exists(checkout.path(".venv"))


def test_directory_is_the_callers(checkout, tmp_path):
  checkout.add_environment(
      'case "$*" in *download*) echo "$PWD" >&2; exit 3 ;; esac\n')
  result = checkout.run(
      "download_pianorolls.sh", "piano rolls", cwd=str(tmp_path))
  assert (result.status, result.stderr.strip()) == (3, checkout.root)
  call, = checkout.calls("fivo.data.download_pianorolls")
  assert call.arguments[2] == "--out_dir=" + str(tmp_path / "piano rolls")
