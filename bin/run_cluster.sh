#!/bin/sh
# Trains like run_train.sh, in a cluster of processes on this machine:
# --workers=W compute (default 2), --ps=P hold the variables (default 1).

. "$(dirname -- "$0")/defaults.sh"
choose_data "$@"
train_with fivo/cluster/local.py "$@"
