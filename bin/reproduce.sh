#!/bin/sh
# Trains and tests the cells of a table of results; benchmarks/reproduce.py says
# how. Flags are passed on. The pianoroll files are in PIANOROLL_DIR, but for
# the chorales, see defaults.sh.

. "$(dirname -- "$0")/environment.sh"
. "$ROOT/bin/defaults.sh"
set_up_environment

if [ "$(flag_value dataset "$@")" = chorales ] && ! has_flag data_dir "$@"; then
  PIANOROLL_DIR=
  choose_data
  set -- --data_dir="${DATASET_PATH%/*}" "$@"
fi

exec "$PYTHON" "$ROOT/benchmarks/reproduce.py" "$@"
