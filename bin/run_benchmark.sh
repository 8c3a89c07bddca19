#!/bin/sh
# Measures the speed and the memory of training and evaluation, see
# benchmarks/run.py. Flags are passed on. For the data see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"
choose_data "$@"

exec "$PYTHON" "$ROOT/benchmarks/run.py" \
  ${DATASET_PATH:+"--dataset_path=$DATASET_PATH"} \
  "$@"
