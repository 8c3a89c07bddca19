#!/bin/sh
# Checks the style of the Python files (ruff.toml) and that the shell scripts
# parse. Further arguments are passed on to `ruff check`, e.g. --fix.

. "$(dirname -- "$0")/environment.sh"
set_up_environment
cd "$ROOT"

status=0
"$PYTHON" -m ruff check "$@" || status=1
for script in bin/*.sh .ci/run; do
  sh -n "$script" || status=1
done
exit "$status"
