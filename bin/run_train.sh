#!/bin/sh
# Trains a VRNN with the FIVO bound. Further flags are passed on and win. For data
# and logdir see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"
choose_data "$@"
train_with run_fivo.py "$@"
