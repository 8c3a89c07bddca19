#!/bin/sh
# Trains a VRNN with the FIVO bound. Further flags are passed on and win. Which
# data and logdir: see defaults.sh.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment
choose_data "$@"
train_with run_fivo.py "$@"
