#!/bin/sh
# Downloads the four pianoroll datasets: sh bin/download_pianorolls.sh DIR
# FIVO_PIANOROLL_URL names a mirror, see fivo/data/download_pianorolls.py.

. "$(dirname -- "$0")/environment.sh"

if [ $# -ne 1 ] || [ "${1#-}" != "$1" ]; then
  printf 'usage: %s DIR\n' "$0" >&2
  exit 2
fi
directory=$(absolute_path DIR "$1")
set_up_environment
# From ROOT, because -m looks into the working directory first.
cd "$ROOT"
exec "$PYTHON" -m fivo.data.download_pianorolls --out_dir="$directory"
