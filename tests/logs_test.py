"""Tests of where log lines go."""

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
