#!/bin/sh
# Plots the bounds of training runs over steps and over time:
# plot_training.sh LOGDIR... --out_file=X.png

. "$(dirname -- "$0")/environment.sh"
set_up_environment

# Each argument that is neither a flag nor a flag's value names a logdir.
IS_VALUE=
for argument do
  shift
  case $IS_VALUE$argument in
    --out_file | -out_file) IS_VALUE=- ;;
    -*) IS_VALUE= ;;
    *) argument=--logdir=$argument ;;
  esac
  set -- "$@" "$argument"
done

exec "$PYTHON" "$ROOT/fivo/rendering/plot_training.py" "$@"
