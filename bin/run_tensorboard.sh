#!/bin/sh
# Opens TensorBoard on the runs in LOGDIR..., for this machine only. Default:
# FIVO_LOGDIR, or the existing logdirs of run_train.sh. Flags are passed on:
# run_tensorboard.sh [LOGDIR...] [--port=6007] ...

. "$(dirname -- "$0")/environment.sh"
set_up_environment

# Adds the logdir $1 to LOGDIRS. Several runs are named by their paths.
add_logdir() {
  path=$(absolute_path LOGDIR "$1") || exit 1
  case $path in
    *,*) die "$1: TensorBoard takes no directory with a comma in its name" ;;
  esac
  [ -d "$path" ] || die "$1: must be a directory, the logdir of a run"
  ONLY=${LOGDIRS:+-}
  LOGDIRS=${LOGDIRS:+$LOGDIRS,}$(printf '%s' "${path#/}" | sed 's/:/_/g'):$path
}

LOGDIRS=
for argument do
  shift
  case $argument in
    -h | --help*) cd "$ROOT" && exec "$PYTHON" -m tensorboard.main "$argument" ;;
    -*) set -- "$@" "$argument" ;;
    *) add_logdir "$argument" ;;
  esac
done
if [ -z "$LOGDIRS" ]; then
  for directory in ${FIVO_LOGDIR:+"$FIVO_LOGDIR"} /tmp/fivo \
      /tmp/fivo_chorales /tmp/fivo_ghmm; do
    [ ! -d "$directory" ] || add_logdir "$directory"
    [ -z "${FIVO_LOGDIR:-}" ] || break
  done
fi
[ -n "$LOGDIRS" ] ||
  die "there is no run yet; name the logdir of one: ${0##*/} LOGDIR..."
[ -n "$ONLY" ] || LOGDIRS=$path  # A single one needs no name.

# From ROOT, because -m looks into the working directory first. TensorBoard has
# no passwords, and by default it serves everybody: the last --host wins.
cd "$ROOT"
exec "$PYTHON" -m tensorboard.main --logdir="$LOGDIRS" "$@" --host=127.0.0.1
