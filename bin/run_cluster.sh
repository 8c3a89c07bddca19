#!/bin/sh
# Trains like run_train.sh, in a cluster of processes on this machine:
# --workers=W of them compute (default 2), --ps=P hold the variables (default 1).
# Further flags are passed on to each. See fivo/cluster/local.py.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment
choose_data "$@"
train_with fivo/cluster/local.py "$@"
