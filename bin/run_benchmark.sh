#!/bin/sh
# Measures the speed and the memory of training and evaluation; benchmarks/run.py
# says how. Flags are passed on. Which data: see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"
choose_data "$@"

exec "$PYTHON" "$ROOT/benchmarks/run.py" \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  "$@"
