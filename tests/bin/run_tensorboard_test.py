"""Tests of run_tensorboard.sh."""

import json
import os
import re
import subprocess
import sys
import urllib.request

import pytest
import tensorflow as tf

from fivo.evaluation import charts
from tests.bin import fake_checkout

_SCRIPT = "run_tensorboard.sh"


@pytest.fixture
def ready(checkout):
  checkout.add_environment()
  return checkout


def _flags(checkout, *arguments, **kwargs):
  """Runs the script and returns TensorBoard's arguments."""
  result = checkout.run(_SCRIPT, *arguments, **kwargs)
  assert result.status == 0, result.stderr
  call = checkout.calls("tensorboard.main")[-1]
  assert call.arguments[:2] == ["-m", "tensorboard.main"]
  return call.arguments[2:]


@pytest.mark.parametrize("names, logdir", [
    (["a run: 1"], "/{0}/a run: 1"),
    (["a", "b:c"], "{0}/a:/{0}/a,{0}/b_c:/{0}/b:c")])
def test_runs_have_their_paths_for_names(ready, tmp_path, names, logdir):
  paths = [str(tmp_path / name) for name in names]
  for path in paths:
    os.mkdir(path)
  assert _flags(ready, "--port=7", *paths) == [
      "--logdir=" + logdir.format(str(tmp_path)[1:]), "--port=7",
      "--host=127.0.0.1"]


def test_default_and_help(ready, tmp_path):
  assert _flags(ready, variables={"FIVO_LOGDIR": str(tmp_path)})[0] == (
      "--logdir=%s" % tmp_path)
  assert _flags(ready, "--help", variables={"FIVO_LOGDIR": "/no"}) == ["--help"]


@pytest.mark.parametrize("names, message", [
    (["none"], "none: must be a directory"), (["a,b"], "with a comma"),
    (["gs://x"], "not a URL"), ([], "there is no run yet")])
def test_refuses(ready, tmp_path, names, message):
  result = ready.run(_SCRIPT, *names, cwd=str(tmp_path),
                     variables={"FIVO_LOGDIR": "/none"})
  assert result.status == 1 and message in result.stderr
  assert len(result.stderr.splitlines()) == 1
  assert not ready.calls("tensorboard.main")


def test_serves_the_charts_of_training_and_evaluation(tmp_path):
  """The true one, asked as a browser asks; on loopback only."""
  for name, tags in (("", ["training/gradient_norm"]), (
      "valid", ["valid/fivo_ll_per_t"])):
    writer = tf.compat.v1.summary.FileWriter(str(tmp_path / name))
    writer.add_summary(charts.values_summary(
        [(tag, 1.) for tag in ["bound_per_timestep/fivo"] + tags]), 3)
    writer.close()
  process = subprocess.Popen(
      [os.path.join(fake_checkout.ROOT, "bin", _SCRIPT), str(tmp_path),
       "--port=0"],
      env=dict(os.environ, FIVO_INTERPRETER=sys.executable),
      stderr=subprocess.PIPE, universal_newlines=True)
  try:
    url = None
    while url is None:
      line = process.stderr.readline()
      assert line, "it ended"
      url = re.search(r"http://127\.0\.0\.1:[0-9]+/", line)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found = {}
    while sum(map(len, found.values())) < 4:  # It reads the files in a thread.
      found = json.loads(opener.open(
          url.group() + "data/plugin/scalars/tags", timeout=30).read().decode())
  finally:
    process.terminate()
    process.communicate()
  assert {run: set(tags) for run, tags in found.items()} == {
      ".": {"bound_per_timestep/fivo", "training/gradient_norm"},
      "valid": {"bound_per_timestep/fivo", "valid/fivo_ll_per_t"}}
  for run in found.values():
    assert "nats per timestep" in run["bound_per_timestep/fivo"]["description"]
