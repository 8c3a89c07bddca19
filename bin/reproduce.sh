#!/bin/sh
# Trains and tests the cells of a table of results; benchmarks/reproduce.py says
# how. Flags are passed on. Where the data is: see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"

if [ "$(flag_value dataset "$@")" = chorales ] && ! has_flag data_dir "$@"; then
  choose_chorales
  set -- --data_dir="${DATASET_PATH%/*}" "$@"
fi

exec "$PYTHON" "$ROOT/benchmarks/reproduce.py" "$@"
