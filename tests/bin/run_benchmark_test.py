"""Tests of run_benchmark.sh: flags and data."""


def _call(checkout, *arguments, **variables):
  """Runs the script and returns the arguments of the one call of Python."""
  result = checkout.run("run_benchmark.sh", *arguments, variables=variables)
  assert result.status == 0, result.stderr
  call, = checkout.calls("benchmarks/run.py")
  assert call.pid == result.pid  # Signals reach it directly.
  assert call.arguments[0] == checkout.path("benchmarks", "run.py")
  return call.arguments[1:]


def test_pianorolls_and_flags(checkout):
  checkout.add_environment()
  own = ["--quick", "--yardstick=x=echo '3 steps/s' *"]
  assert _call(checkout, *own, PIANOROLL_DIR="/piano rolls") == [
      "--dataset_path=/piano rolls/jsb.pkl"] + own


def test_the_users_own_data(checkout):
  checkout.add_environment()
  assert _call(checkout, "--dataset_path=x") == ["--dataset_path=x"]


def test_chorales_without_other_data(checkout):
  checkout.add_environment()
  assert _call(checkout) == [
      "--dataset_path=" + checkout.path(".data", "chorales.pkl")]
  assert len(checkout.calls("create_chorales_dataset")) == 1
