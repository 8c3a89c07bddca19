#!/bin/sh
# Trains and tests the models of a table of results, see benchmarks/reproduce.py.
# Flags are passed on. For where the data is see defaults.sh.

. "$(dirname -- "$0")/defaults.sh"

if [ "$(flag_value dataset "$@")" = chorales ] && ! has_flag data_dir "$@"; then
  choose_chorales "$@"
  set -- --data_dir="${DATASET_PATH%/*}" "$@"
fi

exec "$PYTHON" "$ROOT/benchmarks/reproduce.py" "$@"
