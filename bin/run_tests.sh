#!/bin/sh
# Runs the tests, as many at a time as there are cores. Further arguments are
# passed on to pytest; paths among them are relative to the checkout, e.g.
# `bin/run_tests.sh tests/smc_test.py -k ess`.

. "$(dirname -- "$0")/environment.sh"
set_up_environment
cd "$ROOT"

# The processes share the cores, so each has one thread; and no "I" lines.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export TF_NUM_INTRAOP_THREADS="${TF_NUM_INTRAOP_THREADS:-1}"
export TF_CPP_MIN_LOG_LEVEL="${TF_CPP_MIN_LOG_LEVEL:-1}"

# This way tests of a module, which may share fixtures, mostly share a process.
exec "$PYTHON" -m pytest -n auto --maxprocesses=8 --dist worksteal "$@"
