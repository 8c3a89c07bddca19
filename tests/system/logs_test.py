"""Tests of where log lines go."""

import logging

import pytest
import tensorflow as tf
from tensorflow.python.util import deprecation
from tensorflow.python.util import tf_inspect

from fivo.system import logs
from tests import programs


def test_log_dir(tmp_path):
  """The flag, which absl defines, did nothing."""
  log_dir = tmp_path / "logs"
  result = programs.run(
      ["--model=ghmm", "--proposal_type=prior", "--mode=eval", "--bound=elbo",
       "--num_timesteps=1", "--logdir=%s" % tmp_path, "--log_dir=%s" % log_dir])
  assert (result.exit_code, result.stderr) == (0, "")
  text = (log_dir / "py_run_fivo.INFO").read_text()
  assert "Wrote %s/out.npz." % tmp_path in text


@pytest.mark.parametrize("show_all", [False, True])
def test_only_who_sees_deprecation_notes_waits_for_them(show_all, monkeypatch):
  logger = logging.getLogger("tensorflow")
  for name in ("handlers", "filters"):
    monkeypatch.setattr(logger, name, list(getattr(logger, name)))
  monkeypatch.setattr(logger, "level", logger.level)
  monkeypatch.setattr(deprecation, "_PRINT_DEPRECATION_WARNINGS", True)
  logs.configure(show_all)
  looked_at = []
  monkeypatch.setattr(
      tf_inspect, "getcallargs",
      lambda function, *args, **kwargs: looked_at.append(function) or {})
  with tf.Graph().as_default():
    tf.identity(1.)
  assert bool(looked_at) == show_all
