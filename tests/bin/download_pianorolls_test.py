"""Tests of bin/download_pianorolls.sh; what it runs has tests of its own."""

import os

import pytest


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_number_of_arguments(checkout, arguments):
  # The original ended with 0.
  result = checkout.run("download_pianorolls.sh", *arguments)
  assert result.status == 2
  assert result.stderr.startswith("usage: ")
  assert len(result.stderr.splitlines()) == 1
  assert not os.path.exists(checkout.path(".venv"))


@pytest.mark.parametrize("shell", [None, "sh", "bash"])
def test_directory_is_the_callers(checkout, tmp_path, shell):
  checkout.add_environment(
      'case "$*" in *download*) echo "$PWD" >&2; exit 3 ;; esac\n')
  result = checkout.run("download_pianorolls.sh", "piano rolls", shell=shell,
                        cwd=str(tmp_path))
  assert result.status == 3
  call, = checkout.calls("fivo.data.download_pianorolls")
  assert call.arguments == [
      "-m", "fivo.data.download_pianorolls",
      "--out_dir=" + str(tmp_path / "piano rolls")]
  assert result.stderr.strip() == checkout.root
